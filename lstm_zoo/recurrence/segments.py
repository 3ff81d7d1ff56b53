"""The layout of sequences in time: padded to a few lengths, time-major, cut into segments."""

import math
from typing import NamedTuple

from lstm_zoo.backend import tf

SEGMENT = 32  # steps; more would not fit into a core's cache, fewer would make products small


class Plan(NamedTuple):
    """The settings that, with the cell and the shapes, determine the program of a run."""

    segment: int  # steps in a segment
    training: bool  # whether to store values for the backward pass
    recompute: bool  # only at the borders of segments
    outputs: bool  # whether to return the output of every step
    split: bool  # whether to split the batch into shards that run in parallel
    native: bool = False  # whether the C operations run it


def segment_of(steps, recompute):
    """Steps in a segment, chosen to waste few on the last one; for `recompute` sqrt(steps)."""
    if steps is None:
        return SEGMENT
    if recompute:
        return math.ceil(math.sqrt(steps))
    return math.ceil(steps / math.ceil(steps / SEGMENT))


def pad_to_bucket(x):
    """Add zeros after the last step, so that all lengths share a few compiled sizes."""
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
