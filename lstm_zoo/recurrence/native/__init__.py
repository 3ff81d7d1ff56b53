"""The plain LSTM on a CPU as two operations of TensorFlow, in C: nothing has to be compiled first.

`lstm.c` has the operations, `kernel.inc` the loops. The library is built when the package is
installed, where there is a C compiler; where it is missing or can't be loaded, the compiled
recurrence serves. A file of a model never needs it.
"""

import ctypes
import pathlib
from typing import Any, NamedTuple

from lstm_zoo.backend import tf
from lstm_zoo.recurrence.bptt import Passed

LIBRARY = pathlib.Path(__file__).with_name("lstm.op.so")  # a name that no module can have


def _load():
    """The operations, or None and why there are none."""
    if tf is None:
        return None, "the Keras backend is not tensorflow"
    if not LIBRARY.exists():
        return None, "it was not built; install the package again where there is a C compiler"
    try:
        return tf.load_op_library(str(LIBRARY)), None
    except (tf.errors.OpError, OSError) as problem:
        return None, f"its library can't be loaded: {problem}"


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
    c_before: Any


def forward(kind, plan, rows, shared, kept=()):
    """As `bptt.forward`, for the plain LSTM with its usual activations, in float32."""
    weights, (h, c), mask = shared.weights, rows.states, _mask(rows)
    y, h, c, *every = OPS.lstm_zoo_forward(
        rows.x,
        weights.kernel,
        weights.recurrent_kernel,
        _bias(weights),
        h,
        c,
        mask,
        keep=plan.training,
        outputs=plan.outputs,
    )
    h, c = _like(h, rows.states[0]), _like(c, rows.states[1])
    y = tf.ensure_shape(y, (*rows.x.shape[:2], h.shape[1])) if plan.outputs else h[:, None, :0]
    return Passed((y, [h, c]), [], [Kept(*every)] if plan.training else [()])


def backward(kind, plan, rows, shared, kept):
    """As `bptt.backward`, the products over all steps at once left to TensorFlow."""
    rows, (dy, (dh, dc)) = rows
    weights, [kept] = shared.weights, kept
    if not kept:
        again = plan._replace(training=True, outputs=False)
        [kept] = forward(kind, again, rows, shared).kept
    if not plan.outputs:
        dy = dh[:, None][:, :0]
    dz, dh, dc = OPS.lstm_zoo_backward(
        weights.recurrent_kernel, kept.gates, kept.c_before, dy, dh, dc, _mask(rows)
    )
    flat = tf.reshape(dz, (-1, weights.kernel.shape[1]))
    dx = tf.reshape(tf.matmul(flat, weights.kernel, transpose_b=True), tf.shape(rows.x))
    sums = [_product(kept.h_before, flat), _product(rows.x, flat)]
    if weights.bias is not None:
        sums.append(tf.reduce_sum(flat, axis=0))
    return Passed((dx, [_like(dh, rows.states[0]), _like(dc, rows.states[1])]), sums, ())


def _mask(rows):
    return tf.zeros((0, 0), tf.bool) if rows.mask is None else rows.mask[..., 0]


def _bias(weights):
    return tf.zeros(weights.kernel.shape[1]) if weights.bias is None else weights.bias


def _product(a, flat):
    return tf.matmul(tf.reshape(a, (-1, a.shape[-1] or tf.shape(a)[-1])), flat, transpose_a=True)


def _like(a, other):
    return tf.ensure_shape(a, other.shape)
