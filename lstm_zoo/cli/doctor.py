"""What `lstm-zoo doctor` reports: versions, devices, engines, data, and problems with them."""

import importlib.metadata
import os
import platform

import keras

import lstm_zoo
from lstm_zoo import datasets, recurrence
from lstm_zoo.backend import tf

PACKAGES = ("tensorflow", "keras", "numpy", "matplotlib", "jupyterlab", "ipywidgets")


def findings():
    """Pairs of a subject and what was found."""
    yield "lstm_zoo", f"{lstm_zoo.__version__}, from {os.path.dirname(lstm_zoo.__file__)}"
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    for package in PACKAGES:
        yield package, _version(package)
    yield "Keras backend", keras.backend.backend()
    if tf is not None:
        devices = [device.device_type for device in tf.config.list_physical_devices()]
        yield "devices", ", ".join(devices) + f"; {os.cpu_count()} cores"
    yield "dtype policy", keras.config.dtype_policy().name
    yield "XLA", "works" if _why_no_xla() is None else "does not work"
    others = lstm_zoo.LSTM(1, activation="softsign")
    for name, layer in (("plain LSTM", lstm_zoo.LSTM(1)), ("other activations", others)):
        yield name, recurrence.explain(layer).removeprefix(f"{layer.name} ")
    for name in datasets.names():
        problem = _why_no_data(name)
        yield f"data: {name}", repr(datasets.load(name)) if problem is None else "not usable"


def problems():
    """One sentence for each problem."""
    found = [_why_no_xla(), *map(_why_no_data, datasets.names())]
    if tf is None:
        found.append(
            f"Keras runs on {keras.backend.backend()}: cells, layers and builders work, but fit() "
            "needs TensorFlow; set KERAS_BACKEND=tensorflow"
        )
    return [problem for problem in found if problem is not None]


def _why_no_xla():
    if tf is None:
        return None
    try:
        right = float(tf.function(lambda x: x + 1.0, jit_compile=True)(1.0)) == 2.0
    except Exception as error:
        return f"XLA cannot compile here: {error}"
    return None if right else "XLA gives wrong results"


def _why_no_data(name):
    try:
        datasets.load(name)
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
