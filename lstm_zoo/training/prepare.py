"""Turns a batch into the arguments of a training step."""

import keras

from lstm_zoo.backend import tf
from lstm_zoo.training import losses, sample_weights

pack = keras.utils.pack_x_y_sample_weight


class Prepare:
    """Turns a batch into `(x, y, sample_weight)`, shaped like the model's outputs and losses."""

    def __init__(self, name, model, class_weight=None):
        self.name, self.model, self.class_weight = name, model, class_weight

    def __call__(self, batch):
        x, y, weight = self._unpacked(batch)
        y = losses.like_outputs(self.model, y)
        name = f"sample_weight in a batch of {self.name}"
        weight = sample_weights.weighed(self.model, name, y, weight, self.class_weight)
        return pack(x, y, weight)

    def type_of(self, spec):
        """The type of prepared batches, to build a model with; weights do not matter here."""
        x, y, _ = self._unpacked(spec)
        return pack(x, losses.like_outputs(self.model, y, _with_last_axis))

    def _unpacked(self, batch):
        if isinstance(batch, list):
            batch = tuple(batch)
        if isinstance(batch, tuple) and len(batch) > 3:
            raise ValueError(
                f"{self.name} must yield batches (x, y) or (x, y, sample_weight), "
                f"got a batch of {len(batch)} parts"
            )
        return keras.utils.unpack_x_y_sample_weight(batch)


def _with_last_axis(spec):
    return tf.TensorSpec((*spec.shape, 1), spec.dtype)
