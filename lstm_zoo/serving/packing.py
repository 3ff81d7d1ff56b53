"""Weights in the order in which the C code reads them.

Columns stand in panels of four vectors of the processor, `(panels, lines, 4 * width)`, with zeros
where the columns do not fill the last one. `recurrent.h` says what the columns of a cell are.
"""

import numpy as np


def panels(kernel, width):
    """`(lines, columns)` in panels; one vector wide where all columns fit in it."""
    lines, columns = kernel.shape
    wide = width if columns <= width else 4 * width
    count = -(-columns // wide)
    padded = np.zeros((lines, count * wide), "float32")
    padded[:, :columns] = kernel
    return padded.reshape(lines, count, wide).transpose(1, 0, 2)


def by_gate(kernel, gates, width):
    """`(lines, gates * units)` in panels that hold four gates of `width` units each."""
    lines, units = kernel.shape[0], kernel.shape[1] // gates
    count = -(-units // width)
    padded = np.zeros((lines, 4, count * width), "float32")
    padded[:, :gates, :units] = kernel.reshape(lines, gates, units)
    return padded.reshape(lines, 4, count, width).transpose(2, 0, 1, 3)


def dense(weights, step, width):
    """Of a kernel, whose axes but the last are lines, and its bias; and what follows them."""
    kernel, bias, *others = weights
    kernel = kernel.reshape(-1, kernel.shape[-1])
    return [panels(kernel, width), panels(bias[None], width), *others]


def recurrent(weights, step, width):
    """Of a cell: kernel, recurrent kernel, bias, and peepholes."""
    kind, *options = step.options
    kernel, recurrent_kernel, *others = CELLS[kind](weights, width)
    if len(options) > _HALF and options[_HALF] and kind != _NO_HALF:
        kernel, recurrent_kernel = halves(kernel), halves(recurrent_kernel)
    return [kernel, recurrent_kernel, *others]


_HALF, _NO_HALF = 7, 3  # the option behind the kind, and the kind that has none, in `recurrent.h`


def halves(packed):
    """Panels whose numbers are bfloat16: two vectors share the bits of one."""
    lines = packed.reshape(*packed.shape[:2], 4, -1).view("uint32")
    low, high = lines[:, :, 0::2], lines[:, :, 1::2]
    return (low >> 16 | high & np.uint32(0xFFFF0000)).view("float32")


def rounded(weight):
    """float32 numbers rounded to bfloat16, to even at a tie."""
    bits = np.ascontiguousarray(weight, "float32").view("uint32")
    bits = bits + np.uint32(0x7FFF) + (bits >> 16 & np.uint32(1))
    return (bits & np.uint32(0xFFFF0000)).view("float32")


def _lstm(weights, width):
    kernel, recurrent_kernel, bias, *peepholes = weights
    return [by_gate(one, 4, width) for one in (kernel, recurrent_kernel, bias[None])] + peepholes


def _gru(weights, width):
    """Update, reset, and the candidate's two parts; the bias is `(2, 3 * units)`."""
    kernel, recurrent_kernel, bias = weights
    z, r, h = np.split(recurrent_kernel, 3, axis=1)
    recurrent_kernel = np.concatenate([z, r, np.zeros_like(h), h], axis=1)
    of_input, of_state = np.split(bias, 2)
    z, r, h = np.split(of_input, 3, axis=1)
    z_state, r_state, h_state = np.split(of_state, 3, axis=1)
    bias = np.concatenate([z + z_state, r + r_state, h, h_state], axis=1)
    return [
        by_gate(kernel, 3, width),
        by_gate(recurrent_kernel, 4, width),
        by_gate(bias, 4, width),
    ]


def _simple(weights, width):
    kernel, recurrent_kernel, bias = weights

    def whole(one):  # four vectors to a panel, also where one would do
        columns = one.shape[1]
        return panels(np.pad(one, [(0, 0), (0, max(0, width + 1 - columns))]), width)

    return [whole(kernel), whole(recurrent_kernel), whole(bias[None])]


def _reset_before(weights, width):
    """Of the input; of update and reset; of the candidate; and a bias of zeros for these two."""
    kernel, recurrent_kernel, bias = weights
    units = kernel.shape[1] // 3
    of_gates, of_candidate = np.split(recurrent_kernel, [2 * units], axis=1)
    several = (kernel, bias[None], of_gates, of_candidate, np.zeros((1, 2 * units)))
    return [panels(one, width) for one in several]


CELLS = (_lstm, _gru, _simple, _reset_before)  # by the number of the kind in `recurrent.h`
PACKED = {
    "dense": dense,
    "convolution": dense,
    "attention": dense,
    "attention_step": dense,
    "recurrent": recurrent,
}
