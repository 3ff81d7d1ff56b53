"""Modules that name and order their weights as PyTorch does: two transposed matrices, two biases.

Sources: Paddle's `python/paddle/nn/layer/rnn.py`, MXNet's `python/mxnet/gluon/rnn/rnn_layer.py`.
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

ORDERS = {"lstm": "ifgo", "gru": "rzn", "rnn": "n"}


def add_two_biased(name, kind, names, place=None, projection=None):
    """Enter a class with the arrays `names` (W, U, their biases) and maybe a projection.

    `projection` is the name of a matrix `(units, projection)`; a module that has it is projected.
    """
    w, u, b, rb = names
    order = ORDERS[kind]

    def read(arrays):
        matrices = [transposed(split(k, arrays[k], order)) for k in (w, u)]
        biases = [split(k, arrays[k], order) if k in arrays else {} for k in (b, rb)]
        if projection not in arrays:
            return Gates(kind, *matrices, *biases)
        return Gates("projected", *matrices, *biases, (arrays[projection],))

    def write(gates):
        rest = gates.recurrent_bias or zeros_like(gates.bias)
        arrays = {w: transposed(gates.kernel), u: transposed(gates.recurrent)}
        written = {k: joined(v, order) for k, v in {**arrays, b: gates.bias, rb: rest}.items()}
        return written | dict(zip([projection], gates.more))

    kinds = (kind, "projected") if projection else (kind,)
    optional = ((b, rb), (projection,)) if projection else ((b, rb),)
    add(Source(name, kinds, (w, u), read, write, optional, place=place))
