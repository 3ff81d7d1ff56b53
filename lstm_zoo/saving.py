"""`save` writes a model file atomically; `load` reads a model file safely, even if untrusted."""

import concurrent.futures
import contextlib
import functools
import inspect
import json
import math
import pathlib
import stat
import zipfile

import keras

from lstm_zoo import checks
from lstm_zoo.files import replacing
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["load", "save"]

_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
# By the ending of a file of another kind, the call that reads it.
_OF_KERAS2 = "build the same model, then call lz.weights.from_keras2(model, path)"
_OF_TORCH = "build the layers, then call lz.weights.from_torch(layers, path)"
_CALLS = {
    ".onnx": "call lz.open_onnx(path)",
    ".npz": "build the layers, then call lz.weights.from_arrays(layers, np.load(path), source)",
    **dict.fromkeys((".h5", ".hdf5"), _OF_KERAS2),
    **dict.fromkeys((".safetensors", ".pt", ".pth", ".ckpt", ".bin"), _OF_TORCH),
}
_SAVED_MODEL = 'keras.layers.TFSMLayer(path, call_endpoint="serve") runs one whose origin you trust'
# Limits on what a file may allocate, so that a small file can't fill the memory.
_UNPACKED = 2**28  # bytes that any file may unpack to,
_RATIO = 20  # or this many times its own size; Keras does not compress
_WEIGHTS = 2**26  # numbers in weights and states, even if the file holds fewer
_THRESHOLDS = 2**20  # thresholds of a metric, which it stores as a list
_UNROLLED = 2**14  # timesteps of an unrolled loop


def save(model: keras.Model, path: str | pathlib.Path) -> pathlib.Path:
    """Save a model as one `.keras` file, atomically.

    `save` writes a temporary file next to `path` and then renames it, so that a full disk or a
    killed process leaves the old file intact. Losses and metrics keep all their arguments, even
    those that `keras.Model.save` omits, such as the `delta` of `keras.losses.Huber`.

    Args:
        model: a `keras.Model`.
        path: the file to write; must end in ".keras".

    Returns:
        `path` as a `pathlib.Path`.

    Raises:
        ValueError: if `path` does not end in ".keras".
        OSError: if the file can't be written.

    Example:
        >>> import lstm_zoo as lz, tempfile
        >>> lz.save(lz.build_regressor((10, 2)), tempfile.mkdtemp() + "/model.keras").name
        'model.keras'
    """
    checks.model("model", model)
    path = checks.path("path", path)
    if path.suffix != ".keras":
        raise ValueError(f'path must end in ".keras", got {str(path)!r}')
    with replacing(path) as temporary, _whole_configurations(model):
        model.save(temporary)
    return path


def load(path: str | pathlib.Path) -> keras.Model:
    """Load a model from a `.keras` file, which may come from an untrusted source.

    `load` runs no code from the file. Keras's safe mode refuses code in the configuration. Before
    that, `load` refuses any file content that does not belong to a model.

    Args:
        path: a file written by `lstm_zoo.save` or `keras.Model.save`.

    Returns:
        The `keras.Model`, compiled if it was saved compiled.

    Raises:
        ValueError: if the file is damaged or not a `.keras` file (the message names the call that
            reads an `.onnx`, `.h5` or PyTorch file); if it contains code, a class that is not
            registered, or a member with a path outside the archive; or if its arrays or its
            configuration need far more memory than the size of the file suggests. The message
            names the file.
        FileNotFoundError: if there is no file at `path`.

    Example:
        >>> import lstm_zoo as lz, tempfile
        >>> path = lz.save(lz.build_regressor((10, 2)), tempfile.mkdtemp() + "/model.keras")
        >>> lz.load(path).output_shape
        (None, 1)
    """
    path = checks.path("path", path)
    if not path.exists():
        raise FileNotFoundError(f"path must be an existing file, got {path}")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a .keras file; {_right_call(path)}")
    try:
        _check(path)
        return keras.models.load_model(path, safe_mode=True)
    except Exception as problem:  # a hostile file may raise any exception
        cause = str(problem).split("Exception encountered: ")[-1]  # Keras puts it last
        why = " ".join(cause.split())[:300] or type(problem).__name__
        raise ValueError(f"{path} can't be loaded: {why}") from problem


def _right_call(path):
    """The call that reads a file of another kind."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return f"it is a SavedModel; {_SAVED_MODEL}"
        return "it is a folder"
    with path.open("rb") as file:
        if file.read(8) == b"\x89HDF\r\n\x1a\n":
            return f"it is an HDF5 file; {_OF_KERAS2}"
    return _CALLS.get(path.suffix.lower(), "lz.save writes such files")


@contextlib.contextmanager
def _whole_configurations(model):
    """Add missing arguments to the configurations of a model's losses and metrics.

    In Keras 3.15 `Huber.get_config` omits `delta`, and `SparseCategoricalCrossentropy` and
    `CosineSimilarity` omit `axis`, so that a loaded model would train with the defaults.
    """
    # Keras has no public attribute for the losses and metrics that were passed to `compile`.
    compiled = getattr(model, "_compile_config", None)
    losses_and_metrics = keras.tree.flatten(compiled.config) if compiled else []
    incomplete = [one for one in losses_and_metrics if _left_out(one)]
    try:
        for one in incomplete:
            config = one.get_config() | _left_out(one)
            one.get_config = lambda config=config: config
        yield
    finally:
        for one in incomplete:
            vars(one).pop("get_config", None)


def _left_out(loss_or_metric):
    """The arguments of a loss or metric that its configuration omits, with their values."""
    arguments = inspect.signature(type(loss_or_metric).__init__).parameters
    given = getattr(loss_or_metric, "_fn_kwargs", {})  # Keras stores them only here
    config = loss_or_metric.get_config() if given else {}
    return {name: v for name, v in given.items() if name in arguments and name not in config}


def _check(path):
    """Refuse an archive with content that does not belong to a model, or that needs much memory."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            names = pathlib.PurePosixPath(member.filename.replace("\\", "/")).parts
            if stat.S_ISLNK(member.external_attr >> 16) or not names or ".." in names:
                raise ValueError(f"its member {member.filename!r} has a path outside the archive")
            if member.filename not in _MEMBERS and names[0] != "assets":
                raise ValueError(f"its member {member.filename!r} does not belong to a model")
        unpacked = sum(member.file_size for member in members)
        if unpacked > max(_UNPACKED, _RATIO * path.stat().st_size):
            raise ValueError(f"it would unpack to {unpacked / 2**30:.1f} GB")
        if str(json.loads(archive.read("metadata.json")).get("keras_version")).startswith("2."):
            raise ValueError(
                "Keras 2 wrote it; build the same model, then lz.weights.from_keras2(model, path)"
            )
        config = json.loads(archive.read("config.json"))
    _check_lengths(config)
    wanted = _count_numbers(config)
    if wanted > max(_WEIGHTS, unpacked):
        raise ValueError(
            f"its configuration asks for {wanted:.3g} numbers in weights, states and metrics, far "
            "more than the file holds"
        )


def _check_lengths(config):
    """Refuse very long lists and loops, because building them already takes much memory."""
    dicts = list(_dicts(config))
    thresholds = _largest(one.get("num_thresholds") for one in dicts)
    if thresholds > _THRESHOLDS:
        raise ValueError(f"its configuration asks for {thresholds:.3g} thresholds")
    steps = _largest(n for one in dicts for n in one.get("batch_shape") or ())
    if steps > _UNROLLED and any(one.get("unroll") for one in dicts):
        raise ValueError(f"its configuration asks for an unrolled loop of {steps:.3g} steps")


def _largest(values):
    return max((n for n in values if isinstance(n, (int, float))), default=0)


def _count_numbers(config):
    """The number of values in all weights, states and metrics, without allocating them."""
    with keras.saving.CustomObjectScope({}) as scope:
        known = scope.backup  # the caller's scope, which another thread does not see

    def build():
        # Variables created here have no values. Keras lists them per thread, to initialize them
        # later, and the list ends with the thread.
        with keras.StatelessScope(initialize_variables=False):
            read = functools.partial(
                keras.saving.deserialize_keras_object, custom_objects=known, safe_mode=True
            )
            return read(_without_arrays(config)), [read(one) for one in _metrics(config)]

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        try:
            model, metrics = thread.submit(build).result()
        except ValueError as problem:
            if "in a stateless scope" in str(problem):  # a custom class makes variables from arrays
                return 0
            raise
    variables = list(model.weights)
    for metric in keras.tree.flatten(metrics):
        variables += getattr(metric, "variables", ())
    wanted = sum(math.prod(variable.shape) for variable in variables)
    if any(one.get("stateful") for one in _dicts(config)):
        batch = max(one.shape[0] or 0 for one in model.inputs)
        wanted += batch * max(max(weight.shape, default=0) for weight in model.weights)
    return wanted


def _without_arrays(config):
    """A configuration without the parts that allocate arrays at once (optimizer, stateful)."""
    if isinstance(config, dict):
        changed = {"stateful": False} if "stateful" in config else {}
        kept = {key: _without_arrays(v) for key, v in config.items() if key != "compile_config"}
        return kept | changed
    return [_without_arrays(v) for v in config] if isinstance(config, list) else config


def _metrics(config):
    """The configurations of the metrics of all compiled models in a configuration."""
    for one in _dicts(config):
        compiled = one.get("compile_config") or {}
        yield {key: compiled.get(key) for key in ("metrics", "weighted_metrics")}


def _dicts(config):
    """Every dict in a configuration."""
    if isinstance(config, dict):
        yield config
    if isinstance(config, (dict, list)):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _dicts(value)


_suggest(__name__)
