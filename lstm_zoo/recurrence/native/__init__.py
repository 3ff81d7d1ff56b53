"""The LSTM, the GRU and the SimpleRNN on a CPU as operations of TensorFlow, in C.

Nothing has to be compiled first. `lstm.h` says what each file of the C code is for. The operations
know the cells in `cells.py`, with tanh or relu, and separate dropout of each gate. The library is
built when the package is installed, where there is a C compiler; where it is missing or can't be
loaded, the compiled recurrence serves. A file of a model never needs it.
"""

import ctypes
import pathlib
from typing import Any, NamedTuple

import keras

from lstm_zoo.backend import tf
from lstm_zoo.recurrence.bound_cell import product
from lstm_zoo.recurrence.bptt import PassResult
from lstm_zoo.recurrence.native.cells import FORMS

LIBRARY = pathlib.Path(__file__).with_name("lstm.op.so")  # a name that no module can have
INTERFACE = 4  # that of `operations.c`; a library that an older version left behind has another


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


class Kept(NamedTuple):
    """What the backward pass needs of every step, each `(batch, timesteps, ...)`."""

    gates: Any
    h_before: Any
    c_before: Any  # of a GRU with reset_after=False, the hidden state after the reset gate
    c_last: Any = ()  # (batch, units), or nothing where the gates do not see it


def forward(cells, plan, batch, shared, kept=()):
    """As `bptt.forward`, for a cell that `cells.knows` and in float32."""
    passes = _lstm_forward if FORMS[type(cells.cell)].lstm else _gru_forward
    return passes(cells.cell, plan, batch, shared.weights)


def backward(cells, plan, batch_and_gradients, shared, kept):
    """As `bptt.backward`; `dx` is made only where someone asks for it."""
    batch, (dy, ds) = batch_and_gradients
    [kept] = kept
    if not kept:
        again = plan._replace(training=True, outputs=False)
        [kept] = forward(cells, again, batch, shared).kept
    if not plan.outputs:
        dy = ds[0][:, None][:, :0]
    passes = _lstm_backward if FORMS[type(cells.cell)].lstm else _gru_backward
    return passes(cells.cell, batch, dy, ds, shared.weights, kept)


def _lstm_forward(cell, plan, batch, weights):
    (h, c), form = batch.states, FORMS[type(cell)]
    x_drop, h_drop = _drop(form, batch)
    y, h, c, *every = OPS.lstm_zoo_forward(
        batch.x,
        form.gates_of(cell, weights.kernel),
        form.gates_of(cell, weights.recurrent_kernel),
        tf.zeros(4 * cell.units) if weights.bias is None else form.gates_of(cell, weights.bias),
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


def _lstm_backward(cell, batch, dy, ds, weights, kept):
    (dh, dc), form = ds, FORMS[type(cell)]
    x_drop, h_drop = _drop(form, batch)
    dz, dh, dc, *sums = OPS.lstm_zoo_backward(
        batch.x,
        form.gates_of(cell, weights.recurrent_kernel),
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
    dz, dkernel, drecurrent, dbias = (form.gradient_of(cell, d) for d in (dz, *sums))
    dx = _input_gradient(batch, weights, dz)
    sums = [_like(drecurrent, weights.recurrent_kernel), _like(dkernel, weights.kernel)]
    if weights.bias is not None:
        sums.append(_like(dbias, weights.bias))
    states = [_like(dh, batch.states[0]), _like(dc, batch.states[1])]
    return PassResult((dx, states), [*sums, *dextras], ())


def _gru_forward(cell, plan, batch, weights):
    [h], form = batch.states, FORMS[type(cell)]
    kernel, recurrent, bias = form.weights(cell, weights)
    y, h, *every = OPS.lstm_zoo_gru_forward(
        batch.x,
        kernel,
        recurrent,
        bias,
        h,
        _mask(batch),
        *_drop(form, batch),
        keep=plan.training,
        outputs=plan.outputs,
        relu=cell.activation is keras.activations.relu,
        **form.options(cell),
    )
    h = _like(h, batch.states[0])
    y = tf.ensure_shape(y, (*batch.x.shape[:2], h.shape[1])) if plan.outputs else h[:, None, :0]
    return PassResult((y, [h]), [], [Kept(*every)] if plan.training else [()])


def _gru_backward(cell, batch, dy, ds, weights, kept):
    form = FORMS[type(cell)]
    _, recurrent, _ = form.weights(cell, weights)
    dz, dh, *sums = OPS.lstm_zoo_gru_backward(
        batch.x,
        recurrent,
        kept.h_before,
        kept.gates,
        kept.c_before,
        dy,
        *ds,
        _mask(batch),
        *_drop(form, batch),
        relu=cell.activation is keras.activations.relu,
        **form.options(cell),
    )
    dz = tf.ensure_shape(dz, (None, None, form.blocks(cell) * cell.units))
    dz = form.gradient_of_input(cell, dz)
    sums = form.gradients(cell, weights, *sums)
    given = [w for w in tf.nest.flatten(weights) if w is not None]
    sums = [_like(d, w) for d, w in zip(sums, given, strict=True)]
    dx = _input_gradient(batch, weights, dz)
    return PassResult((dx, [_like(dh, batch.states[0])]), sums, ())


def _input_gradient(batch, weights, dz):
    x_drop = None if batch.drop is None or batch.drop.x is None else batch.drop.x[:, :, None]
    return product(dz, tf.transpose(weights.kernel), x_drop, back=True)


def _drop(form, batch):
    """Factors to the input and to the hidden state, `(batch, gates, ...)`, or nothing in them."""
    h, x = (
        tf.zeros((0, 0, 0)) if masks is None else form.dropout_of(masks)
        for masks in batch.drop or (None, None)
    )
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
