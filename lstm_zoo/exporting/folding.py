"""Folds the scaling layers of a model into the weights of the layers next to them."""

import keras
import numpy as np

from lstm_zoo import cells
from lstm_zoo.layer_tree import run_through
from lstm_zoo.layers import RunningNormalization, TargetScale
from lstm_zoo.layers.scaling import Normalization

_CELLS = {  # cells whose gates add `x @ kernel + bias` to the rest
    *(keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell),
    *(cells.LSTMCell, cells.PeepholeLSTMCell, cells.CoupledLSTMCell),
    *(cells.GRUCell, cells.SimpleRNNCell),
}
_SCALES = {RunningNormalization, Normalization, keras.layers.Normalization}
_LARGEST = 1000  # mean / deviation; float32 has seven digits


def fold_scaling(model: keras.Model) -> keras.Model:
    """A model that computes the same without layers that scale its inputs and targets.

    Converters such as hls4ml and keras2c know Keras's own layers, but not those that scale the
    inputs of our builders and the targets of `build_regressor`. The result has their scale in the
    kernel and bias of the next layer, or of the `Dense` layer before. The other layers and all
    weights are copies; the result is not compiled.

    Args:
        model: a built functional `keras.Model`, or a `keras.Sequential`.

    Returns:
        A `keras.Model` with the same inputs and outputs.

    Raises:
        ValueError: if a scaling layer can't be folded: the next layer is no recurrent, `Dense` or
            `Conv1D` layer with a bias, or a feature's mean is over 1000 times its deviation, which
            float32 weights can't hold.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_regressor((20, 3), lstm_units=8)
        >>> [layer.name for layer in fold_scaling(model).layers]
        ['sequence', 'recurrent_1', 'dense_1', 'scaled_estimate']
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise ValueError(
            "model must be a keras.Model built from keras.Input, such as a builder's model, or a "
            f"keras.Sequential that starts with one, got {type(model).__name__}"
        )
    if type(model).predict_step is not keras.Model.predict_step:
        raise ValueError(
            "model must not override predict_step to be folded, but "
            f"{type(model).__name__} does; pass keras.Model(model.inputs, model.outputs)"
        )
    graph = keras.Model(model.inputs, model.outputs)
    inputs = [keras.Input(batch_shape=a.shape, dtype=a.dtype, name=a.name) for a in model.inputs]
    walk = _Walk()
    results = keras.tree.flatten(run_through(graph, [_Value(a) for a in inputs], walk))
    for value in results:
        _refuse_if(value.scale, "an output of the model")
        value.uses += 1
    walk.scale_targets()
    return keras.Model(inputs, [value.tensor for value in results], name=model.name)


class _Value:
    """A tensor of the new model.

    `scale` is the layer that should have scaled it, or None. `source` is the new layer that
    computed it, and `uses` the number of its readers.
    """

    def __init__(self, tensor, scale=None, source=None):
        self.tensor, self.scale, self.source, self.uses = tensor, scale, source, 0


class _Walk:
    """Copies the layers of a model in the order of its graph, and folds scaling layers."""

    def __init__(self):
        self.copies = {}  # from an old layer to the new layer and the scale folded into it
        self.targets = []  # of each TargetScale the layer and the value that it scales

    def __call__(self, layer, *args, **kwargs):
        values = [a for a in keras.tree.flatten((args, kwargs)) if isinstance(a, _Value)]
        for value in values:
            value.uses += 1
        if type(layer) in _SCALES:
            _refuse_if(values[0].scale, f"the input of layer {layer.name!r}")
            return _Value(values[0].tensor, scale=layer)
        if type(layer) is TargetScale and type(values[0].source) is keras.layers.Dense:
            self.targets.append((layer, values[0]))
            return _Value(values[0].tensor)
        scale = args[0].scale if args and isinstance(args[0], _Value) else None
        for value in values:  # the mask and states; several inputs
            if value.scale is not scale:
                _refuse_if(value.scale, f"layer {layer.name!r}")
        tensors = keras.tree.map_structure(
            lambda a: a.tensor if isinstance(a, _Value) else a, (args, kwargs)
        )
        new = self._copy(layer, scale, tensors)
        results = new(*tensors[0], **tensors[1])
        if layer not in self.copies:
            self.copies[layer] = new, scale
            if isinstance(layer, keras.layers.Layer):
                new.set_weights(layer.get_weights())
            _fold(new, scale)
        return keras.tree.map_structure(lambda a: _Value(a, source=new), results)

    def _copy(self, layer, scale, tensors):
        if not isinstance(layer, keras.layers.Layer):  # an operation of keras.ops
            _refuse_if(scale, f"the input of {layer.name!r}")
            return layer
        if layer not in self.copies:
            return type(layer).from_config(layer.get_config())
        new, before = self.copies[layer]
        if before is not scale:
            raise ValueError(
                f"layer {layer.name!r} must not be called on inputs of two scales to be folded into"
            )
        return new

    def scale_targets(self):
        for layer, value in self.targets:
            dense = value.source
            if value.uses > 1 or not dense.use_bias or not _is_linear(dense):
                raise ValueError(
                    f"layer {layer.name!r} can't be folded: the Dense layer before it must be "
                    "linear, have a bias, and be read by nothing else"
                )
            mean, deviation = np.asarray(layer.mean, float), np.asarray(layer.deviation, float)
            dense.kernel.assign(np.asarray(dense.kernel, float) * deviation)
            dense.bias.assign(np.asarray(dense.bias, float) * deviation + mean)


def _is_linear(layer):
    return layer.activation is keras.activations.linear


def _refuse_if(scale, reader):
    if scale is not None:
        raise ValueError(
            f"layer {scale.name!r} can't be folded into {reader}; it must be read by a recurrent, "
            "Dense or Conv1D layer"
        )


def _fold(layer, scale):
    """Put a scale into a new layer, which has the weights of the old one."""
    if scale is None:
        return
    mean, deviation = _mean_and_deviation(scale)
    parts = _parts_with_kernels(layer)
    if not parts:
        _refuse_if(scale, f"layer {layer.name!r}, a {type(layer).__name__}")
    for part in parts:
        if part.bias is None:
            raise ValueError(
                f"layer {scale.name!r} can't be folded into layer {layer.name!r}, which must have "
                "use_bias=True"
            )
        kernel = np.asarray(part.kernel, float) / deviation[:, None]
        shift = np.tensordot(mean, kernel.reshape(-1, len(mean), kernel.shape[-1]).sum(0), 1)
        bias = np.asarray(part.bias, float)
        if bias.ndim == 2:  # a GRU's biases beside x and beside h
            bias[0] -= shift
        else:
            bias -= shift
        part.kernel.assign(kernel)
        part.bias.assign(bias)


def _parts_with_kernels(layer):
    """The layer or the cells in it that compute `x @ kernel + bias`; [] for any other layer."""
    if type(layer) is keras.layers.Bidirectional:
        return _parts_with_kernels(layer.forward_layer) + _parts_with_kernels(layer.backward_layer)
    if isinstance(layer, keras.layers.RNN):
        return [layer.cell] if type(layer.cell) in _CELLS else []
    is_conv = type(layer) is keras.layers.Conv1D and layer.padding == "valid" and layer.groups == 1
    return [layer] if is_conv or type(layer) is keras.layers.Dense else []


def _mean_and_deviation(scale):
    """The mean and the divisor of each feature."""
    mean = np.asarray(scale.mean, float).ravel()
    variance = np.asarray(scale.variance, float).ravel()
    if type(scale) is RunningNormalization:
        changed = variance > 1e-10 * mean * mean
        deviation = np.sqrt(np.where(changed, variance, 1.0))
    else:
        last = len(scale.mean.shape) - 1
        if scale.invert or tuple(scale.axis) not in [(-1,), (last,)]:
            raise ValueError(
                f"layer {scale.name!r} must have axis=-1 and invert=False to be folded"
            )
        deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
    far = np.abs(mean) > _LARGEST * deviation
    if far.any():
        k = int(np.argmax(far))
        raise ValueError(
            f"layer {scale.name!r} can't be folded in float32: feature {k} has mean {mean[k]:g} "
            f"and deviation {deviation[k]:g}. Subtract the mean from the data before training"
        )
    return mean, deviation
