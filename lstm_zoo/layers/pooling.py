"""Pools a sequence into one vector: its mean, its largest values, or a learned weighted mean.

Masked steps are ignored. A sequence whose steps are all masked becomes zeros.
"""

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.layers.one_step import OneStep, one_step_of, renewed


class _OverTime(keras.layers.Layer):
    """`(batch, timesteps, features)` to `(batch, width)`; the mask is not passed on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, sequences, mask=None):
        return None


@keras.saving.register_keras_serializable(package="lstm_zoo")
class MeanOverTime(_OverTime):
    """The mean over the unmasked steps.

    Call arguments:
        sequences: `(batch, timesteps, features)`.
        mask: `(batch, timesteps)` of booleans, or None.

    Returns:
        `(batch, features)`.

    Example:
        >>> steps = ops.convert_to_tensor([[[1.0], [3.0], [9.0]]])
        >>> mask = ops.convert_to_tensor([[True, True, False]])
        >>> MeanOverTime()(steps, mask=mask).numpy().tolist()
        [[2.0]]
    """

    def call(self, sequences, mask=None):
        if mask is None:
            return ops.mean(sequences, axis=1)
        weights = ops.cast(mask, sequences.dtype)[..., None]
        return ops.sum(sequences * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)


@keras.saving.register_keras_serializable(package="lstm_zoo")
class MaxOverTime(_OverTime):
    """The largest value of each feature over the unmasked steps.

    The call takes and returns the same as `MeanOverTime`.

    Example:
        >>> steps = ops.convert_to_tensor([[[1.0], [3.0], [9.0]]])
        >>> mask = ops.convert_to_tensor([[True, True, False]])
        >>> MaxOverTime()(steps, mask=mask).numpy().tolist()
        [[3.0]]
    """

    def call(self, sequences, mask=None):
        if mask is None:
            return ops.max(sequences, axis=1)
        mask = ops.cast(mask, "bool")[..., None]
        lowest = ops.cast(-6e4, sequences.dtype)  # near the lowest float16, -65504
        largest = ops.max(ops.where(mask, sequences, lowest), axis=1)
        # Not "any", which LiteRT for Microcontrollers lacks.
        return ops.where(ops.all(ops.logical_not(mask), axis=1), 0, largest)


@keras.saving.register_keras_serializable(package="lstm_zoo")
class AttentionOverTime(_OverTime):
    r"""A mean over time with learned weights.

    .. math::
        a_t = \mathrm{softmax}_t(v \cdot \tanh(W h_t + b)), \qquad y = \sum_t a_t h_t

    Args:
        units: width of :math:`W h_t`; None uses the width of the input.

    The call takes and returns the same as `MeanOverTime`.

    Raises:
        ValueError: if `units` is not a positive whole number.

    Example:
        >>> tuple(AttentionOverTime()(ops.ones((2, 5, 3))).shape)
        (2, 3)

    Source:
        Yang et al. 2016, Hierarchical attention networks, https://aclanthology.org/N16-1174.
    """

    def __init__(self, units: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.units = None if units is None else checks.count("units", units)

    def build(self, input_shape):
        width, units = input_shape[-1], self.units or input_shape[-1]
        self.kernel = self.add_weight(shape=(width, units), name="kernel")
        self.bias = self.add_weight(shape=(units,), initializer="zeros", name="bias")
        self.query = self.add_weight(shape=(units,), initializer="zeros", name="query")
        self.built = True

    def scores(self, sequences):
        """The score of each step before the softmax: `(..., features)` to `(...)`."""
        hidden = ops.tanh(ops.matmul(sequences, self.kernel) + self.bias)
        return ops.sum(hidden * ops.cast(self.query, hidden.dtype), axis=-1)

    def call(self, sequences, mask=None):
        scores = self.scores(sequences)
        if mask is not None:
            mask = ops.cast(mask, "bool")
            scores = ops.where(mask, scores, ops.cast(-6e4, scores.dtype))
        weights = ops.softmax(scores, axis=1)
        if mask is not None:
            weights = weights * ops.cast(mask, weights.dtype)
        return ops.sum(sequences * weights[..., None], axis=1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class RepeatLike(keras.layers.Layer):
    """Repeats a vector at each step of a sequence, and passes on that sequence's mask.

    Call arguments:
        inputs: the vector `(batch, width)` and the sequence `(batch, timesteps, features)`.

    Returns:
        `(batch, timesteps, width)`.

    Example:
        >>> tuple(RepeatLike()([ops.ones((2, 3)), ops.ones((2, 5, 1))]).shape)
        (2, 5, 3)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[1]

    def call(self, inputs):
        vector, sequence = inputs
        return vector[:, None, :] + ops.zeros_like(sequence[..., :1])


@one_step_of(RepeatLike)
class _KnownAtTheEnd(OneStep):
    """Raises an error: the vector to repeat is that of the whole sequence."""

    def __init__(self, layer, name):
        raise ValueError(
            f"layer {layer.name!r} can't be run step by step: the decoder of an autoencoder starts "
            "after the last step of the sequence. Run the model on windows instead, such as "
            "lz.anomaly_scores(model, window[None]) for the newest steps"
        )


class _PoolingStep(OneStep):
    """One step of a layer that pools over time."""

    def __init__(self, layer, name):
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise ValueError(
                f"layer {layer.name!r} must pool over time to be streamed, with "
                f"data_format='channels_last', got {layer.data_format!r}"
            )
        if getattr(layer, "keepdims", False):
            raise ValueError(
                f"layer {layer.name!r} must have keepdims=False to be streamed, got True"
            )
        super().__init__(layer, name)


@one_step_of(MeanOverTime, keras.layers.GlobalAveragePooling1D)
class MeanStep(_PoolingStep):
    def states_of(self, features):
        return [("total", features, "float32"), ("steps", 1, "float32")]

    def call(self, sequence, states, mask=None):
        total, steps = states
        new = [total + ops.cast(sequence[:, 0], "float32"), steps + 1]
        total, steps = renewed(new, states, mask)
        mean = total / ops.maximum(steps, 1)
        return ops.cast(mean, self.layer.compute_dtype), total, steps


@one_step_of(MaxOverTime, keras.layers.GlobalMaxPooling1D)
class MaxStep(_PoolingStep):
    def states_of(self, features):
        return [("largest", features, "float32"), ("steps", 1, "float32")]

    def call(self, sequence, states, mask=None):
        largest, steps = states
        x = ops.cast(sequence[:, 0], "float32")
        new = [ops.where(steps > 0, ops.maximum(largest, x), x), steps + 1]
        largest, steps = renewed(new, states, mask)
        return ops.cast(largest, self.layer.compute_dtype), largest, steps


@one_step_of(AttentionOverTime)
class AttentionStep(_PoolingStep):
    """A running softmax: the weighted sum and the sum of weights, scaled by exp(largest score)."""

    def states_of(self, features):
        widths = {"total": features, "weights": 1, "largest": 1}
        return [(name, width, "float32") for name, width in widths.items()]

    def call(self, sequence, states, mask=None):
        total, weights, largest = states
        x = ops.cast(sequence[:, 0], self.layer.compute_dtype)
        score = ops.expand_dims(ops.cast(self.layer.scores(x), "float32"), -1)
        before = ops.where(weights > 0, largest, score)
        now = ops.maximum(before, score)
        shrink, weight = ops.exp(before - now), ops.exp(score - now)
        new = [total * shrink + weight * ops.cast(x, "float32"), weights * shrink + weight, now]
        total, weights, largest = renewed(new, states, mask)
        mean = total / ops.maximum(weights, 1e-30)
        return ops.cast(mean, self.layer.compute_dtype), total, weights, largest
