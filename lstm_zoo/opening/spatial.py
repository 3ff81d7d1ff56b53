"""ONNX's convolution, pooling and normalisation, whose channels are the second axis."""

from keras import ops


def pads_of(attributes, x, kernel=None):
    """Before and after each spatial axis, for a convolution or pooling; `kernel` is its size."""
    rank = len(x.shape) - 2
    kind = attributes.get("auto_pad", "NOTSET")
    if kind in ("NOTSET", "VALID"):
        pads = attributes.get("pads", [0] * 2 * rank) if kind == "NOTSET" else [0] * 2 * rank
        return list(zip(pads[:rank], pads[rank:]))
    raise ValueError(f"auto_pad must be NOTSET or VALID, got {kind}")


def convolution(xp, attributes, x, kernel, bias=None):
    """`Conv`: channels come second in ONNX, last where Keras computes on a CPU."""
    rank = len(x.shape) - 2
    x = ops.moveaxis(x, 1, -1)
    kernel = ops.transpose(kernel, (*range(2, rank + 2), 1, 0))
    pads = pads_of(attributes, x)
    if any(map(any, pads)):
        x = ops.pad(x, [(0, 0), *pads, (0, 0)])
    y = ops.conv(
        x,
        kernel,
        strides=tuple(attributes.get("strides", [1] * rank)),
        dilation_rate=tuple(attributes.get("dilations", [1] * rank)),
        data_format="channels_last",
    )
    y = y if bias is None else y + bias
    return ops.moveaxis(y, -1, 1)


def pooling(function, empty):
    """`MaxPool` and `AveragePool`; without padding, or with `empty` around."""

    def compute(xp, attributes, x):
        rank = len(x.shape) - 2
        if attributes.get("ceil_mode") or set(attributes.get("dilations", [1])) != {1}:
            raise ValueError("ceil_mode and dilations are not known")
        x, pads = ops.moveaxis(x, 1, -1), pads_of(attributes, x)
        if any(map(any, pads)):
            if empty is None:
                raise ValueError("the average of padded input is not known")
            x = ops.pad(x, [(0, 0), *pads, (0, 0)], constant_values=empty)
        strides = tuple(attributes.get("strides", [1] * rank))
        y = function(x, tuple(attributes["kernel_shape"]), strides, data_format="channels_last")
        return ops.moveaxis(y, -1, 1)

    return compute


def over_space(function):
    """`GlobalAveragePool` and `GlobalMaxPool`."""
    return lambda xp, attributes, x: function(x, axis=tuple(range(2, len(x.shape))), keepdims=True)


def batch_normalization(xp, attributes, x, scale, bias, mean, variance):
    """`BatchNormalization` at inference."""
    shape = (1, -1, *[1] * (len(x.shape) - 2))
    scale, bias, mean, variance = (ops.reshape(a, shape) for a in (scale, bias, mean, variance))
    return (x - mean) * ops.rsqrt(variance + attributes.get("epsilon", 1e-5)) * scale + bias


def layer_normalization(xp, attributes, x, scale, bias=None):
    """`LayerNormalization`."""
    rank = len(x.shape)
    axes = tuple(range(attributes.get("axis", -1) % rank, rank))
    x = x - ops.mean(x, axis=axes, keepdims=True)
    variance = ops.mean(ops.square(x), axis=axes, keepdims=True)
    y = x * ops.rsqrt(variance + attributes.get("epsilon", 1e-5)) * scale
    return y if bias is None else y + bias
