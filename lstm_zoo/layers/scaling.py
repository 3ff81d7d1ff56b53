"""Layers that scale features to mean 0 and standard deviation 1."""

import keras
from keras import ops

from lstm_zoo.backend import sums_over_replicas, wide
from lstm_zoo.layers.each_step import each_step_alone


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class RunningNormalization(keras.layers.Layer):
    """Scale each feature to mean 0 and standard deviation 1, using running statistics.

    During training the layer adds each batch to its statistics before scaling it; all steps count
    equally. Outside training the statistics do not change. Before the first batch the layer
    returns its input unchanged. Unlike `keras.layers.Normalization` it needs no data beforehand.
    Unlike `keras.layers.BatchNormalization` it computes the same in training and inference, for any
    batch size. Constant features are centred but not divided. `trainable = False` freezes the
    statistics.

    Call arguments:
        inputs: `(batch, timesteps, features)`, or any shape whose last axis is the features.
        training: whether to add these inputs to the statistics.
        mask: booleans with the shape of `inputs` without its last axis, or None; masked steps do
            not count.

    Returns:
        The scaled inputs, of the same shape.

    Raises:
        ValueError: if the number of features differs from the one that the layer was built for.

    Example:
        >>> import numpy as np
        >>> layer = RunningNormalization()
        >>> layer(np.array([[[10.0], [30.0]]]), training=True).numpy().tolist()
        [[[-1.0], [1.0]]]
        >>> layer(np.array([[[20.0], [40.0]]])).numpy().tolist()
        [[[0.0], [2.0]]]

    Source:
        Chan, Golub & LeVeque 1983 (combining means and variances of parts),
        https://doi.org/10.1080/00031305.1983.10483115.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False  # large numbers are scaled before they become float16
        self.supports_masking = True

    def build(self, input_shape):
        options = {"trainable": False, "autocast": False}
        options["dtype"] = wide(self.compute_dtype)
        width = (input_shape[-1],)
        self.mean = self.add_weight(width, "zeros", name="mean", **options)
        self.variance = self.add_weight(width, "ones", name="variance", **options)
        self.count = self.add_weight((), "zeros", name="count", **options)
        self.input_spec = keras.layers.InputSpec(axes={-1: input_shape[-1]})

    def call(self, inputs, training=None, mask=None):
        x = ops.cast(_of_width(inputs, self.mean.shape[0]), wide(self.compute_dtype))
        mean, variance = ops.convert_to_tensor(self.mean), ops.convert_to_tensor(self.variance)
        if training and self.trainable:
            mean, variance = self._counted(x, mask, mean, variance)
        changed = variance > 1e-10 * mean * mean  # below this, it is float32 rounding error
        spread = ops.sqrt(ops.where(changed, variance, 1.0))
        return ops.cast((x - mean) / spread, self.compute_dtype)

    def _counted(self, x, mask, mean, variance):
        """Update and return the mean and variance with the steps of a batch."""
        x = ops.stop_gradient(x)
        seen = ops.ones_like(x[..., :1])
        if mask is not None:
            seen = seen * ops.cast(mask, wide(self.compute_dtype))[..., None]
        axes = list(range(len(x.shape) - 1))
        before, apart = ops.convert_to_tensor(self.count), ops.sum(seen * (x - mean), axis=axes)
        new, apart = sums_over_replicas(ops.sum(seen), apart)
        count = before + new
        share = new / ops.maximum(count, 1.0)
        apart = apart / ops.maximum(new, 1.0)
        (within,) = sums_over_replicas(ops.sum(seen * (x - mean - apart) ** 2, axis=axes))
        within = within / ops.maximum(new, 1.0)
        mean = mean + share * apart
        added = variance + share * (within - variance) + share * (1 - share) * apart**2
        variance = ops.where(new > 0, added, variance)
        self.mean.assign(mean)
        self.variance.assign(variance)
        self.count.assign(count)
        return mean, variance

    def compute_output_shape(self, input_shape):
        return input_shape


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalization with the statistics of the whole batch on every replica.

    `keras.layers.BatchNormalization` uses the statistics of each replica's own samples. With
    `synchronized` it uses all samples, but includes masked steps.

    Args:
        kwargs: as for `keras.layers.BatchNormalization`.

    Call arguments:
        inputs: `(batch, timesteps, features)`, or any shape whose last axis is the features.
        training: whether to normalise by the statistics of these inputs and to add them to the
            moving averages.
        mask: booleans with the shape of `inputs` without its last axis, or None; masked steps do
            not count.

    Returns:
        The normalised inputs, of the same shape.

    Raises:
        ValueError: as `keras.layers.BatchNormalization` does.

    Example:
        >>> import numpy as np
        >>> layer = BatchNormalization(momentum=0.0)
        >>> _ = layer(np.array([[[1.0], [3.0]]]), training=True)
        >>> layer.moving_mean.numpy().tolist(), layer.moving_variance.numpy().tolist()
        ([2.0], [1.0])
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    of_all_replicas = True

    # Keras computes a batch's statistics in this private method; no public one can be overridden.
    def _moments(self, inputs, mask):
        rank = len(inputs.shape)
        axes = [axis for axis in range(rank) if axis != self.axis % rank]
        counts = ops.ones_like(inputs)
        if mask is not None:
            counts = counts * ops.cast(mask, inputs.dtype)[..., None]
        count, mean = (ops.sum(part, axis=axes) for part in (counts, counts * inputs))
        count, mean = sums_over_replicas(count, mean)
        count = ops.maximum(count, 1.0)
        mean = mean / count
        centred = inputs - ops.expand_dims(mean, axes)
        (variance,) = sums_over_replicas(ops.sum(counts * centred**2, axis=axes))
        return mean, variance / count


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class Normalization(keras.layers.Normalization):
    """Keras's `Normalization`, except that it refuses one feature instead of repeating it."""

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = keras.layers.InputSpec(axes={-1: input_shape[-1]})

    def call(self, inputs):
        return super().call(_of_width(inputs, self.input_spec.axes[-1]))


def _of_width(x, width):
    """`x`, or an error if its width differs: a graph would silently repeat a single feature."""
    return x if x.shape[-1] is not None else ops.reshape(x, (*ops.shape(x)[:-1], width))
