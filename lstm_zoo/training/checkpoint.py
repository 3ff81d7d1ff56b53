"""Writes and reads checkpoints. Training resumes from the newest undamaged checkpoint.

A checkpoint is a folder `checkpoint-NUMBER` in TensorFlow's own format, which
`tf.train.list_variables` reads and whose checksums reveal damage. `write` makes a temporary folder
and then renames it.
"""

import json
import pathlib
import shutil
import warnings

import numpy as np

from lstm_zoo import files
from lstm_zoo.backend import tf

KEPT = 2  # the newest checkpoint, and the previous one in case the newest gets damaged
_STATE = "state"  # the name of the JSON entry next to the arrays


# TensorFlow's reader raises these for a truncated, changed, empty or missing file.
_UNREADABLE = (
    *((tf.errors.OpError,) if tf else ()),
    *(RuntimeError, KeyError, IndexError, OSError, TypeError, UnicodeDecodeError),
)


class Damaged(Exception):
    """A checkpoint that can't be read."""


def write(folder: pathlib.Path, arrays: dict[str, np.ndarray], state: dict) -> None:
    """Add a checkpoint, and remove all but the newest `KEPT` checkpoints."""
    number = 1 + max((_number(path) for path in _all(folder)), default=0)
    tensors = {_STATE: np.array(json.dumps(state).encode())} | arrays
    with files.replacing(folder / f"checkpoint-{number:06d}") as temporary:
        temporary.mkdir()
        tf.raw_ops.SaveV2(
            prefix=str(temporary / "data"),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=[tf.constant(value) for value in tensors.values()],
        )
    for path in _all(folder)[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def read_newest(folder: pathlib.Path, shapes: dict[str, tuple]):
    """The arrays and the state of the newest undamaged checkpoint; None if there is none.

    Args:
        folder: the folder of the checkpoints.
        shapes: the names and shapes of the arrays that a checkpoint must hold.

    Raises:
        ValueError: if the newest checkpoint is from a model whose variables have other shapes.
    """
    for path in _all(folder):
        try:
            return _read(path, shapes)
        except Damaged as problem:
            warnings.warn(
                f"{path} is damaged ({problem}): resuming from the checkpoint before it, "
                "or from the start if there is none",
                RuntimeWarning,
                stacklevel=7,  # the line that calls `fit`
            )
    return None


def clean(folder: pathlib.Path) -> None:
    """Remove temporary files of processes that were killed while writing a checkpoint."""
    files.remove_leftovers(folder)


def _read(path, shapes):
    try:
        reader = tf.train.load_checkpoint(str(path / "data"))
        state = json.loads(reader.get_tensor(_STATE))
        stored = {name: tuple(s) for name, s in reader.get_variable_to_shape_map().items()}
        if {name: stored.get(name) for name in shapes} != shapes:
            raise ValueError(
                f"checkpoint_dir holds {path.name} of another model, whose variables have other "
                "shapes; pass another folder, or build the same model as before"
            )
        arrays = {name: reader.get_tensor(name) for name in stored if name != _STATE}
    except _UNREADABLE as problem:
        raise Damaged(str(problem).splitlines()[0][:200]) from problem
    except json.JSONDecodeError as problem:
        raise Damaged(f"its state is not valid JSON: {problem}") from problem
    for name in shapes:
        if name.startswith("weights/") and not np.all(np.isfinite(arrays[name].astype("float64"))):
            raise Damaged("its weights are not finite")
    return arrays, state


def _all(folder):
    """The checkpoints, newest first."""
    found = [path for path in pathlib.Path(folder).glob("checkpoint-*") if _number(path) > 0]
    return sorted(found, key=_number, reverse=True)


def _number(path):
    digits = path.name.removeprefix("checkpoint-")
    return int(digits) if digits.isdigit() else 0
