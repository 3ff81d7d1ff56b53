"""The LSTM on a CPU as two operations of TensorFlow, in C: nothing has to be compiled first.

`lstm.h` says what each file of the C code is for. The operations know the plain cell, the one with
peepholes and the coupled one, with tanh or relu, and dropout of each gate's own. The library is
built when the package is installed, where there is a C compiler; where it is missing or can't be
loaded, the compiled recurrence serves. A file of a model never needs it.
"""

import ctypes
import pathlib
from typing import Any, NamedTuple

import keras

from lstm_zoo.backend import tf
from lstm_zoo.cells import CoupledLSTMCell, LSTMCell, PeepholeLSTMCell
from lstm_zoo.recurrence.bound_cell import product
from lstm_zoo.recurrence.bptt import PassResult

CELLS = (LSTMCell, PeepholeLSTMCell, CoupledLSTMCell)  # the classes that the operations know
LIBRARY = pathlib.Path(__file__).with_name("lstm.op.so")  # a name that no module can have
INTERFACE = 3  # that of `operations.c`; a library that an older version left behind has another


def _load():
    """The operations, or None and why there are none."""
    if tf is None:
        return None, "the Keras backend is not tensorflow"
    if not LIBRARY.exists():
        return None, "it was not built; install the package again where there is a C compiler"
    try:
        ops = tf.load_op_library(str(LIBRARY))
        interface = ctypes.c_int.in_dll(ctypes.CDLL(str(LIBRARY)), "lstm_zoo_interface").value
    except (tf.errors.OpError, OSError) as problem:
        return None, f"its library can't be loaded: {problem}"
    except ValueError:
        interface = None
    if interface != INTERFACE:
        return None, "it was not built for this version; install the package again"
    return ops, None


OPS, WHY_NOT = _load()


def simd() -> str:
    """The instructions that the kernels use here: "avx512", "avx2" or "plain"."""
    name = ctypes.CDLL(str(LIBRARY)).lstm_zoo_simd
    name.restype = ctypes.c_char_p
    return name().decode()


def knows(cell) -> bool:
    """Whether the operations compute what a cell computes."""
    return (
        type(cell) in CELLS
        and cell.activation in (keras.activations.tanh, keras.activations.relu)
        and cell.recurrent_activation is keras.activations.sigmoid
    )


class Kept(NamedTuple):
    """What the backward pass needs of every step, each `(batch, timesteps, ...)`."""

    gates: Any
    h_before: Any
    c_before: Any
    c_last: Any  # (batch, units), or nothing where the gates do not see it


def forward(cells, plan, batch, shared, kept=()):
    """As `bptt.forward`, for a cell that `knows` and in float32."""
    weights, (h, c), cell = shared.weights, batch.states, cells.cell
    x_drop, h_drop = _drop(cell, batch)
    y, h, c, *every = OPS.lstm_zoo_forward(
        batch.x,
        _four_gates(cell, weights.kernel),
        _four_gates(cell, weights.recurrent_kernel),
        tf.zeros(4 * cell.units) if weights.bias is None else _four_gates(cell, weights.bias),
        h,
        c,
        _mask(batch),
        x_drop,
        h_drop,
        _peepholes(weights),
        keep=plan.training,
        outputs=plan.outputs,
        relu=cell.activation is keras.activations.relu,
    )
    h, c = _like(h, batch.states[0]), _like(c, batch.states[1])
    y = tf.ensure_shape(y, (*batch.x.shape[:2], h.shape[1])) if plan.outputs else h[:, None, :0]
    every.append(c if weights.extras else ())
    return PassResult((y, [h, c]), [], [Kept(*every)] if plan.training else [()])


def backward(cells, plan, batch_and_gradients, shared, kept):
    """As `bptt.backward`; `dx` is made only where someone asks for it."""
    batch, (dy, (dh, dc)) = batch_and_gradients
    weights, cell, [kept] = shared.weights, cells.cell, kept
    if not kept:
        again = plan._replace(training=True, outputs=False)
        [kept] = forward(cells, again, batch, shared).kept
    if not plan.outputs:
        dy = dh[:, None][:, :0]
    x_drop, h_drop = _drop(cell, batch)
    dz, dh, dc, *sums = OPS.lstm_zoo_backward(
        batch.x,
        _four_gates(cell, weights.recurrent_kernel),
        kept.h_before,
        kept.gates,
        kept.c_before,
        dy,
        dh,
        dc,
        _mask(batch),
        x_drop,
        h_drop,
        _peepholes(weights),
        relu=cell.activation is keras.activations.relu,
    )
    dz = tf.ensure_shape(dz, (None, None, 4 * cell.units))
    dextras = [_peephole_gradient(kept, dz)] if weights.extras else []
    dz, dkernel, drecurrent, dbias = (_of_the_gates(cell, d) for d in (dz, *sums))
    x_drop = None if batch.drop is None or batch.drop.x is None else batch.drop.x[:, :, None]
    dx = product(dz, tf.transpose(weights.kernel), x_drop, back=True)
    sums = [_like(drecurrent, weights.recurrent_kernel), _like(dkernel, weights.kernel)]
    if weights.bias is not None:
        sums.append(_like(dbias, weights.bias))
    states = [_like(dh, batch.states[0]), _like(dc, batch.states[1])]
    return PassResult((dx, states), [*sums, *dextras], ())


def _four_gates(cell, weight):
    """The coupled cell's input gate is `1 - sigmoid(z) = sigmoid(-z)` of the forget gate's z."""
    if type(cell) is not CoupledLSTMCell:
        return weight
    return tf.concat([-weight[..., : cell.units], weight], axis=-1)


def _of_the_gates(cell, gradient):
    """What `_four_gates` makes of weights, back: to the gates that the cell has."""
    if type(cell) is not CoupledLSTMCell:
        return gradient
    i, f, g, o = tf.split(gradient, 4, axis=-1)
    return tf.concat([f - i, g, o], axis=-1)


def _drop(cell, batch):
    """Factors to the input and to the hidden state, `(batch, 4, ...)`, or nothing in them."""
    h, x = (tf.zeros((0, 0, 0)) if m is None else m for m in batch.drop or (None, None))
    if type(cell) is CoupledLSTMCell:  # a gate and what is made of it see the same
        h, x = (tf.gather(m, (0, 0, 1, 2), axis=1) if m.shape[1] else m for m in (h, x))
    return x, h


def _mask(batch):
    return tf.zeros((0, 0), tf.bool) if batch.mask is None else batch.mask[..., 0]


def _peepholes(weights):
    return weights.extras[0] if weights.extras else tf.zeros((0, 0))


def _peephole_gradient(kept, dz):
    """`(3, units)`: input and forget gate see the cell state before a step, the output gate after.

    At a masked step, where the state after is another, dz is zero.
    """
    after = tf.concat([kept.c_before[:, 1:], kept.c_last[:, None]], axis=1)
    i, f, _, o = tf.split(dz, 4, axis=-1)
    seen = ((i, kept.c_before), (f, kept.c_before), (o, after))
    return tf.stack([tf.reduce_sum(d * c, axis=(0, 1)) for d, c in seen])


def _like(a, other):
    return tf.ensure_shape(a, other.shape)
