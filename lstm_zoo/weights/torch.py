"""Imports and exports weights of PyTorch's `nn.LSTM`, `nn.GRU`, `nn.RNN` and their cells.

Weights pass through a safetensors file, for which PyTorch is not needed. PyTorch's matrices are
transposed, and each product has its own bias. The LSTM's gates are in Keras's order i, f, g, o. The
GRU's gates are in the order r, z, n; Keras has z, r, n. A `.pt` file is a pickle, which could run
any code when read, so only PyTorch itself reads it, with `weights_only=True`.
"""

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np

from lstm_zoo import checks, files
from lstm_zoo.cells.projected import ProjectedLSTMCell
from lstm_zoo.weights.kinds import GRU, RNN
from lstm_zoo.weights.placing import PLAIN, activations, as_list, fitted, set_all
from lstm_zoo.weights.trees import flattened

_HOW = (
    "save it in PyTorch with "
    'safetensors.torch.save_file(module.state_dict(), "weights.safetensors")'
)


_PICKLES = (".pt", ".pth", ".bin", ".ckpt")
_SAFE = (2, 6)  # earlier versions could run code with weights_only=True (CVE-2025-32434)


class _Module(NamedTuple):
    """A PyTorch module, and the position of each of its gates in Keras's order."""

    name: str
    order: tuple[int, ...]
    projects: bool = False

    def reordered(self, a):
        """Reorder gates from PyTorch's order to Keras's, or back; both directions are the same.

        An array that can't be split into gates stays unchanged; a later check refuses its shape.
        """
        if len(a) % len(self.order):
            return a
        blocks = np.split(a, len(self.order))
        return np.concatenate([blocks[k] for k in self.order])


def from_torch(
    layers: keras.layers.Layer | Sequence[keras.layers.Layer],
    path: str | pathlib.Path,
    prefix: str = "",
) -> None:
    """Set the weights of recurrent layers to those of a PyTorch module.

    Args:
        layers: an `LSTM` for `nn.LSTM` and `nn.LSTMCell`, `GRU` for `nn.GRU` and
            `nn.GRUCell`, `SimpleRNN` for `nn.RNN` and `nn.RNNCell`, or
            `layer_for("projected", hidden_size, projection=proj_size)` for an `nn.LSTM` with
            `proj_size`. Wrap it in `Bidirectional` if the module is bidirectional, and pass a list
            for `num_layers` above 1. Layers that are not built yet are built.
        path: a safetensors file with the `state_dict()` of the module or of a model around it. If
            PyTorch 2.6 or later is installed, also a `.pt`, `.pth`, `.ckpt` or `.bin` file, or one
            without an ending, which `torch.load(path, weights_only=True)` reads; names of inner
            dicts are joined by ".".
        prefix: the text before `weight_ih_l0` (`weight_ih` for a cell) in the file, such as
            "encoder.lstm.", or "module.lstm." for a model in `DataParallel`.

    Raises:
        ValueError: if the file can't be read safely or lacks a tensor, if it has more layers or
            directions than `layers`, if a shape differs, or if a layer computes something else than
            the module. All layers then stay unchanged.

    Example:
        >>> import lstm_zoo as lz
        >>> layer = lz.LSTM(4)
        >>> layer.build((None, None, 3))
        >>> to_torch(layer, "lstm.safetensors")
        >>> from_torch(lz.LSTM(4), "lstm.safetensors")
    """
    layers = as_list(layers)
    modules = [_module_of(part) for layer in layers for part, _ in _directions(layer, 0)]
    tensors = _read(path)
    of_cell = f"{prefix}weight_ih" in tensors
    if of_cell and (len(layers) > 1 or len(modules) > 1):
        raise ValueError(
            f"layers must be one unidirectional layer for a PyTorch cell ({prefix}weight_ih), "
            f"got {len(modules)}; call from_torch once for each cell, with its prefix"
        )
    one_way = [part for number, layer in enumerate(layers) for part in _directions(layer, number)]
    found = [
        (part, _keras_weights(tensors, f"{prefix}{{}}{'' if of_cell else ending}", module, path))
        for (part, ending), module in zip(one_way, modules)
    ]
    _nothing_is_left(tensors, prefix, {ending for _, ending in one_way})
    set_all([(part, fitted(part, *weights)) for part, weights in found])


def to_torch(
    layers: keras.layers.Layer | Sequence[keras.layers.Layer],
    path: str | pathlib.Path,
    prefix: str = "",
) -> None:
    """Write the weights of recurrent layers for a PyTorch module with `batch_first=True`.

    In PyTorch, `lstm.load_state_dict(safetensors.torch.load_file(path))` loads them into the
    matching `nn.LSTM`, `nn.GRU` or `nn.RNN`.

    Args:
        layers, prefix: as in `from_torch`; the layers must be built.
        path: the safetensors file to write.

    Raises:
        ValueError: if a layer is not built, or if no PyTorch module computes the same.

    Example:
        >>> import lstm_zoo as lz
        >>> layer = lz.LSTM(4)
        >>> layer.build((None, None, 3))
        >>> to_torch(layer, "lstm.safetensors")
    """
    from safetensors.numpy import save_file

    tensors: dict[str, np.ndarray] = {}
    for number, layer in enumerate(as_list(layers)):
        for part, ending in _directions(layer, number):
            module = _module_of(part)
            if not part.built:
                raise ValueError(
                    f"layers must be built, got {part.name!r}, which is not; call it on data first"
                )
            for name, value in _torch_weights(part.cell, module).items():
                tensors[f"{prefix}{name}{ending}"] = np.ascontiguousarray(value)
    with files.replacing(path) as temporary:
        save_file(tensors, temporary)


def _directions(layer, number):
    """The layers for each direction of a layer, with the suffix of their tensors' names."""
    if isinstance(layer, keras.layers.Bidirectional):
        both = layer.forward_layer, layer.backward_layer
        return list(zip(both, (f"_l{number}", f"_l{number}_reverse")))
    return [(layer, f"_l{number}")]


def _module_of(layer):
    """The PyTorch module that computes the same as a layer; raises a `ValueError` without one."""
    cell = getattr(layer, "cell", None)
    gated = {"activation": ["tanh"], "recurrent_activation": ["sigmoid"]}
    if type(cell) in PLAIN or type(cell) is ProjectedLSTMCell:
        activations(layer, "PyTorch's nn.LSTM", **gated)
        return _Module("nn.LSTM", (0, 1, 2, 3), projects=type(cell) is ProjectedLSTMCell)
    if type(cell) in GRU:
        activations(layer, "PyTorch's nn.GRU", **gated)
        if not cell.reset_after:
            raise ValueError(
                f"{layer.name} must have reset_after=True, as in PyTorch's nn.GRU, got False"
            )
        return _Module("nn.GRU", (1, 0, 2))
    if type(cell) in RNN:
        activations(layer, "PyTorch's nn.RNN", activation=["tanh", "relu"])
        return _Module("nn.RNN", (0,))
    raise ValueError(
        "layers must be LSTM layers with the plain cell, GRU layers, SimpleRNN layers "
        f"or Bidirectional of them, got {type(layer).__name__}"
    )


def _read(path):
    """The tensors of a file by name."""
    path = checks.path("path", path)
    if path.suffix in _PICKLES or not path.suffix:
        return _unpickled(path)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if path.suffix != ".safetensors":
        raise ValueError(
            f"path must be a .safetensors file, or a {' or '.join(_PICKLES)} file, got "
            f"{str(path)!r}; {_HOW}"
        )
    try:
        return load_file(path)
    except (SafetensorError, KeyError, TypeError) as problem:
        raise ValueError(
            f"{path} is not a safetensors file that NumPy can read: {problem}"
        ) from None


def _unpickled(path):
    """The tensors of a pickle, which PyTorch reads without running code from it."""
    try:
        import torch
    except ImportError:
        raise ValueError(
            f"{path} is a pickle, which only PyTorch reads safely, and PyTorch is not installed; "
            f"{_HOW}"
        ) from None
    version = tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2])
    if version < _SAFE:
        raise ValueError(
            f"{path} is a pickle, which PyTorch reads safely from version 2.6 on, got "
            f"{torch.__version__}; {_HOW}"
        )
    try:
        tree = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception:  # any, and PyTorch's message advises to run the code in the file
        raise ValueError(
            f"{path} is damaged or holds more than tensors, such as a whole module, whose code is "
            f"never run; {_HOW}"
        ) from None
    if not isinstance(tree, Mapping):
        raise ValueError(f"{path} must hold a state_dict, got {type(tree).__name__}; {_HOW}")
    return {
        name.replace("/", "."): value.detach().to(torch.float32).numpy()
        for name, value in flattened("path", tree).items()
        if torch.is_tensor(value) and value.is_floating_point()
    }


def _keras_weights(tensors, pattern, module, path):
    """The arguments of `fitted` after the layer, from the tensors that match a pattern."""

    def tensor(name, needed=True):
        name = pattern.format(name)
        if needed and name not in tensors:
            raise ValueError(f"{path} has no tensor {name!r}; {_prefixes(tensors)}")
        value = tensors.get(name)  # half precision would round the sum of the biases
        return value if value is None or value.dtype.itemsize > 2 else value.astype("float32")

    projection = tensor("weight_hr", needed=module.projects)
    if projection is not None and not module.projects:
        proj_size, hidden_size = projection.shape
        raise ValueError(
            f"{path} comes from an nn.LSTM with proj_size, so layers must be "
            f'lz.layers.layer_for("projected", {hidden_size}, projection={proj_size})'
        )
    kernel, recurrent_kernel = (module.reordered(tensor(f"weight_{x}")).T for x in ("ih", "hh"))
    bias, more = tensor("bias_ih", needed=False), []
    if bias is not None:
        both = [module.reordered(bias), module.reordered(tensor("bias_hh"))]
        bias = np.stack(both) if module.name == "nn.GRU" else both[0] + both[1]
    if module.projects:  # no peepholes
        more = [np.zeros((3, projection.shape[1]), "float32"), projection.T]
    return kernel, recurrent_kernel, bias, more, len(module.order)


def _torch_weights(cell, module):
    """The tensors of a cell by their names in PyTorch, without the suffix of the layer number."""
    kernel, recurrent_kernel, *more = cell.get_weights()
    width = kernel.shape[1]
    bias = more.pop(0) if cell.use_bias else np.zeros(width, kernel.dtype)
    if module.projects and np.any(more[0]):
        raise ValueError(f"layers must have no peepholes, as PyTorch's {module.name}")
    biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])

    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    values = zip(names, (kernel.T, recurrent_kernel.T, *biases))
    tensors = {name: module.reordered(value) for name, value in values}
    return tensors | ({"weight_hr": more[1].T} if module.projects else {})


_INPUT_WEIGHT = re.compile(r"(.*)weight_ih(_l\d+(?:_reverse)?)?")


def _prefixes(tensors):
    """The possible values of `prefix`, found in a file's tensors."""
    found = sorted({m[1] for m in map(_INPUT_WEIGHT.fullmatch, tensors) if m})
    if found:
        return f"prefix must be one of {', '.join(map(repr, found))}"
    some = ", ".join([*sorted(tensors)[:6], *["..."] * (len(tensors) > 6)])
    return f"it contains no recurrent module, only {some or 'nothing'}"


def _nothing_is_left(tensors, prefix, endings):
    """Refuse to ignore layers or directions of the module in the file."""
    for name in sorted(tensors):
        match = _INPUT_WEIGHT.fullmatch(name)
        if match and match[1] == prefix and match[2] and match[2] not in endings:
            if match[2].removesuffix("_reverse") in endings:
                raise ValueError(
                    f"layers must be keras.layers.Bidirectional, because the file also has {name!r}"
                )
            raise ValueError(f"layers must be as many as in the file, which has {name!r} too")
