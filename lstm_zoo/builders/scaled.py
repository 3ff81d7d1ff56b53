"""Models that learn the scale of their targets before they train."""

import itertools

import keras
import numpy as np

from lstm_zoo.layers import TargetScale

PEEK = 64  # batches of a data set that are read to measure the scale of the targets


@keras.saving.register_keras_serializable(package="lstm_zoo")
class TargetScaling(keras.Model):
    """A `keras.Model` that sets its `TargetScale` layers from `y` before its first training step.

    `build_regressor` returns such a model. Use, save and load it like any other model.
    """

    def fit(self, x=None, y=None, *args, **kwargs):
        return super().fit(self.adapt_targets(x, y), y, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        self.adapt_targets(x, y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def adapt_targets(self, x, y=None):
        """Measure the scale of the targets, unless the model has already done so.

        Args:
            x: arrays, or a source of batches `(x, y, ...)`.
            y: the targets; None if `x` yields batches.

        Returns:
            The data to train on instead of `x`. If `x` is an iterator, this is a new iterator that
            yields the batches read here again.
        """
        layers = [layer for layer in self.layers if isinstance(layer, TargetScale)]
        if all(layer.is_adapted for layer in layers):
            return x
        if y is None:
            x, y = _targets_of_batches(x)
        if isinstance(y, dict):
            (y,) = y.values()
        if y is not None:
            for layer in layers:
                layer.adapt(y)
        return x


def _targets_of_batches(batches):
    """The batches, and the targets of the first batches, or None if they have no targets."""
    if isinstance(batches, keras.utils.PyDataset):
        first = [batches[k] for k in range(min(PEEK, batches.num_batches or PEEK))]
    elif hasattr(batches, "__next__"):
        first = list(itertools.islice(batches, 1))
        batches = _chained(first, batches)
    elif hasattr(batches, "__iter__"):
        first = list(itertools.islice(batches, PEEK))
    else:
        return batches, None
    targets = [batch[1] for batch in first if isinstance(batch, (tuple, list)) and len(batch) > 1]
    if not targets:
        return batches, None
    return batches, np.concatenate([keras.ops.convert_to_numpy(y) for y in targets])


def _chained(*several):
    """Like `itertools.chain`, but a generator, because Keras accepts generators."""
    for items in several:
        yield from items
