"""Makes of a batch what a training step takes."""

import keras

from lstm_zoo.backend import tf
from lstm_zoo.training import losses, sample_weights

pack = keras.utils.pack_x_y_sample_weight


class Prepare:
    """`(x, y, sample_weight)` of a batch: targets of the outputs' shape, weights of the loss's."""

    def __init__(self, name, model, class_weight=None):
        self.name, self.model, self.class_weight = name, model, class_weight

    def __call__(self, batch):
        x, y, weight = self._unpacked(batch)
        y = losses.like_outputs(self.model, y)
        name = f"sample_weight of a batch of {self.name}"
        weight = sample_weights.weighed(self.model, name, y, weight, self.class_weight)
        return pack(x, y, weight)

    def type_of(self, spec):
        """The type of batches whose type is `spec`, to build a model with: weights don't matter."""
        x, y, _ = self._unpacked(spec)
        return pack(x, losses.like_outputs(self.model, y, _with_last_axis))

    def _unpacked(self, batch):
        if isinstance(batch, list):
            batch = tuple(batch)
        if isinstance(batch, tuple) and len(batch) > 3:
            raise ValueError(
                f"{self.name} must give batches (x, y) or (x, y, sample_weight), "
                f"got one of {len(batch)} parts"
            )
        return keras.utils.unpack_x_y_sample_weight(batch)


def _with_last_axis(spec):
    return tf.TensorSpec((*spec.shape, 1), spec.dtype)
