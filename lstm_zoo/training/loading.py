"""`load`: a model from a file, after a look at what is in it."""

import concurrent.futures
import functools
import json
import math
import pathlib
import stat
import zipfile

import keras

from lstm_zoo import checks

_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_UNPACKED = 2**28  # bytes that a file may unpack to, however small it is
_RATIO = 20  # and how much larger it may become; Keras does not compress
_WEIGHTS = 2**26  # numbers that a configuration may ask for where fewer are stored
_THRESHOLDS, _UNROLLED = 2**20, 2**14  # of a metric, which lists them; steps of a loop written out


def load(path: str | pathlib.Path) -> keras.Model:
    """Load a model from a `.keras` file that may be of anyone: nothing in it is run.

    Keras's safe mode is on, which refuses code in the configuration; what else a file may hold that
    is no part of a model is refused before Keras sees it.

    Args:
        path: a file, as `lstm_zoo.save` and `keras.Model.save` write it.

    Returns:
        The `keras.Model`, compiled if it was.

    Raises:
        ValueError: naming the file, if it is no such file, is damaged, has code, a class that is
            neither Keras's nor LSTM Zoo's nor registered, a part with a path outside, or arrays
            larger than what is stored, or a configuration that asks for them.
        FileNotFoundError: if there is no file.

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
        cause = str(problem).split("Exception encountered: ")[-1]  # behind the configuration
        why = " ".join(cause.split())[:300] or type(problem).__name__
        raise ValueError(f"{path} can't be loaded: {why}") from problem


def _check(path):
    """Refuse an archive that holds more than a model, or would become more than there is."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        for part in parts:
            names = pathlib.PurePosixPath(part.filename.replace("\\", "/")).parts
            if stat.S_ISLNK(part.external_attr >> 16) or not names or ".." in names:
                raise ValueError(f"its part {part.filename!r} leads out of it")
            if part.filename not in _PARTS and names[0] != "assets":
                raise ValueError(f"its part {part.filename!r} is no part of a model")
        unpacked = sum(part.file_size for part in parts)
        if unpacked > max(_UNPACKED, _RATIO * path.stat().st_size):
            raise ValueError(f"it would unpack to {unpacked / 2**30:.1f} GB")
        if str(json.loads(archive.read("metadata.json")).get("keras_version")).startswith("2."):
            raise ValueError(
                "Keras 2 wrote it; build the same model, then lz.weights.from_keras2(model, path)"
            )
        config = json.loads(archive.read("config.json"))
    _check_lengths(config)
    wanted = _numbers(config)
    if wanted > max(_WEIGHTS, unpacked):
        raise ValueError(f"its configuration asks for {wanted:.3g} numbers, which it does not hold")


def _check_lengths(config):
    """Refuse what becomes large when it is made, before any number is asked for."""
    dicts = list(_dicts(config))
    thresholds = _largest(one.get("num_thresholds") for one in dicts)
    if thresholds > _THRESHOLDS:
        raise ValueError(f"its configuration asks for {thresholds:.3g} thresholds")
    steps = _largest(n for one in dicts for n in one.get("batch_shape") or ())
    if steps > _UNROLLED and any(one.get("unroll") for one in dicts):
        raise ValueError(f"its configuration asks for a loop of {steps:.3g} steps written out")


def _largest(values):
    return max((n for n in values if isinstance(n, (int, float))), default=0)


def _numbers(config):
    """How many numbers the weights, states and metrics would be; none of them is made."""
    with keras.saving.CustomObjectScope({}) as scope:
        known = scope.backup  # what a scope of the caller names; another thread does not see it

    def build():
        # Variables wait here for values. That they would come later is forgotten with the thread.
        with keras.StatelessScope(initialize_variables=False):
            read = functools.partial(
                keras.saving.deserialize_keras_object, custom_objects=known, safe_mode=True
            )
            return read(_without_arrays(config)), [read(one) for one in _metrics(config)]

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        try:
            model, metrics = thread.submit(build).result()
        except ValueError as problem:
            if "in a stateless scope" in str(problem):  # a class of the user's starts from arrays
                return 0
            raise
    variables = list(model.weights)
    for metric in keras.tree.flatten(metrics):
        variables += getattr(metric, "variables", ())
    wanted = sum(math.prod(variable.shape) for variable in variables)
    if any(one.get("stateful") for one in _dicts(config)):
        batch = max(side.shape[0] or 0 for side in model.inputs)
        wanted += batch * max(max(weight.shape, default=0) for weight in model.weights)
    return wanted


def _without_arrays(config):
    """A configuration without what holds values at once: an optimizer, states that are kept."""
    if isinstance(config, dict):
        changed = {"stateful": False} if "stateful" in config else {}
        kept = {key: _without_arrays(v) for key, v in config.items() if key != "compile_config"}
        return kept | changed
    return [_without_arrays(v) for v in config] if isinstance(config, list) else config


def _metrics(config):
    """The configurations of the metrics that models are compiled with."""
    for one in _dicts(config):
        compiled = one.get("compile_config") or {}
        yield {key: compiled.get(key) for key in ("metrics", "weighted_metrics")}


def _dicts(config):
    """Every dict in a configuration."""
    if isinstance(config, dict):
        yield config
    if isinstance(config, (dict, list)):
        for part in config.values() if isinstance(config, dict) else config:
            yield from _dicts(part)
