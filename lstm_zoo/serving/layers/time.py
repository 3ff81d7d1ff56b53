"""Layers that look along the sequence: pooling, attention, windows and their scale."""

import keras
import numpy as np

from lstm_zoo.layers import (
    AttentionOverTime,
    MaxOverTime,
    MeanOverTime,
    ScaledBack,
    SeasonalLinear,
    WindowScale,
)
from lstm_zoo.layers.pooling import AttentionStep, MaxStep, MeanStep
from lstm_zoo.serving.layers.registry import mask_after, serves
from lstm_zoo.serving.tracing import Unserved


def _array(weight):
    return np.asarray(keras.ops.convert_to_numpy(weight), "float32")


def _pooled(writer, operation, x, mask, options=(), weights=()):
    if x.dtype != "float32" or len(x.shape) != 2:
        raise Unserved("its input is no sequence of float32")
    y = writer.array((x.width,))
    writer.step(operation, [x, mask], [y], options, weights=weights)
    return y


@serves(MeanOverTime)
def mean(writer, layer, x, mask=None, **_):
    """A sequence that is masked whole gives zeros."""
    return _pooled(writer, "mean", x, mask, [1])


@serves(keras.layers.GlobalAveragePooling1D)
def global_average(writer, layer, x, mask=None, **_):
    """As Keras: a sequence that is masked whole gives NaN."""
    _plain_pooling(layer)
    return _pooled(writer, "mean", x, mask, [0])


@serves(MaxOverTime)
def maximum(writer, layer, x, mask=None, **_):
    """Of the steps that count."""
    return _pooled(writer, "maximum", x, mask)


@serves(keras.layers.GlobalMaxPooling1D)
def global_maximum(writer, layer, x, **_):
    """As Keras, which ignores masks here."""
    _plain_pooling(layer)
    return _pooled(writer, "maximum", x, None)


def _plain_pooling(layer):
    if layer.data_format != "channels_last" or layer.keepdims:
        raise Unserved("its data_format or keepdims is not the default")


def _attention_weights(layer):
    weights = [_array(one) for one in (layer.kernel, layer.bias, layer.query)]
    return [weights[0].shape[1]], weights


@serves(AttentionOverTime)
def attention_over_time(writer, layer, x, mask=None, **_):
    """A mean whose weights are learnt."""
    return _pooled(writer, "attention", x, mask, *_attention_weights(layer))


def _pooling_step(operation, attention=False):
    def write(writer, layer, x, states, mask=None, **_):
        options, weights = _attention_weights(layer.layer) if attention else ((), ())
        if isinstance(layer.layer, keras.layers.GlobalMaxPooling1D):
            mask = None
        y, after = writer.array((x.width,)), [writer.array(one.shape) for one in states]
        writer.step(operation, [x, mask, *states], [y, *after], options, 0.0, weights)
        return (y, *after)

    return write


serves(MeanStep)(_pooling_step("mean_step"))
serves(MaxStep)(_pooling_step("maximum_step"))
serves(AttentionStep)(_pooling_step("attention_step", attention=True))


@serves(WindowScale)
def window_scale(writer, layer, x, mask=None, **_):
    """The scaled window, its means and deviations."""
    scaled = writer.array(x.shape, mask_after(x, mask))
    means, spreads = (writer.array((1, x.width)) for _ in range(2))
    weights = [layer.log_spread]
    writer.step("window_scale", [x, mask], [scaled, means, spreads], weights=weights)
    return [scaled, means, spreads]


@serves(SeasonalLinear)
def seasonal_linear(writer, layer, x, mask=None, **_):
    """The value one season before, and a linear map of the window."""
    horizon, targets = layer.horizon, layer.num_targets
    y = writer.array((horizon,) if targets == 1 else (horizon, targets))
    options, weights = [layer.season, targets], []
    if layer.kernel is not None:
        weights = [layer.kernel]
        if x.steps != layer.kernel.shape[0]:
            raise Unserved("its input has another number of steps than its kernel")
    writer.step("seasonal", [x, mask], [y], options, 0.0, weights)
    return y


@serves(ScaledBack)
def scaled_back(writer, layer, arrays, **_):
    """A forecast in the units of its window."""
    forecast, means, spreads = arrays
    each = forecast.shape[-1] if layer.quantiles else 1
    y = writer.array(forecast.shape)
    writer.step("scaled_back", [forecast, means, spreads], [y], [layer.num_targets, each])
    return y


@serves(keras.layers.Attention)
def attention(writer, layer, arrays, mask=None, **options):
    """Luong's: the scores are products of queries and keys."""
    if layer.use_scale or layer.score_mode != "dot":
        raise Unserved("it has use_scale, or another score_mode than 'dot'")
    if options.get("use_causal_mask") or options.get("return_attention_scores"):
        raise Unserved("it has a causal mask or returns its scores")
    query, value, *key = arrays
    key = key[0] if key else value
    masks = [*(mask or (None, None))][:2]
    writer.same_steps(value.steps, key.steps)
    y = writer.array((query.steps, value.width), query.mask)
    writer.step("dot_attention", [query, value, key, *masks], [y], number=1.0)
    return y
