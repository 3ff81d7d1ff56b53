"""Reads weights from Keras 2 files of whole models or of weights only."""

import pathlib

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.weights.keras2_files import opened
from lstm_zoo.weights.keras2_layers import Described, differences, of_file, of_model
from lstm_zoo.weights.placing import in_range

_TOLD = 5  # number of differences to list in an error


def from_keras2(model: keras.Model, path: str | pathlib.Path) -> None:
    """Load weights that Keras 2 wrote with `save` or `save_weights` into a model.

    The layers with weights are matched in their order. A file from `save` also describes its
    layers, and a model whose layers compute something else is refused: another activation,
    direction, merge mode, padding, epsilon and so on. A file from `save_weights` has no such
    description, so build the model with the same arguments. Also set `trainable` as it was when the
    file was written, because Keras 2 stores frozen layers inside a layer last. The code of `Lambda`
    layers and the connections between layers are not checked.

    LSTMs of Keras before 2.3 use `recurrent_activation="hard_sigmoid"`. In Keras 3 this name
    means another function; pass `lz.cells.keras2_hard_sigmoid` instead.

    Args:
        model: a built model with the same layers; use `lz.LSTM` for `LSTM` and for `CuDNNLSTM`,
            whose weights are converted.
        path: the .h5, .weights.h5 or .keras file.

    Raises:
        ValueError: if Keras 2 did not write the file, if its layers do not fit, or if the model's
            layers compute something else. The model's weights then stay unchanged.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_regressor((None, 3), lstm_units=(4,), dense_units=())
        >>> from_keras2(model, "no.h5")
        Traceback (most recent call last):
        ValueError: path must be an .h5 or .keras file that Keras 2 wrote, got 'no.h5'
    """
    checks.model("model", model)
    ours = of_model(model)
    with opened(path, most=model.count_params()) as file:
        saved = _layers_of(file, ours)
        if len(saved) != len(ours.weighted()):
            raise ValueError(
                f"model must have as many layers with weights as the file, {len(saved)} "
                f"({', '.join(one.name for one in saved)}), got {len(ours.weighted())}"
            )
        if file.config is not None:
            wrong = differences(of_file(file.config), ours)
            if wrong:
                more = [f"and {len(wrong) - _TOLD} more"] if len(wrong) > _TOLD else []
                raise ValueError("; ".join([*wrong[:_TOLD], *more]))
        pairs = list(zip(saved, ours.weighted()))
        if file.names is None:
            fitted = [fit for pair in pairs for fit in _by_places(file, *pair, "layers")]
        else:
            fitted = [fit for pair in pairs for fit in _by_order(file, *pair)]
    pairs = [pair for weights, arrays in fitted for pair in zip(weights, arrays)]
    for weight, array in pairs:
        in_range(weight, array)
    for weight, array in pairs:  # only after all arrays have been checked
        weight.assign(array)


def _layers_of(file, ours):
    """The file's layers with weights; without a configuration, described like the model's."""
    if file.config is not None:
        layers = of_file(file.config).weighted()
        if file.names is None:
            return layers
        by_name = {one.name: one for one in layers}
        return [by_name.get(name) or _unknown(name) for name in file.names]
    if file.names is None:
        return ours.weighted()
    like = [*ours.weighted(), *[_unknown("")] * len(file.names)]
    return [
        Described(one.class_name, name, {}, one.inside, one.trainable)
        for name, one in zip(file.names, like)
    ]


def _unknown(name):
    return Described("", name, {}, [])


def _by_places(file, saved, ours, around):
    """The variables of a layer and of the layers inside it, each with its arrays."""
    place = f"{around}/{saved.slot}"
    if not ours.is_group:
        return [(ours.layer.weights, _checked(ours, place, file.by_place(place)))]
    inside = {"Model": f"{place}/layers", "StackedRNNCells": f"{place}/cell/cells"}
    pairs = zip(saved.weighted(), ours.weighted())
    return [
        fit for pair in pairs for fit in _by_places(file, *pair, inside.get(ours.class_name, place))
    ]


def _by_order(file, saved, ours):
    """The same for a layer whose weights are stored in one list, trainable weights first."""
    arrays = file.by_name(saved.name)
    first, last = _in_order(saved, ours)
    order = [*first, *last]
    if len(arrays) != len(order):
        wanted = [tuple(weight.shape) for weight in order]
        got = [a.shape for a in arrays]
        raise ValueError(
            f"{ours.name} must have weights of shapes {got}, as {saved.name!r} in the file, got "
            f"{wanted}"
        )
    found = {id(weight): array for weight, array in zip(order, arrays)}
    return [
        (leaf.layer.weights, _checked(leaf, saved.name, [found[id(w)] for w in leaf.layer.weights]))
        for leaf in _leaves(ours)
    ]


def _leaves(ours):
    if not ours.is_group:
        return [ours]
    return [leaf for one in ours.weighted() for leaf in _leaves(one)]


def _in_order(saved, ours):
    """The variables of a layer that Keras 2 stores first, and those that follow."""
    if ours.is_group:
        pairs = [_in_order(*pair) for pair in zip(saved.weighted(), ours.weighted(), strict=True)]
        first, last = ([w for pair in pairs for w in pair[k]] for k in (0, 1))
        if not saved.trainable:
            first, last = [], [w for pair in pairs for some in pair for w in some]
        return first, last
    weights = ours.layer.weights
    if not saved.trainable:
        return [], weights
    counted = [w for w in weights if w.name in _COUNTED]
    return [w for w in weights if w.name not in _COUNTED], counted


_COUNTED = ("moving_mean", "moving_variance", "mean", "variance", "count")  # never trained


def _checked(ours, name, arrays):
    """The arrays of one layer, if they fit it."""
    arrays = _from_cudnn(arrays)
    wanted, got = [tuple(w.shape) for w in ours.layer.weights], [a.shape for a in arrays]
    if got != wanted:
        raise ValueError(
            f"{ours.name} must have weights of shapes {got}, as {name!r} in the file, got {wanted}"
        )
    return arrays


def _from_cudnn(arrays):
    """Convert weights of a CuDNNLSTM or CuDNNGRU to those of an LSTM or GRU; keep all others."""
    if len(arrays) != 3 or arrays[2].ndim != 1 or arrays[2].size != 2 * arrays[1].shape[-1]:
        return arrays
    kernel, recurrent_kernel, bias = arrays
    gates = kernel.shape[1] // len(recurrent_kernel)
    blocks = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, gates, axis=1)]
    kernel = np.concatenate(blocks, axis=1)
    blocks = np.split(recurrent_kernel, gates, axis=1)
    recurrent_kernel = np.concatenate([k.T for k in blocks], axis=1)
    biases = np.stack(np.split(bias, 2))
    return [kernel, recurrent_kernel, biases if gates == 3 else biases.sum(axis=0)]
