"""Haiku: the LSTM has one matrix, whose rows are the input's, then the hidden state's.

The LSTM adds 1 to the forget gate in each step; the file does not contain this 1. In the GRU z
weighs the new candidate, in Keras the old hidden state, so the weights of z change their sign.

Source: https://dm-haiku.readthedocs.io/en/latest/api.html#recurrent.
"""

from lstm_zoo.weights.sources.base import Gates, Source, add, joined, split, summed


def rows(name, matrix, order):
    """By gate, the rows of the input and of the hidden state."""
    blocks = split(name, matrix, order, axis=1)
    units = matrix.shape[1] // len(order)
    if len(matrix) <= units:
        raise ValueError(
            f"{name} must have more than units={units} rows (features + units), got {matrix.shape}"
        )
    kernel = {gate: block[:-units] for gate, block in blocks.items()}
    return kernel, {gate: block[-units:] for gate, block in blocks.items()}


def by_module(arrays):
    """Haiku's dict of dicts: names with "/" as far as the last one, then the array's own."""
    tree: dict = {}
    for name, value in arrays.items():
        module, _, last = name.rpartition("/")
        tree.setdefault(module, {})[last] = value
    return tree


def _read_lstm(arrays):
    bias = split("linear/b", arrays["linear/b"], "igfo")
    bias["f"] = bias["f"] + 1
    return Gates("lstm", *rows("linear/w", arrays["linear/w"], "igfo"), bias, {})


def _write_lstm(gates):
    bias = summed(gates, "haiku.LSTM")
    bias["f"] = bias["f"] - 1
    parts = [joined(part, "igfo", axis=1) for part in (gates.kernel, gates.recurrent)]
    stacked = dict(zip("xh", parts))
    return {"linear/w": joined(stacked, "xh"), "linear/b": joined(bias, "igfo")}


def _turned(blocks):
    return {gate: -block if gate == "z" else block for gate, block in blocks.items()}


def _read_gru(arrays):
    parts = [split(name, arrays[name], "zrn", axis=1) for name in ("w_i", "w_h")]
    bias = split("b", arrays["b"], "zrn")
    return Gates("early_reset_gru", *map(_turned, (*parts, bias)), {})


def _write_gru(gates):
    matrices = zip(("w_i", "w_h"), (gates.kernel, gates.recurrent))
    written = {name: joined(_turned(blocks), "zrn", axis=1) for name, blocks in matrices}
    return written | {"b": joined(_turned(gates.bias), "zrn")}


for _name, _kind, _names, _reads, _writes in [
    ("haiku.LSTM", "lstm", ("linear/w", "linear/b"), _read_lstm, _write_lstm),
    ("haiku.GRU", "early_reset_gru", ("w_i", "w_h", "b"), _read_gru, _write_gru),
]:
    add(Source(_name, (_kind,), _names, _reads, _writes, form=by_module))
