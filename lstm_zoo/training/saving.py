"""`save`: a model to a file, whole or not at all."""

import contextlib
import inspect
import pathlib

import keras

from lstm_zoo import checks
from lstm_zoo.files import replacing


def save(model: keras.Model, path: str | pathlib.Path) -> pathlib.Path:
    """Save a model as one `.keras` file, whole or not at all.

    The file is written beside its place and then renamed, so that a full disk or a kill leaves what
    was there before. Losses and metrics keep all their arguments, also those that
    `keras.Model.save` leaves out, such as the `delta` of `keras.losses.Huber`.

    Args:
        model: a `keras.Model`.
        path: where to; ends in ".keras".

    Returns:
        `path` as a `pathlib.Path`.

    Raises:
        ValueError: if `path` does not end in ".keras".
        OSError: if it can't be written.

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


@contextlib.contextmanager
def _whole_configurations(model):
    """Make the losses and metrics of a model name all their arguments in their configurations.

    In Keras 3.15 `Huber.get_config` leaves out `delta`, and `SparseCategoricalCrossentropy` and
    `CosineSimilarity` leave out `axis`: a loaded model would train with the defaults.
    """
    # What the model was compiled with: Keras keeps the losses and metrics as given nowhere public.
    compiled = getattr(model, "_compile_config", None)
    parts = keras.tree.flatten(compiled.config) if compiled else []
    lacking = [part for part in parts if _left_out(part)]
    try:
        for part in lacking:
            config = part.get_config() | _left_out(part)
            part.get_config = lambda config=config: config
        yield
    finally:
        for part in lacking:
            vars(part).pop("get_config", None)


def _left_out(part):
    """The arguments of a loss or metric that its configuration leaves out, with their values."""
    arguments = inspect.signature(type(part).__init__).parameters
    given = getattr(part, "_fn_kwargs", {})  # for its function; kept nowhere else
    config = part.get_config() if given else {}
    return {name: v for name, v in given.items() if name in arguments and name not in config}
