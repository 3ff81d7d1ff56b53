"""The sLSTM of the package xlstm: block-diagonal by head, without its convolution.

The package feeds the layer named `fgate` to the input gate and the one named `igate` to the forget
gate. Its two backends store the recurrent kernel and the bias in different orders; the shape of the
recurrent kernel says which one wrote it.

Source: xlstm 2.0.6, `xlstm/blocks/slstm/layer.py` and `cell.py`.
"""

import numpy as np

from lstm_zoo import checks
from lstm_zoo.weights.sources.base import Gates, Source, add

_LAYERS = {"i": "fgate", "f": "igate", "g": "zgate", "o": "ogate"}
_KERNELS = {gate: f"{layer}.weight" for gate, layer in _LAYERS.items()}
_RECURRENT, _BIAS = "slstm_cell._recurrent_kernel_", "slstm_cell._bias_"


def _diagonal(blocks):
    """The matrix `(heads * inputs, heads * outputs)` of blocks `(heads, inputs, outputs)`."""
    heads, inputs, outputs = blocks.shape
    whole = np.zeros((heads, inputs, heads, outputs), blocks.dtype)
    for head, block in enumerate(blocks):
        whole[head, :, head] = block
    return whole.reshape(heads * inputs, heads * outputs)


def _read(arrays):
    recurrent = checks.array(_RECURRENT, arrays[_RECURRENT], 3)
    heads, size = len(recurrent), min(recurrent.shape[1:])
    shapes = {"vanilla": (heads, 4 * size, size), "cuda": (heads, size, 4 * size)}
    backend = {shape: name for name, shape in shapes.items()}.get(recurrent.shape)
    if backend is None:
        raise ValueError(
            f"{_RECURRENT} must be (heads, 4 * size, size) or (heads, size, 4 * size), got "
            f"{recurrent.shape}"
        )
    bias = np.ravel(arrays[_BIAS])
    if bias.size != 4 * heads * size:
        raise ValueError(f"{_BIAS} must have {4 * heads * size} numbers, got {bias.size}")
    if backend == "vanilla":
        by_gate = recurrent.reshape(heads, 4, size, size).transpose(1, 0, 3, 2)
        bias = bias.reshape(4, heads * size)
    else:
        by_gate = recurrent.reshape(heads, size, 4, size).transpose(2, 0, 1, 3)
        bias = bias.reshape(heads, 4, size).swapaxes(0, 1).reshape(4, -1)
    for name in _KERNELS.values():
        if arrays[name].shape != (heads, size, size):
            raise ValueError(f"{name} must be {(heads, size, size)}, got {arrays[name].shape}")
    return Gates(
        "slstm",
        {gate: _diagonal(arrays[name].swapaxes(1, 2)) for gate, name in _KERNELS.items()},
        {gate: _diagonal(blocks) for gate, blocks in zip("ifgo", by_gate)},
        dict(zip("ifgo", bias)),
        {},
    )


add(
    Source(
        "xlstm.sLSTMLayer",
        ("slstm",),
        (_RECURRENT, _BIAS, *_KERNELS.values()),
        _read,
        refused={"conv1d.conv.weight": "the layer convolves its input first"},
    )
)
