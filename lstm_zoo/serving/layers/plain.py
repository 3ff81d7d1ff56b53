"""Layers that act on each step alone, and convolutions."""

import keras
import numpy as np

from lstm_zoo.layers import (
    CRF,
    BatchNormalization,
    NamedDense,
    RunningNormalization,
    TargetScale,
    WordEmbedding,
)
from lstm_zoo.layers.scaling import Normalization
from lstm_zoo.serving.layers.registry import serves, written
from lstm_zoo.serving.plan import Size
from lstm_zoo.serving.tracing import Array, Unserved

# As in serving.h, in the same order.
_ACTIVATIONS = (
    "linear relu tanh sigmoid softmax exponential silu elu softplus softsign hard_sigmoid gelu"
)
ACTIVATIONS = _ACTIVATIONS.split()


def activation_number(function) -> int:
    """The number of an activation.

    Raises:
        Unserved: if the C code does not know it.
    """
    for number, name in enumerate(ACTIVATIONS):
        if function is getattr(keras.activations, name):
            return number
    raise Unserved(f"its activation {getattr(function, '__name__', function)!r} is not known")


def _array(layer):
    return np.asarray(keras.ops.convert_to_numpy(layer), "float32")


@serves(keras.layers.Dense, NamedDense)
def dense(writer, layer, x, **_):
    """Panels of the kernel, then the activation."""
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        raise Unserved("it is quantized or has LoRA weights")
    needs_floats(x)
    kernel = _array(layer.kernel)
    bias = np.zeros(kernel.shape[1]) if layer.bias is None else _array(layer.bias)
    number = activation_number(layer.activation)
    if len(x.shape) > 2:
        raise Unserved("its input has more than three axes")
    y = writer.array((*x.shape[:-1], kernel.shape[1]), x.mask)
    writer.step("dense", [x], [y], [number], 1.0, [kernel, bias])
    return y


@serves(keras.layers.TimeDistributed)
def time_distributed(writer, layer, x, mask=None, **_):
    """A Dense layer does the same to each step by itself."""
    if not isinstance(layer.layer, keras.layers.Dense):
        raise Unserved(f"it holds a {type(layer.layer).__name__}, which the C code does not know")
    return written(writer, layer.layer, (x,), {})


@serves(
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.Identity,
    keras.layers.ActivityRegularization,
    CRF,
)
def nothing(writer, layer, x, **_):
    """What a layer gives back as it is outside of training."""
    return x


def activated(writer, x, number, alpha=1.0):
    """The values of an activation."""
    needs_floats(x)
    y = writer.array(x.shape, x.mask)
    if ACTIVATIONS[number] == "softmax" and len(x.shape) > 2:
        raise Unserved("its input has more than three axes")
    writer.step("activation", [x], [y], [number], alpha)
    return y


@serves(keras.layers.Activation)
def activation(writer, layer, x, **_):
    """By name."""
    return activated(writer, x, activation_number(layer.activation))


@serves(keras.layers.ReLU)
def relu(writer, layer, x, **_):
    """The plain one."""
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise Unserved("its max_value, negative_slope or threshold is not the default")
    return activated(writer, x, ACTIVATIONS.index("relu"))


@serves(keras.layers.ELU)
def elu(writer, layer, x, **_):
    """With its alpha."""
    return activated(writer, x, ACTIVATIONS.index("elu"), float(layer.alpha))


def affine(writer, x, minus, times, plus):
    """`(x - minus) * times + plus`, each a number for each feature."""
    needs_floats(x)
    if len(x.shape) > 2:
        raise Unserved("its input has more than three axes")
    features = x.shape[-1]
    weights = [np.broadcast_to(np.ravel(w), (features,)) for w in (minus, times, plus)]
    y = writer.array(x.shape, x.mask)
    writer.step("affine", [x], [y], weights=weights)
    return y


@serves(RunningNormalization)
def running_normalization(writer, layer, x, mask=None, **_):
    """As its `call`; a feature that has never changed is not divided."""
    mean, variance = _array(layer.mean), _array(layer.variance)
    spread = np.sqrt(np.where(variance > np.float32(1e-10) * mean * mean, variance, 1))
    return affine(writer, x, mean, 1 / spread, 0)


@serves(keras.layers.Normalization, Normalization)
def normalization(writer, layer, x, **_):
    """One mean and variance for each feature, or its inverse."""
    mean, variance = np.ravel(_array(layer.mean)), np.ravel(_array(layer.variance))
    if mean.size > 1 and tuple(layer.axis) not in ((-1,), (len(x.shape),)):
        raise Unserved("its axis is not that of the features")
    spread = np.maximum(np.sqrt(variance), keras.config.epsilon())
    if layer.invert:
        return affine(writer, x, 0, spread, mean)
    return affine(writer, x, mean, 1 / spread, 0)


@serves(keras.layers.BatchNormalization, BatchNormalization)
def batch_normalization(writer, layer, x, mask=None, **_):
    """With the moving statistics."""
    if layer.axis not in (-1, len(x.shape)):
        raise Unserved("its axis is not that of the features")
    mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
    times = 1 / np.sqrt(variance + np.float32(layer.epsilon))
    if layer.scale:
        times = times * _array(layer.gamma)
    return affine(writer, x, mean, times, _array(layer.beta) if layer.center else 0)


@serves(TargetScale)
def target_scale(writer, layer, x, **_):
    """Back in the units of the targets."""
    return affine(writer, x, 0, _array(layer.deviation), _array(layer.mean))


@serves(keras.layers.Rescaling)
def rescaling(writer, layer, x, **_):
    """One scale and offset."""
    return affine(writer, x, 0, layer.scale, layer.offset)


@serves(keras.layers.LayerNormalization)
def layer_normalization(writer, layer, x, mask=None, **_):
    """Over the features."""
    axis = layer.axis if isinstance(layer.axis, int) else tuple(layer.axis)
    if axis not in (-1, (-1,), len(x.shape), (len(x.shape),)):
        raise Unserved("its axis is not that of the features")
    if getattr(layer, "rms_scaling", False) or len(x.shape) > 2:
        raise Unserved("it scales by the root mean square, or has more than three axes")
    features = x.shape[-1]
    gamma = np.ones(features) if layer.gamma is None else _array(layer.gamma)
    beta = np.zeros(features) if layer.beta is None else _array(layer.beta)
    y = writer.array(x.shape, x.mask)
    writer.step("layer_norm", [x], [y], number=layer.epsilon, weights=[gamma, beta])
    return y


@serves(keras.layers.Masking)
def masking(writer, layer, x, **_):
    """Masked steps become zeros."""
    needs_floats(x)
    mask = writer.array((x.steps, 1))
    y = writer.array(x.shape, mask)
    writer.step("masking", [x], [y, mask], number=layer.mask_value)
    return y


@serves(keras.layers.Embedding, WordEmbedding)
def embedding(writer, layer, x, **_):
    """A line of the table for each token."""
    if x.dtype != "int32":
        raise Unserved("its tokens are no input of type int32")
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        raise Unserved("it is quantized or has LoRA weights")
    table = _array(layer.embeddings)
    mask = None
    if layer.mask_zero:
        mask = not_equal(writer, x, 0)
    y = writer.array((x.steps, table.shape[1]), mask)
    writer.step("embedding", [x], [y], [table.shape[0]], 0.0, [table])
    return y


def not_equal(writer, x, value):
    """1 where numbers are not `value`."""
    y = writer.array(x.shape)
    writer.step("not_equal", [x], [y], [x.dtype == "int32"], value)
    return y


def needs_floats(x: Array) -> None:
    """Refuse tokens where numbers are read."""
    if x.dtype != "float32":
        raise Unserved("its input is no float32")


@serves(keras.layers.Conv1D)
def conv1d(writer, layer, x, **_):
    """A window of steps at a time, as one product."""
    if layer.strides != (1,) or layer.dilation_rate != (1,) or layer.groups != 1:
        raise Unserved("it has strides, dilation or groups")
    if layer.data_format != "channels_last":
        raise Unserved("its data_format is not 'channels_last'")
    if getattr(layer, "lora_enabled", False):
        raise Unserved("it has LoRA weights")
    kernel, size = _array(layer.kernel), layer.kernel_size[0]
    before = {"same": (size - 1) // 2, "causal": size - 1, "valid": 0}[layer.padding]
    steps = x.steps
    if layer.padding == "valid":
        steps = (
            Size(steps.plus + 1 - size, *steps[1:]) if isinstance(steps, Size) else steps + 1 - size
        )
    bias = np.zeros(layer.filters) if layer.bias is None else _array(layer.bias)
    number = activation_number(layer.activation)
    y = writer.array((steps, layer.filters), x.mask)
    writer.step("convolution", [x], [y], [number, size, before], 1.0, [kernel, bias])
    return y
