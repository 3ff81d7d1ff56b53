"""Keras 2's .h5 files: whole models and weights alone, with LSTM or CuDNNLSTM layers in them."""

import contextlib
import pathlib

import keras
import numpy as np

from lstm_zoo import checks


def from_keras2(model: keras.Model, path: str | pathlib.Path) -> None:
    """Set the weights of a model to those that Keras 2 wrote with `save` or `save_weights`.

    The file's layers and the model's go together in their order, those without weights left out.
    Only numbers are read: what else is in the file, code of `Lambda` layers too, is not looked at.

    Args:
        model: a built model of the same layers; `lz.LSTM` for `LSTM` and for `CuDNNLSTM`, whose
            matrices are laid out otherwise.
        path: the .h5 file.

    Raises:
        ValueError: if the file is none of Keras 2's, or its layers do not fit.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_regressor((None, 3), lstm_units=(4,), dense_units=())
        >>> from_keras2(model, "no.h5")
        Traceback (most recent call last):
        ValueError: path must be an .h5 file that Keras 2 wrote, got 'no.h5'
    """
    checks.model("model", model)
    layers = [layer for layer in model.layers if layer.weights]
    groups = _groups_with_weights(path, most=model.count_params())
    if len(groups) != len(layers):
        raise ValueError(
            f"model must have as many layers with weights as the file, {len(groups)} "
            f"({', '.join(name for name, _ in groups)}), got {len(layers)}"
        )
    fitted = []
    for layer, (name, arrays) in zip(layers, groups):
        arrays = _from_cudnn(arrays)
        wanted = [tuple(w.shape) for w in layer.weights]
        if [a.shape for a in arrays] != wanted:
            got = [a.shape for a in arrays]
            raise ValueError(f"{layer.name} must have weights of {wanted}, {name!r} has {got}")
        fitted.append(arrays)
    for layer, arrays in zip(layers, fitted):  # all fit: nothing is half set
        layer.set_weights(arrays)


def _groups_with_weights(path, most):
    """The layers of a file that have weights, each with its name and arrays, in their order."""
    import h5py

    wrong = ValueError(f"path must be an .h5 file that Keras 2 wrote, got {str(path)!r}")
    try:
        file = h5py.File(checks.path("path", path), "r")
    except OSError:
        raise wrong from None
    with file, _whole(path):
        root = file.get("model_weights", file)
        if "layer_names" not in root.attrs:
            raise wrong
        groups = []
        for layer in map(_text, root.attrs["layer_names"]):
            names = map(_text, root[layer].attrs["weight_names"])
            arrays = [_numbers(root[layer][name], file, most) for name in names]
            if arrays:
                groups.append((layer, arrays))
    return groups


@contextlib.contextmanager
def _whole(path):
    """A damaged file may end in any error of h5py."""
    try:
        yield
    except ValueError:
        raise
    except Exception as problem:
        raise ValueError(f"{path} can't be read: {problem}") from problem


def _numbers(dataset, file, most):
    """Those of a dataset that holds them itself, `most` at most."""
    if dataset.external or dataset.is_virtual or dataset.file.filename != file.filename:
        raise ValueError(f"{dataset.name} must hold its numbers itself, got a link to another file")
    if dataset.size > most:
        raise ValueError(f"{dataset.name} must fit the model, got shape {dataset.shape}")
    return dataset[()]


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)


def _from_cudnn(arrays):
    """Weights of a CuDNNLSTM as those of an LSTM, in each direction; all others as they are."""
    if len(arrays) not in (3, 6) or arrays[2].shape != (2 * arrays[1].shape[-1],):
        return arrays
    found = []
    for kernel, recurrent_kernel, bias in zip(*[iter(arrays)] * 3):
        blocks = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, 4, axis=1)]
        found.append(np.concatenate(blocks, axis=1))
        blocks = np.split(recurrent_kernel, 4, axis=1)
        found.append(np.concatenate([k.T for k in blocks], axis=1))
        found.append(np.sum(np.split(bias, 2), axis=0))
    return found
