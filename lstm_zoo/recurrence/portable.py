"""Tells whether a model is being traced for a file, and what the file's format supports.

A file must load without our library, and often without XLA. So while a model is traced to be saved,
its layers run on the engine in `engines/exported.py`. This holds for `lstm_zoo.export`, Keras's
`model.export`, `tf.saved_model.save`, `tf.lite.TFLiteConverter` and `tf2onnx`. A chain of tags
(`lstm_zoo.layers.CRF`) has its own loop for files, `best_path`.
"""

import contextlib
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple

from lstm_zoo.backend import tf


class Target(NamedTuple):
    """The format of a file, and its operation for a whole recurrence, if it has one.

    `whole` takes a cell, `x` `(batch, timesteps, features)`, the states, and the lengths `(batch,)`
    or None for full lengths. It returns the output of every step and the last states, or None for
    an unknown cell. `gives_states` tells whether these last states are valid. `grows_lists` tells
    whether a list of tensors may start without a size, and `sorts` whether all of the format's
    runtimes can sort.
    """

    format: str
    whole: Callable | None = None
    gives_states: bool = True
    grows_lists: bool = True
    sorts: bool = True


_TARGET: ContextVar[Target | None] = ContextVar("target", default=None)


@contextlib.contextmanager
def written_as(target: Target):
    """Context in which everything that is traced goes into a file of this format."""
    token = _TARGET.set(target)
    try:
        yield
    finally:
        _TARGET.reset(token)


def target() -> Target | None:
    """The target of the function that is being traced, or None if it is not for a file."""
    if tf is None or tf.executing_eagerly():
        return None
    return _TARGET.get() or _from_callers()


SAVED_MODEL = Target("saved_model")
_CALLERS = {  # from the prefix of a module that writes files to the target of these files
    "keras.src.export.": SAVED_MODEL,
    "tensorflow.python.saved_model.": SAVED_MODEL,
}


def comes_from(target: Target, *modules: str) -> None:
    """Register modules, by name or prefix, whose traced functions are for `target`."""
    _CALLERS.update(dict.fromkeys(modules, target))


def _from_callers():
    """The target by the modules on the call stack, because Keras and TensorFlow do not tell.

    Converters to other formats call the writer of saved models, so the outermost module decides.
    """
    frame, found = sys._getframe(), None
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        starts = [start for start in _CALLERS if name.startswith(start)]
        if starts:
            caller = _CALLERS[max(starts, key=len)]
            found = caller if found is None or caller != SAVED_MODEL else found
        frame = frame.f_back
    return found


def list_of(target, steps, shape, dtype):
    """A list for one tensor per step, each of `shape`; its first size may be unknown."""
    if not target.grows_lists:
        return tf.TensorArray(dtype, steps).unstack(tf.zeros(tf.stack([steps, *shape]), dtype))
    return tf.TensorArray(dtype, steps, element_shape=(None, *shape[1:]))


def best_path(target: Target, transitions, first, last, scores, mask):
    """The likeliest tags by Viterbi's algorithm, in a graph that goes into a file.

    Args:
        target: the file's format.
        transitions, first, last: the weights of a chain of tags, as `lstm_zoo.layers.CRF` has them.
        scores: `(batch, timesteps, tags)`.
        mask: `(batch, timesteps)` of booleans, or None.

    Returns:
        `(batch, timesteps)` int32; a masked step repeats the previous tag.
    """
    count = transitions.shape[0]
    scores = tf.transpose(scores, (1, 0, 2))
    steps, batch = tf.shape(scores)[0], tf.shape(scores)[1]
    counts = tf.ones([steps, batch], tf.int32)
    if mask is not None:
        counts = tf.cast(tf.transpose(mask), tf.int32)
    seen = tf.cumsum(counts, exclusive=True) > 0
    counts = counts > 0

    def forward(t, best, before):
        before = before.write(t, best)
        reached = tf.reduce_max(best[:, :, None] + transitions, axis=1)
        now = tf.where(seen[t][:, None], reached, first) + scores[t]
        return t + 1, tf.where(counts[t][:, None], now, best), before

    start = (tf.constant(0), tf.zeros_like(scores[0]))
    lists = list_of(target, steps, (batch, count), scores.dtype)
    _, best, before = tf.while_loop(lambda t, *_: t < steps, forward, (*start, lists))
    # Go backwards from the end. A file's loop returns a list in the order in which it was written.
    before, joined = tf.reverse(before.stack(), [0]), tf.reverse(counts & seen, [0])
    into = tf.transpose(transitions)

    def backward(t, tag, tags):
        came_from = tf.argmax(before[t] + tf.gather(into, tag), axis=-1, output_type=tf.int32)
        return t + 1, tf.where(joined[t], came_from, tag), tags.write(t, tag)

    tag = tf.argmax(best + last, axis=-1, output_type=tf.int32)
    lists = list_of(target, steps, (batch,), tf.int32)
    *_, tags = tf.while_loop(lambda t, *_: t < steps, backward, (tf.constant(0), tag, lists))
    return tf.transpose(tf.reverse(tags.stack(), [0]))
