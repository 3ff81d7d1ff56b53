"""TensorFlow's operations `BlockLSTM` and `BlockLSTMV2`: their inputs and attributes by name.

Source: https://www.tensorflow.org/api_docs/python/tf/raw_ops/BlockLSTM.
"""

import numpy as np

from lstm_zoo import checks
from lstm_zoo.weights.sources.base import Gates, Source, add, joined, split, summed
from lstm_zoo.weights.sources.haiku import rows

_PEEPHOLES = ("wci", "wcf", "wco")
_ATTRIBUTES = ("forget_bias", "cell_clip", "use_peephole")


def _number(arrays, name, default):
    return checks.number(name, np.ravel(arrays[name])[0].item() if name in arrays else default)


def _read(order, name, forget_bias, cell_clip):
    def read(arrays):
        clip = _number(arrays, "cell_clip", cell_clip)
        if clip > 0:
            raise ValueError(
                f"arrays must have a cell_clip of at most 0, because no layer clips the cell state "
                f"as {name} does, got {clip}"
                + ("" if "cell_clip" in arrays else ", the operation's default")
            )
        bias = split("b", arrays["b"], order)
        bias["f"] = bias["f"] + _number(arrays, "forget_bias", forget_bias)
        kernel, recurrent = rows("w", arrays["w"], order)
        if not _number(arrays, "use_peephole", 0):
            return Gates("lstm", kernel, recurrent, bias, {})
        if "wci" not in arrays:
            raise ValueError("arrays must have wci, wcf and wco with use_peephole=True")
        for one in _PEEPHOLES:
            checks.shape(one, arrays[one].shape, bias["i"].shape)
        peepholes = np.stack([arrays[one] for one in _PEEPHOLES])
        return Gates("peephole", kernel, recurrent, bias, {}, (peepholes,))

    return read


def _write(order, name, attributes):
    def write(gates):
        w = [joined(part, order, axis=1) for part in (gates.kernel, gates.recurrent)]
        arrays = {"w": np.concatenate(w), "b": joined(summed(gates, name), order)}
        for peepholes in gates.more:
            arrays |= {**dict(zip(_PEEPHOLES, peepholes)), "use_peephole": np.asarray(True)}
        return arrays | {one: np.float32(value) for one, value in attributes.items()}

    return write


for _version, _order, _bias, _clip, _given in [
    ("", "igfo", 1.0, 3.0, {"forget_bias": 0.0, "cell_clip": -1.0}),
    ("V2", "ifgo", 0.0, 0.0, {"cell_clip": 0.0}),
]:
    _name = f"tf.raw_ops.BlockLSTM{_version}"
    add(
        Source(
            _name,
            ("lstm", "peephole"),
            ("w", "b"),
            _read(_order, _name, _bias, _clip),
            _write(_order, _name, _given),
            (_PEEPHOLES, *((one,) for one in _ATTRIBUTES)),
        )
    )
