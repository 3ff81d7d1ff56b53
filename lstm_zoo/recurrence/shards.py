"""Splits a batch into shards that run in parallel, one on each core.

A step of a recurrence is too small to share between cores, because they would wait for each other
at every product. So each core runs whole sequences, about sixteen at a time. Shards have one of a
few sizes, and the last one is padded with zeros, so that batches of many sizes share a few
programs.
"""

import os

from lstm_zoo.backend import tf
from lstm_zoo.recurrence.bptt import PassResult

SEQUENCES = 16  # per shard; fewer reuse the weights too little, more leave cores idle
SHARDS = max(4, min(os.cpu_count() or 1, 16))  # maximum; a larger batch has larger shards
SIZES = [1, 2, 4, 8, *(k << n for n in range(24) for k in (16, 24))]


class in_shards:
    """Runs a pass over all shards of a batch, given the pass over one shard.

    It takes and returns the same, except that `kept` is a list with an entry for each shard.
    """

    def __init__(self, program):
        self.program = program

    def __call__(self, cells, plan, batch, shared, kept=None):
        total = _size_of(batch)
        known = isinstance(total, int)
        size, count = size_and_count(total) if plan.split else (total, 1)
        kept = kept or [()] * count
        if not plan.split or (known and size == total):
            whole = self.program(cells, plan, batch, shared, kept[0])
            return whole._replace(kept=[whole.kept])
        if known:
            shards = (_take(batch, k * size, size) for k in range(count))
            done = [self.program(cells, plan, s, shared, k) for s, k in zip(shards, kept)]
        else:
            starts = [k * size for k in range(count)]
            done = [
                self._if_any(cells, plan, batch, start, size, shared, k)
                for start, k in zip(starts, kept)
            ]
        per_sequence, sums, kept = zip(*done)
        per_sequence = tf.nest.map_structure(
            lambda *shards: tf.concat(shards, 0)[:total], *per_sequence
        )
        return PassResult(per_sequence, [tf.add_n(shards) for shards in zip(*sums)], list(kept))

    def _if_any(self, cells, plan, batch, start, size, shared, kept):
        """The results of the shard that starts at `start`; empty if the batch ends before it."""
        some = _on_tensors(lambda a: tf.TensorSpec([None, *a.shape[1:]], a.dtype), batch)
        like = self.program.program(cells, plan, some, shared, kept).structured_outputs
        timesteps = tf.shape(tf.nest.flatten(batch)[0])[1]

        def yes():
            return self.program(cells, plan, _take(batch, start, size), shared, kept)

        def no():
            none = tf.nest.map_structure(
                lambda a: zeros([0, *a.shape[1:]], a, timesteps), like.per_sequence
            )
            rest = tf.nest.map_structure(lambda a: zeros(a.shape, a, 0), like[1:])
            return PassResult(
                none, *rest
            )  # no later pass reads the stored values of an empty shard

        def zeros(shape, a, unknown):
            return tf.zeros([unknown if n is None else n for n in shape], a.dtype)

        return tf.cond(start < _size_of(batch), yes, no)


def size_and_count(total):
    """The number of sequences in a shard, and the number of shards for `total` sequences.

    If `total` is a tensor, this is the largest possible number of shards.
    """
    if isinstance(total, int):
        size = _size(total)
        return size, max(1, -(-total // size))
    most = SEQUENCES * SHARDS
    few = tf.gather([_size(few) for few in range(most + 1)], tf.minimum(total, most))
    even, sizes = -(-total // SHARDS), tf.constant(SIZES)
    return tf.where(total > most, sizes[tf.searchsorted(sizes, even[None])[0]], few), SHARDS


def _size(total):
    count = max(-(-total // SEQUENCES), 2 if total >= SEQUENCES else 1)
    even = -(-total // min(count, SHARDS))
    return next(size for size in SIZES if size >= even)


def _size_of(batch):
    x = tf.nest.flatten(batch)[0]
    return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]


def _take(batch, start, size):
    """The `size` sequences that start at `start`, padded with zeros."""

    def take(a):
        shard = a[start : start + size]
        if shard.shape[0] is not None and shard.shape[0] == size:
            return shard
        missing = size - (shard.shape[0] if shard.shape[0] is not None else tf.shape(shard)[0])
        return tf.pad(shard, [[0, missing]] + [[0, 0]] * (len(a.shape) - 1))

    return _on_tensors(take, batch)


def _on_tensors(function, structure):
    return tf.nest.map_structure(lambda a: function(a) if tf.is_tensor(a) else a, structure)
