"""Chainer's links: `LSTM` with rows interleaved by unit, `NStepLSTM` and `NStepGRU` by number.

Source: https://docs.chainer.org/en/stable/reference/links.html; the gates of `LSTM` are split in
`chainer/functions/rnn/lstm.py`.
"""

from lstm_zoo.weights.sources.base import (
    Gates,
    Source,
    add,
    joined,
    split,
    transposed,
    zeros_like,
)
from lstm_zoo.weights.sources.base import summed as _summed


def _by_unit(name, array):
    """Rows 4 * unit + gate, for the gates g, i, f, o."""
    rows = split(name, array, "gifo")  # checks the size only
    return {gate: array[k::4] for k, gate in enumerate(rows)}


def _interleaved(blocks):
    whole = joined(blocks, "gifo")
    units = len(whole) // 4
    return whole.reshape(4, units, *whole.shape[1:]).swapaxes(0, 1).reshape(whole.shape)


def _read_lstm(arrays):
    upward, lateral = (f"{name}/W" for name in ("upward", "lateral"))
    matrices = [transposed(_by_unit(name, arrays[name])) for name in (upward, lateral)]
    return Gates("lstm", *matrices, _by_unit("upward/b", arrays["upward/b"]), {})


def _write_lstm(gates):
    blocks = {
        "upward/W": transposed(gates.kernel),
        "lateral/W": transposed(gates.recurrent),
        "upward/b": _summed(gates, "chainer"),
    }
    return {name: _interleaved(block) for name, block in blocks.items()}


def _place(layer, backward, bidirectional):
    return str(2 * layer + backward if bidirectional else layer)


def _add_numbered(name, kind, order):
    """A matrix and a bias for each gate, numbered: those of the input, then of the hidden state."""
    count = len(order)
    matrices = [{g: f"{{}}/w{k + n}" for k, g in enumerate(order)} for n in (0, count)]
    biases = [{g: f"{{}}/b{k + n}" for k, g in enumerate(order)} for n in (0, count)]

    def read(arrays):
        parts = [{g: arrays[n] for g, n in names.items()} for names in (*matrices, *biases)]
        return Gates(kind, *map(transposed, parts))

    def write(gates):
        rest = gates.recurrent_bias or zeros_like(gates.bias)
        parts = map(transposed, (gates.kernel, gates.recurrent, gates.bias, rest))
        return {
            name: values[gate]
            for names, values in zip((*matrices, *biases), parts)
            for gate, name in names.items()
        }

    names = tuple(n for found in (*matrices, *biases) for n in found.values())
    add(Source(name, (kind,), names, read, write, place=_place))


add(
    Source(
        "chainer.links.LSTM",
        ("lstm",),
        ("upward/W", "upward/b", "lateral/W"),
        _read_lstm,
        _write_lstm,
    )
)
_add_numbered("chainer.links.NStepLSTM", "lstm", "ifgo")
_add_numbered("chainer.links.NStepGRU", "gru", "rzn")
