"""Keras 2's files: whole models and weights alone, with LSTM or CuDNNLSTM layers in them."""

import pathlib

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.weights.keras2_files import opened
from lstm_zoo.weights.keras2_layers import Described, differences, of_file, of_model

_TOLD = 5  # differences in one error


def from_keras2(model: keras.Model, path: str | pathlib.Path) -> None:
    """Set the weights of a model to those that Keras 2 wrote with `save` or `save_weights`.

    The file's layers and the model's go together in their order, those without weights left out.
    A file of `save` also says what its layers compute. A model whose layers compute something else
    is refused: another activation, direction, merge mode, padding, epsilon and so on. A file of
    `save_weights` says nothing of the kind: build the model with the same arguments, and with
    `trainable` as it was when the file was written, for Keras 2 stores frozen layers inside a layer
    last. Code of `Lambda` layers and what feeds what are not looked at.

    An LSTM of Keras 2.3 or before has `recurrent_activation="hard_sigmoid"`, and Keras 3 gave that
    name to another function; `lz.cells.keras2_hard_sigmoid` is the one of Keras 2.

    Args:
        model: a built model of the same layers; `lz.LSTM` for `LSTM` and for `CuDNNLSTM`, whose
            matrices are laid out otherwise.
        path: the .h5, .weights.h5 or .keras file.

    Raises:
        ValueError: if the file is none of Keras 2's, its layers do not fit, or the model's compute
            something else. Then no weight has changed.

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
    for weights, arrays in fitted:  # all fit: nothing is half set
        for weight, array in zip(weights, arrays):
            weight.assign(array)


def _layers_of(file, ours):
    """The file's layers that have weights; without a configuration, as the model's own are."""
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
    """The variables of a layer and of those inside it, each layer's with its arrays."""
    place = f"{around}/{saved.slot}"
    if not ours.is_group:
        return [(ours.layer.weights, _checked(ours, place, file.by_place(place)))]
    inside = {"Model": f"{place}/layers", "StackedRNNCells": f"{place}/cell/cells"}
    pairs = zip(saved.weighted(), ours.weighted())
    return [
        fit for pair in pairs for fit in _by_places(file, *pair, inside.get(ours.class_name, place))
    ]


def _by_order(file, saved, ours):
    """The same of a layer whose weights stand in one list: first those that were trained."""
    arrays = file.by_name(saved.name)
    first, last = _in_order(saved, ours)
    order = [*first, *last]
    if len(arrays) != len(order):
        wanted = [tuple(weight.shape) for weight in order]
        got = [a.shape for a in arrays]
        raise ValueError(f"{ours.name} must have weights of {wanted}, {saved.name!r} has {got}")
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
    """The variables of a layer of the model that Keras 2 stores first, and those that follow."""
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
        raise ValueError(f"{ours.name} must have weights of {wanted}, {name!r} has {got}")
    return arrays


def _from_cudnn(arrays):
    """Weights of a CuDNNLSTM or CuDNNGRU as those of an LSTM or GRU; all others as they are."""
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
