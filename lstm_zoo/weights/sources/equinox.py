"""Equinox: the matrices are transposed, `(gates * units, inputs)`.

Source: https://docs.kidger.site/equinox/api/nn/rnn/.
"""

import numpy as np

from lstm_zoo.weights.sources.base import Gates, Source, add, joined, split, summed, transposed

_MATRICES = ("weight_ih", "weight_hh")


def _matrices(arrays, order):
    return [transposed(split(name, arrays[name], order)) for name in _MATRICES]


def _written(gates, order):
    blocks = zip(_MATRICES, (gates.kernel, gates.recurrent))
    return {name: joined(transposed(block), order) for name, block in blocks}


def _read_lstm(arrays):
    bias = split("bias", arrays["bias"], "ifgo") if "bias" in arrays else {}
    return Gates("lstm", *_matrices(arrays, "ifgo"), bias, {})


def _write_lstm(gates):
    return _written(gates, "ifgo") | {"bias": joined(summed(gates, "equinox"), "ifgo")}


def _read_gru(arrays):
    matrices = _matrices(arrays, "rzn")
    if "bias" not in arrays:
        return Gates("gru", *matrices, {}, {})
    zeros = np.zeros_like(arrays["bias_n"])
    recurrent = {"z": zeros, "r": zeros, "n": arrays["bias_n"]}
    return Gates("gru", *matrices, split("bias", arrays["bias"], "rzn"), recurrent)


def _write_gru(gates):
    extra = gates.recurrent_bias
    bias = {g: b if g == "n" else b + extra[g] for g, b in gates.bias.items()}
    return _written(gates, "rzn") | {"bias": joined(bias, "rzn"), "bias_n": extra["n"]}


add(Source("equinox.nn.LSTMCell", ("lstm",), _MATRICES, _read_lstm, _write_lstm, (("bias",),)))
add(Source("equinox.nn.GRUCell", ("gru",), _MATRICES, _read_gru, _write_gru, (("bias", "bias_n"),)))
