"""A batch cut into parts that run side by side, one a core.

A step of a recurrence is too small for two cores to share: they would wait for each other at every
product. So each core takes whole sequences of its own, some sixteen at a time. Parts are of few
sizes, the last one filled up with zeros, so that batches of many sizes share a few programs.
"""

import os

from lstm_zoo.backend import tf
from lstm_zoo.recurrence.bptt import Passed

ROWS = 16  # in a part: fewer would waste the weights that a product reads, more the cores
PARTS = max(4, min(os.cpu_count() or 1, 16))  # at most; of a larger batch the parts are larger
SIZES = [1, 2, 4, 8, *(k << n for n in range(24) for k in (16, 24))]


class in_parts:
    """A pass over the parts of a batch, from the pass over one part.

    It takes and returns what that does, `kept` as a list with an entry for each part.
    """

    def __init__(self, program):
        self.program = program

    def __call__(self, kind, plan, rows, shared, kept=None):
        batch = _batch(rows)
        known = isinstance(batch, int)
        size, count = size_and_count(batch) if plan.split else (batch, 1)
        kept = kept or [()] * count
        if not plan.split or (known and size == batch):
            whole = self.program(kind, plan, rows, shared, kept[0])
            return whole._replace(kept=[whole.kept])
        if known:
            parts = (_take(rows, k * size, size) for k in range(count))
            done = [self.program(kind, plan, p, shared, k) for p, k in zip(parts, kept)]
        else:
            starts = [k * size for k in range(count)]
            done = [
                self._if_any(kind, plan, rows, start, size, shared, k)
                for start, k in zip(starts, kept)
            ]
        rows, sums, kept = zip(*done)
        rows = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0)[:batch], *rows)
        return Passed(rows, [tf.add_n(parts) for parts in zip(*sums)], list(kept))

    def _if_any(self, kind, plan, rows, start, size, shared, kept):
        """The results of the part from `start`, or those of no rows if the batch ends before it."""
        some = _on_tensors(lambda a: tf.TensorSpec([None, *a.shape[1:]], a.dtype), rows)
        like = self.program.program(kind, plan, some, shared, kept).structured_outputs
        timesteps = tf.shape(tf.nest.flatten(rows)[0])[1]

        def yes():
            return self.program(kind, plan, _take(rows, start, size), shared, kept)

        def no():
            none = tf.nest.map_structure(
                lambda a: zeros([0, *a.shape[1:]], a, timesteps), like.rows
            )
            rest = tf.nest.map_structure(lambda a: zeros(a.shape, a, 0), like[1:])
            return Passed(none, *rest)  # what is kept of no rows is never read

        def zeros(shape, a, unknown):
            return tf.zeros([unknown if n is None else n for n in shape], a.dtype)

        return tf.cond(start < _batch(rows), yes, no)


def size_and_count(batch):
    """Rows in a part, and the number of parts, which for a tensor is the largest there can be."""
    if isinstance(batch, int):
        size = _size(batch)
        return size, max(1, -(-batch // size))
    few = tf.gather(
        [_size(few) for few in range(ROWS * PARTS + 1)], tf.minimum(batch, ROWS * PARTS)
    )
    even, sizes = -(-batch // PARTS), tf.constant(SIZES)
    return tf.where(batch > ROWS * PARTS, sizes[tf.searchsorted(sizes, even[None])[0]], few), PARTS


def _size(batch):
    count = max(-(-batch // ROWS), 2 if batch >= ROWS else 1)
    even = -(-batch // min(count, PARTS))
    return next(size for size in SIZES if size >= even)


def _batch(rows):
    x = tf.nest.flatten(rows)[0]
    return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]


def _take(rows, start, size):
    """`size` rows from `start` on, filled up with zeros."""

    def take(a):
        part = a[start : start + size]
        if part.shape[0] is not None and part.shape[0] == size:
            return part
        missing = size - (part.shape[0] if part.shape[0] is not None else tf.shape(part)[0])
        return tf.pad(part, [[0, missing]] + [[0, 0]] * (len(a.shape) - 1))

    return _on_tensors(take, rows)


def _on_tensors(function, structure):
    return tf.nest.map_structure(lambda a: function(a) if tf.is_tensor(a) else a, structure)
