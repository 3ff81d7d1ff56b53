"""PyTorch's `nn.LSTM`, by way of a safetensors file. PyTorch itself is not needed.

PyTorch's gates stand in the order i, f, g, o as Keras's do; its matrices are transposed, and it has
a bias for each product, of which only the sum counts. A `.pt` file is a pickle, which can run any
code when it is read, so none is.
"""

import pathlib
from collections.abc import Sequence

import keras
import numpy as np

from lstm_zoo import checks, files
from lstm_zoo.weights.placing import assign, units_of

_HOW = (
    "save it in PyTorch with "
    'safetensors.torch.save_file(module.state_dict(), "weights.safetensors")'
)


def from_torch(
    layers: keras.layers.Layer | Sequence[keras.layers.Layer],
    path: str | pathlib.Path,
    prefix: str = "",
) -> None:
    """Set the weights of LSTM layers to those of a PyTorch `nn.LSTM`.

    Args:
        layers: an `LSTM`, or a `Bidirectional` of one where the module is bidirectional; a list of
            them for `num_layers` above 1. Layers that are not built yet are built.
        path: a safetensors file of the module's `state_dict()`, or of a model's that holds it.
        prefix: what stands before `weight_ih_l0` in the file, such as "encoder.lstm.".

    Raises:
        ValueError: if the file is no safetensors file, lacks a tensor, or a shape differs.

    Example:
        >>> import lstm_zoo as lz
        >>> layer = lz.LSTM(4)
        >>> layer.build((None, None, 3))
        >>> to_torch(layer, "lstm.safetensors")
        >>> from_torch(lz.LSTM(4), "lstm.safetensors")
    """
    tensors = _read(path)
    for number, layer in enumerate(_as_list(layers)):
        for part, ending in _directions(layer, number):
            assign(part, *_keras_weights(tensors, prefix, ending, path))
    more = f"{prefix}weight_ih_l{len(_as_list(layers))}"
    if more in tensors:
        raise ValueError(f"layers must be as many as in the file, which has {more!r} too")


def to_torch(
    layers: keras.layers.Layer | Sequence[keras.layers.Layer],
    path: str | pathlib.Path,
    prefix: str = "",
) -> None:
    """Write the weights of LSTM layers as those of a PyTorch `nn.LSTM(..., batch_first=True)`.

    In PyTorch, `lstm.load_state_dict(safetensors.torch.load_file(path))` reads them.

    Args:
        layers, prefix: as in `from_torch`; the layers must be built.
        path: the safetensors file to write.

    Raises:
        ValueError: if a layer is not built, or not a plain LSTM with a bias.

    Example:
        >>> import lstm_zoo as lz
        >>> layer = lz.LSTM(4)
        >>> layer.build((None, None, 3))
        >>> to_torch(layer, "lstm.safetensors")
    """
    from safetensors.numpy import save_file

    tensors: dict[str, np.ndarray] = {}
    for number, layer in enumerate(_as_list(layers)):
        for part, ending in _directions(layer, number):
            units_of(part)
            kernel, recurrent_kernel, *bias = part.get_weights()
            bias = bias[0] if bias else np.zeros(kernel.shape[1], kernel.dtype)
            tensors |= {
                f"{prefix}weight_ih_{ending}": np.ascontiguousarray(kernel.T),
                f"{prefix}weight_hh_{ending}": np.ascontiguousarray(recurrent_kernel.T),
                f"{prefix}bias_ih_{ending}": bias,
                f"{prefix}bias_hh_{ending}": np.zeros_like(bias),
            }
    with files.replacing(path) as temporary:
        save_file(tensors, temporary)


def _as_list(layers):
    return list(layers) if isinstance(layers, (list, tuple)) else [layers]


def _directions(layer, number):
    """The layers that are in a layer, each with the end of its tensors' names."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [(layer.forward_layer, f"l{number}"), (layer.backward_layer, f"l{number}_reverse")]
    return [(layer, f"l{number}")]


def _read(path):
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if checks.path("path", path).suffix != ".safetensors":
        raise ValueError(f"path must be a .safetensors file, got {str(path)!r}; {_HOW}")
    try:
        return load_file(path)
    except (SafetensorError, KeyError, TypeError) as problem:
        raise ValueError(
            f"{path} is not a safetensors file that NumPy can read: {problem}"
        ) from None


def _keras_weights(tensors, prefix, ending, path):
    def tensor(name, needed=True):
        name = f"{prefix}{name}_{ending}"
        if needed and name not in tensors:
            near = sorted(one for one in tensors if one.endswith(f"weight_ih_{ending}"))
            raise ValueError(f"{path} has no tensor {name!r}; prefix must fit one of {near}")
        return tensors.get(name)

    if tensor("weight_hr", needed=False) is not None:
        raise ValueError(f"{path} is of an nn.LSTM with proj_size, which a plain LSTM cannot be")
    kernel, recurrent_kernel = tensor("weight_ih").T, tensor("weight_hh").T
    bias = tensor("bias_ih", needed=False)
    if bias is not None:
        bias = bias + tensor("bias_hh")
    return kernel, recurrent_kernel, bias
