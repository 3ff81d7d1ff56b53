"""`save` writes a model to a file, whole or not at all; `load` reads one from any source safely."""

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
# What a file may ask for, so that a small one can't fill the memory.
_UNPACKED = 2**28  # bytes that any file may unpack to
_RATIO = 20  # or so many times its own size; Keras does not compress
_WEIGHTS = 2**26  # numbers in weights and states, where the file itself is smaller
_THRESHOLDS = 2**20  # of a metric, which makes a list of them
_UNROLLED = 2**14  # timesteps of an unrolled loop


def save(model: keras.Model, path: str | pathlib.Path) -> pathlib.Path:
    """Save a model as one `.keras` file, whole or not at all.

    `save` writes a temporary file beside `path` and then renames it, so that a full disk or a kill
    leaves what was there before. Losses and metrics keep all their arguments, also those that
    `keras.Model.save` leaves out, such as the `delta` of `keras.losses.Huber`.

    Args:
        model: a `keras.Model`.
        path: the file to write; ends in ".keras".

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

    `load` runs no code from the file. Keras's safe mode refuses code in the configuration, and
    `load` refuses whatever else is not part of a model before Keras sees it.

    Args:
        path: a file that `lstm_zoo.save` or `keras.Model.save` wrote.

    Returns:
        The `keras.Model`, compiled if it was saved compiled.

    Raises:
        ValueError: naming the file, if it is not a `.keras` file or is damaged; if it holds code, a
            class that is neither Keras's nor LSTM Zoo's nor registered, or a member whose path
            leads out of it; or if its arrays are, or its configuration asks for, far more than the
            file holds.
        FileNotFoundError: if there is no file at `path`.

    Example:
        >>> import lstm_zoo as lz, tempfile
        >>> path = lz.save(lz.build_regressor((10, 2)), tempfile.mkdtemp() + "/model.keras")
        >>> lz.load(path).output_shape
        (None, 1)
    """
    path = checks.path("path", path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no .keras file: lstm_zoo.save writes one")
    try:
        _check(path)
        return keras.models.load_model(path, safe_mode=True)
    except Exception as problem:  # a hostile file may end in any
        cause = str(problem).split("Exception encountered: ")[-1]  # Keras puts it last
        why = " ".join(cause.split())[:300] or type(problem).__name__
        raise ValueError(f"{path} can't be loaded: {why}") from problem


@contextlib.contextmanager
def _whole_configurations(model):
    """Make the configurations of a model's losses and metrics name all their arguments.

    In Keras 3.15 `Huber.get_config` leaves out `delta`, and `SparseCategoricalCrossentropy` and
    `CosineSimilarity` leave out `axis`: a loaded model would train with the defaults.
    """
    # Keras keeps the losses and metrics as they were given to `compile` nowhere public.
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
    """The arguments of a loss or metric that its configuration leaves out, with their values."""
    arguments = inspect.signature(type(loss_or_metric).__init__).parameters
    given = getattr(loss_or_metric, "_fn_kwargs", {})  # Keras keeps them nowhere else
    config = loss_or_metric.get_config() if given else {}
    return {name: v for name, v in given.items() if name in arguments and name not in config}


def _check(path):
    """Refuse an archive that holds other things than a model, or asks for too much memory."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            names = pathlib.PurePosixPath(member.filename.replace("\\", "/")).parts
            if stat.S_ISLNK(member.external_attr >> 16) or not names or ".." in names:
                raise ValueError(f"its part {member.filename!r} leads out of it")
            if member.filename not in _MEMBERS and names[0] != "assets":
                raise ValueError(f"its part {member.filename!r} is no part of a model")
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
        raise ValueError(f"its configuration asks for {wanted:.3g} numbers, which it does not hold")


def _check_lengths(config):
    """Refuse lists and loops that would be long, for building them already takes memory."""
    dicts = list(_dicts(config))
    thresholds = _largest(one.get("num_thresholds") for one in dicts)
    if thresholds > _THRESHOLDS:
        raise ValueError(f"its configuration asks for {thresholds:.3g} thresholds")
    steps = _largest(n for one in dicts for n in one.get("batch_shape") or ())
    if steps > _UNROLLED and any(one.get("unroll") for one in dicts):
        raise ValueError(f"its configuration asks for a loop of {steps:.3g} steps written out")


def _largest(values):
    return max((n for n in values if isinstance(n, (int, float))), default=0)


def _count_numbers(config):
    """How many numbers the weights, states and metrics would hold, without allocating them."""
    with keras.saving.CustomObjectScope({}) as scope:
        known = scope.backup  # the caller's own scope, which another thread does not see

    def build():
        # Variables made here have no values. Keras lists them by thread, to fill them in later, and
        # the list ends with the thread.
        with keras.StatelessScope(initialize_variables=False):
            read = functools.partial(
                keras.saving.deserialize_keras_object, custom_objects=known, safe_mode=True
            )
            return read(_without_arrays(config)), [read(one) for one in _metrics(config)]

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        try:
            model, metrics = thread.submit(build).result()
        except ValueError as problem:
            if "in a stateless scope" in str(problem):  # a user's class makes variables from arrays
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
    """A configuration without what allocates arrays at once: the optimizer, stateful layers."""
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
