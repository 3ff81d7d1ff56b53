"""`load`: a model from a file, after a look at what is in it."""

import pathlib
import stat
import zipfile

import keras

from lstm_zoo import checks

_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_UNPACKED = 2**28  # bytes that a file may unpack to, however small it is
_RATIO = 20  # and how much larger it may become; Keras does not compress


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
            larger than what is stored.
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
    """Refuse an archive that holds more than a model, or unpacks to more than there is."""
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
