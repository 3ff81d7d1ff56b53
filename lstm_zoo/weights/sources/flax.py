"""Flax: `nnx` and `linen`. The kernels are as in Keras, `(inputs, units)`.

Source: https://flax.readthedocs.io/en/latest/api_reference/flax.nnx/nn/recurrent.html.
"""

from lstm_zoo.weights.sources.base import Gates, Source, add, joined, split, summed


def nested(arrays):
    """A tree of dicts from names with "/"."""
    tree: dict = {}
    for name, value in arrays.items():
        *folders, last = name.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return tree


def _add_fused(name, kind, order, bias, apart=""):
    """`dense_i` and `dense_h` with all gates in one kernel, and one bias."""
    kernels = ("dense_i/kernel", "dense_h/kernel")

    def read(arrays):
        kernel, recurrent = (split(k, arrays[k], order, axis=1) for k in kernels)
        return Gates(kind, kernel, recurrent, split(bias, arrays[bias], order), {})

    def write(gates):
        blocks = zip(kernels, (gates.kernel, gates.recurrent))
        written = {name: joined(block, order, axis=1) for name, block in blocks}
        return {**written, bias: joined(summed(gates, name, apart), order)}

    add(Source(name, (kind,), (*kernels, bias), read, write, form=nested))


def _add_by_gate(name, kind, dense, biases, recurrent_biases=()):
    """A Dense layer for each gate and product.

    `dense` has by gate the names of the Dense layers of the input and of the hidden state; `biases`
    and `recurrent_biases` have by gate the name of the Dense layer with the bias.
    """
    biases, recurrent_biases = dict(biases), dict(recurrent_biases)
    kernels = [{gate: f"{both[k]}/kernel" for gate, both in dense.items()} for k in (0, 1)]
    one, two = ({g: f"{d}/bias" for g, d in found.items()} for found in (biases, recurrent_biases))

    def read(arrays):
        parts = [{g: arrays[n] for g, n in names.items()} for names in (*kernels, one, two)]
        if two:  # zeros for the gates without
            some = parts[3]["n"]
            parts[3] = {gate: parts[3].get(gate, some * 0) for gate in dense}
        return Gates(kind, *parts)

    def write(gates):
        bias, rest = gates.bias, gates.recurrent_bias
        if two:
            bias = {g: b if g in two else b + rest[g] for g, b in bias.items()}
        parts = zip((*kernels, one, two), (gates.kernel, gates.recurrent, bias, rest))
        return {name: values[gate] for names, values in parts for gate, name in names.items()}

    names = tuple(n for found in (*kernels, one, two) for n in found.values())
    add(Source(name, (kind,), names, read, write, form=nested))


def _lstm(forget):
    return {"i": ("ii", "hi"), "f": (forget, "hf"), "g": ("ig", "hg"), "o": ("io", "ho")}


_OF_LSTM = {gate: f"h{gate}" for gate in "ifgo"}
_add_fused("nnx.OptimizedLSTMCell", "lstm", "ifgo", "dense_h/bias")
_add_fused("nnx.GRUCell", "gru", "rzn", "dense_i/bias", apart="n")
_add_by_gate("nnx.LSTMCell", "lstm", _lstm("if_"), _OF_LSTM)
_add_by_gate("linen.LSTMCell", "lstm", _lstm("if"), _OF_LSTM)
_add_by_gate("linen.OptimizedLSTMCell", "lstm", _lstm("if"), _OF_LSTM)
_add_by_gate(
    "linen.GRUCell",
    "gru",
    {gate: (f"i{gate}", f"h{gate}") for gate in "zrn"},
    {gate: f"i{gate}" for gate in "zrn"},
    {"n": "hn"},
)
