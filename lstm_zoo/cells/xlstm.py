"""The two cells of the xLSTM, with exponential gates stabilised by a running maximum."""

import math

from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.registry import register


@register("slstm")
class SLSTMCell(Cell):
    r"""An LSTM with an exponential input gate and a normaliser (Beck et al. 2024), sLSTM.

    With the pre-activations :math:`\tilde i_t, \tilde f_t` of the gates,

    .. math::
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g)  &&\text{candidate} \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o)  &&\text{output gate} \\
        m_t &= \max(\log\sigma(\tilde f_t) + m_{t-1}, \tilde i_t)  &&\text{stabiliser} \\
        i_t &= \exp(\tilde i_t - m_t)               &&\text{input gate} \\
        f_t &= \exp(\log\sigma(\tilde f_t) + m_{t-1} - m_t)  &&\text{forget gate} \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t    &&\text{cell state} \\
        n_t &= f_t \odot n_{t-1} + i_t              &&\text{normaliser} \\
        h_t &= o_t \odot c_t / n_t                  &&\text{hidden state}

    :math:`m_t` cancels out of :math:`h_t`; at the first step, where :math:`n_0 = 0`, it is
    :math:`\tilde i_1`. Kernels are in the order i, f, g, o.

    Args:
        units, ...: as in `Cell`.
        forget_bias: initial bias of the forget gate.

    Example:
        >>> cell = SLSTMCell(8)
        >>> h, (h, c, n, m) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(n.shape)
        (2, 8)

    Source:
        Beck et al. 2024, xLSTM: Extended long short-term memory, https://arxiv.org/abs/2405.04517.
    """

    gate_names = ("input_gate", "forget_gate", "candidate", "output_gate")
    state_names = ("hidden_state", "cell_state", "normaliser", "stabiliser")

    def __init__(self, units, *args, forget_bias: float = 1.0, **kwargs):
        super().__init__(units, *args, **kwargs)
        self.forget_bias = checks.number("forget_bias", forget_bias)

    @property
    def _bias_of_forget_gate(self):
        return self.forget_bias

    def step(self, z, states):
        _, c, n, m = states
        i, f, g, o = ops.split(z, 4, axis=-1)
        g, o = ops.tanh(g), ops.sigmoid(o)
        f = ops.log_sigmoid(f) + m
        m = ops.where(n == 0, i, ops.maximum(f, i))
        i, f = ops.exp(i - m), ops.exp(ops.minimum(f - m, 0))
        c = f * c + i * g
        n = f * n + i
        h = o * c / n
        names = (*self.gate_names, "cell_state", "normaliser", "stabiliser", "hidden_state")
        return dict(zip(names, (i, f, g, o, c, n, m, h)))

    def get_config(self):
        return {**super().get_config(), "forget_bias": self.forget_bias}


@register("mlstm")
class MLSTMCell(Cell):
    r"""An LSTM with a matrix memory of keys and values (Beck et al. 2024), mLSTM.

    For each head, with its own :math:`d` units and scalar gates,

    .. math::
        q_t &= W_q x_t + b_q, \quad k_t = (W_k x_t + b_k) / \sqrt{d}, \quad v_t = W_v x_t + b_v \\
        o_t &= \sigma(W_o x_t + b_o)                      &&\text{output gate} \\
        m_t &= \max(\log\sigma(\tilde f_t) + m_{t-1}, \tilde i_t)  &&\text{stabiliser} \\
        i_t &= \exp(\tilde i_t - m_t), \quad
            f_t = \exp(\log\sigma(\tilde f_t) + m_{t-1} - m_t)     &&\text{gates} \\
        C_t &= f_t C_{t-1} + i_t v_t k_t^\top             &&\text{matrix memory} \\
        n_t &= f_t n_{t-1} + i_t k_t                      &&\text{normaliser} \\
        h_t &= o_t \odot C_t q_t / \max(|n_t^\top q_t|, e^{-m_t})  &&\text{hidden state}

    No gate sees the hidden state, so `in_parallel` can compute all steps at once. :math:`m_t`
    cancels out of :math:`h_t`. `kernel` is `(features, 4 * units + 2 * heads)`, in the order q, k,
    v, o, i, f.

    Args:
        units: size of the hidden state, a multiple of `heads`.
        heads: number of memories.
        forget_bias: initial bias of the forget gates.
        ...: as in `Cell`; `recurrent_dropout` must be 0.

    Raises:
        ValueError: if `units` is not a multiple of `heads`.

    Example:
        >>> cell = MLSTMCell(8, heads=2)
        >>> h, (h, C, n, m) = cell(ops.ones((5, 3)), cell.get_initial_state(batch_size=5))
        >>> tuple(C.shape)
        (5, 32)

    Source:
        Beck et al. 2024, xLSTM: Extended long short-term memory, https://arxiv.org/abs/2405.04517.
    """

    gate_names = ("query", "key", "value", "output_gate", "input_gate", "forget_gate")
    state_names = ("hidden_state", "matrix_memory", "normaliser", "stabiliser")
    recurrent_names = ()
    z_weights = ("kernel", "bias")
    elementwise = False

    def __init__(self, units, *args, heads: int = 1, forget_bias: float = 3.0, **kwargs):
        super().__init__(units, *args, **kwargs)
        self.heads = checks.count("heads", heads)
        self.forget_bias = checks.number("forget_bias", forget_bias)
        if self.units % self.heads:
            raise ValueError(
                f"units must be a multiple of heads, got units={units} and heads={heads}"
            )
        if self.implementation == 1:
            raise ValueError(
                "implementation must be 2 for MLSTMCell, because its gates differ in width"
            )

    @property
    def state_size(self):
        return [self.units, self.units**2 // self.heads, self.units, self.heads]

    @property
    def gate_sizes(self):
        return [self.units] * 4 + [self.heads] * 2

    @property
    def _bias_of_forget_gate(self):
        return self.forget_bias

    def step(self, z, states):
        _, C, n, m = states
        q, k, v, o, i, f = self._split(z)
        d = self.units // self.heads
        C, n = ops.reshape(C, (-1, self.heads, d, d)), ops.reshape(n, (-1, self.heads, d))
        f = ops.log_sigmoid(f) + m
        m = ops.maximum(f, i)
        i, f = ops.exp(i - m), ops.exp(f - m)
        i_d, f_d = ops.expand_dims(i, -1), ops.expand_dims(f, -1)
        C = ops.expand_dims(f_d, -1) * C + ops.expand_dims(i_d * v, -1) * ops.expand_dims(k, -2)
        n = f_d * n + i_d * k
        found = ops.sum(C * ops.expand_dims(q, -2), axis=-1)
        weight = ops.maximum(ops.abs(ops.sum(n * q, axis=-1)), ops.exp(-m))
        h = o * _flat(found / ops.expand_dims(weight, -1))
        values = (_flat(q), _flat(k), _flat(v), o, i, f)
        states = {
            "hidden_state": h,
            "matrix_memory": ops.reshape(C, (-1, self.units * d)),
            "normaliser": _flat(n),
            "stabiliser": m,
        }
        return {**dict(zip(self.gate_names, values)), **states}

    def in_parallel(self, z, states, mask=None):
        """Compute all steps at once; the cost grows with the square of the number of steps.

        Args:
            z: `(batch, timesteps, width)`, the pre-activations.
            states: the states before the first step, as for `step`.
            mask: `(batch, timesteps)` of booleans, or None; a masked step does not change the
                memory.

        Returns:
            The hidden states `(batch, timesteps, units)`, and the last states.
        """
        _, C, n, m = states
        q, k, v, o, i, f = self._split(z)
        d = self.units // self.heads
        C, n = ops.reshape(C, (-1, self.heads, d, d)), ops.reshape(n, (-1, self.heads, d))
        q, k, v = (ops.transpose(a, (0, 2, 1, 3)) for a in (q, k, v))
        i, f = ops.transpose(i, (0, 2, 1)), ops.transpose(ops.log_sigmoid(f), (0, 2, 1))
        if mask is not None:
            seen = ops.expand_dims(ops.cast(mask, "bool"), 1)
            i, f = ops.where(seen, i, NEVER), ops.where(seen, f, 0)
        found, weights, m_t, start = found_in_parallel(q, k, v, i, f, (C, n, m))
        h = o * ops.reshape(ops.transpose(found, (0, 2, 1, 3)), ops.shape(o))
        last = ops.expand_dims(weights[:, :, -1], -1)
        C = ops.expand_dims(start[:, :, -1], -1) * C
        C += ops.matmul(ops.transpose(v * last, (0, 1, 3, 2)), k)
        n = ops.sum(k * last, axis=2) + start[:, :, -1] * n
        C, n = ops.reshape(C, (-1, self.units * d)), ops.reshape(n, (-1, self.units))
        return h, [h[:, -1], C, n, m_t[:, :, -1]]

    def _split(self, z):
        """Split into q, k, v `(..., heads, d)`, o `(..., units)`, and i and f `(..., heads)`."""
        d = self.units // self.heads
        edges = [sum(self.gate_sizes[: k + 1]) for k in range(5)]
        q, k, v, o, i, f = ops.split(z, edges, axis=-1)
        shape = (*ops.shape(z)[:-1], self.heads, d)
        q, k, v = (ops.reshape(a, shape) for a in (q, k / math.sqrt(d), v))
        return q, k, v, ops.sigmoid(o), i, f

    def get_config(self):
        own = {"heads": self.heads, "forget_bias": self.forget_bias}
        return {**super().get_config(), **own}


NEVER = -1e4  # logarithm of a closed input gate, also in half precision


def found_in_parallel(q, k, v, i, log_f, before):
    """Read the queries from a matrix memory, for all steps at once.

    Args:
        q, k, v: `(batch, heads, timesteps, d)`; k is divided by sqrt(d).
        i, log_f: the logarithms of the gates, `(batch, heads, timesteps)`.
        before: memory `(batch, heads, d, d)`, normaliser `(batch, heads, d)` and stabiliser
            `(batch, heads)` before the first step.

    Returns:
        The result `(batch, heads, timesteps, d)`, and the weights from `gates_in_parallel`, the
        last of them with an additional axis.
    """
    C, n, m = before
    weights, m_t, start = gates_in_parallel(i, log_f, m)
    # The weight of each earlier step, and of the initial memory, at each step.
    scores, start = (
        ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) * weights,
        ops.expand_dims(start, -1),
    )
    found = ops.matmul(scores, v) + start * ops.matmul(q, ops.transpose(C, (0, 1, 3, 2)))
    total = ops.sum(scores, -1, keepdims=True) + start * ops.matmul(q, ops.expand_dims(n, -1))
    found = found / ops.maximum(ops.abs(total), ops.exp(-ops.expand_dims(m_t, -1)))
    return found, weights, m_t, start


def gates_in_parallel(i, log_f, m):
    r"""The weight that each step's input still has at each later step, for all steps at once.

    With :math:`F_t = \sum_{s \le t} \log f_s`, the stabiliser is
    :math:`m_t = \max(F_t + m_0, \max_{s \le t} F_t - F_s + \tilde i_s)`.

    Args:
        i, log_f: the logarithms of the gates, `(..., timesteps)`.
        m: the stabiliser before the first step, `(...)`.

    Returns:
        :math:`e^{F_t - F_s + \tilde i_s - m_t}` for each t and s <= t, `(..., t, s)`, zeros for the
        others; :math:`m_t` `(..., t)`; :math:`e^{F_t + m_0 - m_t}` `(..., t)`.
    """
    F = ops.cumsum(log_f, axis=-1)
    logs = ops.expand_dims(F, -1) - ops.expand_dims(F - i, -2)
    places = ops.arange(ops.shape(F)[-1])
    before = ops.expand_dims(places, 1) >= ops.expand_dims(places, 0)
    start = F + ops.expand_dims(m, -1)
    m_t = ops.maximum(start, ops.max(ops.where(before, logs, NEVER), axis=-1))
    weights = ops.where(before, ops.exp(ops.where(before, logs - ops.expand_dims(m_t, -1), 0)), 0)
    return weights, m_t, ops.exp(start - m_t)


def _flat(a):
    """`(..., heads, d)` to `(..., units)`."""
    return ops.reshape(a, (*ops.shape(a)[:-2], a.shape[-2] * a.shape[-1]))
