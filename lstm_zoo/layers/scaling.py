"""Features brought to mean 0 and deviation 1: of all that training has met, or of each window."""

import keras
from keras import ops

from lstm_zoo.backend import sums_over_replicas, wide
from lstm_zoo.layers.each_step import each_step_alone


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class RunningNormalization(keras.layers.Layer):
    """Each feature less its mean and divided by its standard deviation, as met in training so far.

    Every batch of a training counts before it is scaled, each step as much as any other; outside
    of training nothing changes, and before the first batch the input comes out as it is. Unlike
    `keras.layers.Normalization` it needs no data beforehand; unlike
    `keras.layers.BatchNormalization` it does the same in training as after it, in batches of any
    size. A feature that has never changed is not divided. `trainable = False` stops the count.

    Call arguments:
        inputs: `(batch, timesteps, features)`, or any shape whose last axis is the features.
        training: whether to count these inputs.
        mask: of the shape of `inputs` less its last axis, or None; masked steps do not count.

    Returns:
        The scaled inputs, of the same shape.

    Raises:
        ValueError: if the inputs have other features than those that it was built for.

    Example:
        >>> import numpy as np
        >>> layer = RunningNormalization()
        >>> layer(np.array([[[10.0], [30.0]]]), training=True).numpy().tolist()
        [[[-1.0], [1.0]]]
        >>> layer(np.array([[[20.0], [40.0]]])).numpy().tolist()
        [[[0.0], [2.0]]]

    Source:
        Chan, Golub & LeVeque 1983 (means and variances of parts together),
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
        changed = variance > 1e-10 * mean * mean  # else it is rounding, of float32
        spread = ops.sqrt(ops.where(changed, variance, 1.0))
        return ops.cast((x - mean) / spread, self.compute_dtype)

    def _counted(self, x, mask, mean, variance):
        """Mean and variance with the steps of a batch, which are kept."""
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
    """Keras's own, with the statistics of the whole batch on every replica.

    `keras.layers.BatchNormalization` takes those of each replica's samples, or with `synchronized`
    those of all samples, masked steps included.

    Args:
        kwargs: those of `keras.layers.BatchNormalization`.

    Call arguments:
        inputs: `(batch, timesteps, features)`, or any shape whose last axis is the features.
        training: whether to normalise by these inputs and to count them.
        mask: of the shape of `inputs` less its last axis, or None; masked steps do not count.

    Returns:
        The normalised inputs, of the same shape.

    Raises:
        ValueError: as Keras's layer does.

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

    # Keras's own method, of the statistics of a batch: it has no public one to override.
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
    """Keras's own, which refuses one feature in place of several instead of repeating it."""

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = keras.layers.InputSpec(axes={-1: input_shape[-1]})

    def call(self, inputs):
        return super().call(_of_width(inputs, self.input_spec.axes[-1]))


def _of_width(x, width):
    """`x`, or an error: a graph traced for any last axis would repeat one feature for all."""
    return x if x.shape[-1] is not None else ops.reshape(x, (*ops.shape(x)[:-1], width))
