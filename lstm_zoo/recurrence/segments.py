"""How a sequence is laid out in time: padded to few lengths, time first, cut into segments."""

import math
from typing import NamedTuple

from lstm_zoo.backend import tf

SEGMENT = 32  # steps; more would no longer fit in a core's cache, fewer would make small products


class Plan(NamedTuple):
    """What, beside the cell and the shapes, decides which program a run is."""

    segment: int  # steps in a segment
    training: bool  # whether the backward pass's needs are kept
    recompute: bool  # at the borders of segments only
    outputs: bool  # whether the output of every step is wanted
    split: bool  # whether the batch is cut into shards that run side by side
    native: bool = False  # whether the operations in C do it


def segment_of(steps, recompute):
    """Steps in a segment: few are wasted on the last one; for `recompute` the root of all steps."""
    if steps is None:
        return SEGMENT
    if recompute:
        return math.ceil(math.sqrt(steps))
    return math.ceil(steps / math.ceil(steps / SEGMENT))


def pad_to_bucket(x):
    """Zeros after the last step, so that sequences of all lengths share a few compiled sizes."""
    if x is None:
        return None
    steps = tf.shape(x)[1]
    octave = tf.math.log(tf.cast(steps, tf.float32) / SEGMENT) / math.log(2.0)
    bucket = tf.cast(2 ** tf.math.ceil(tf.maximum(octave, 0.0)), tf.int32) * SEGMENT
    return tf.pad(x, [[0, 0], [0, bucket - steps]] + [[0, 0]] * (len(x.shape) - 2))


def time_major(a, plan):
    """`(batch, timesteps, ...)` to `(timesteps in whole segments, batch, ...)`."""
    if a is None:
        return None
    a = tf.transpose(a, (1, 0, 2))
    missing = -(a.shape[0] or 0) % plan.segment
    return tf.pad(a, [[0, missing], [0, 0], [0, 0]]) if missing else a


def in_segments(a, plan):
    """`(timesteps, ...)` to `(segments, segment, ...)`."""
    if a is None:
        return None
    count = -1 if a.shape[0] is None else a.shape[0] // plan.segment
    return tf.reshape(a, (count, plan.segment, tf.shape(a)[1], a.shape[2]))
