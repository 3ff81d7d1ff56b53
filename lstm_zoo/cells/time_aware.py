"""Cells for missing values and for unevenly spaced steps."""

import numpy as np
from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.lstm import LSTMCell
from lstm_zoo.cells.registry import register


def observations(x, times=None):
    """Convert series with missing values to the input of `GRUDCell`.

    Args:
        x: `(batch, timesteps, values)`; NaN marks a missing value.
        times: the time of each step, `(timesteps,)` or `(batch, timesteps)`, increasing; None means
            0, 1, 2, ...

    Returns:
        `(batch, timesteps, 3 * values)`, float32: the last observed value (0 before the first),
        whether the value is observed at this step (1 or 0), and the time since the previous
        observation.

    Raises:
        ValueError: if a shape is wrong or `times` do not increase.

    Example:
        >>> observations([[[5.0], [np.nan], [np.nan], [7.0]]], [0, 1, 4, 6])[0].T.tolist()
        [[5.0, 5.0, 5.0, 7.0], [1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 4.0, 6.0]]

    Source:
        Che et al. 2018, section "Notations", https://doi.org/10.1038/s41598-018-24271-9.
    """
    x = checks.array("x", x, 3).astype("float64")
    batch, steps, _ = x.shape
    times = np.arange(steps) if times is None else checks.finite("times", times, 1, 2)
    checks.shape("times", times.shape[-1:], (steps,))
    times = np.broadcast_to(times, (batch, steps)).astype("float64")
    waits = np.diff(times, axis=1)
    if (waits <= 0).any():
        raise ValueError("times must increase from step to step")
    seen = ~np.isnan(x)
    last, gap = np.where(seen, x, 0.0), np.zeros_like(x)
    for t in range(1, steps):
        last[:, t] = np.where(seen[:, t], x[:, t], last[:, t - 1])
        gap[:, t] = waits[:, t - 1, None] + np.where(seen[:, t - 1], 0.0, gap[:, t - 1])
    return np.concatenate([last, seen, gap], axis=2).astype("float32")


@register("gru_d")
class GRUDCell(Cell):
    r"""A GRU for missing values, in which old observations decay (Che et al. 2018).

    `observations` makes the input, three blocks of equal width: the last observed values
    :math:`x'_t`, whether a value is observed now :math:`m_t`, and the time since the previous
    observation :math:`\delta_t`.

    .. math::
        \gamma^x_t &= \exp(-\max(0, w_x \odot \delta_t + b_x)), \quad
            \gamma^h_t = \exp(-\max(0, W_\gamma \delta_t + b_\gamma)) \\
        \hat x_t &= m_t \odot x'_t + (1 - m_t) \odot \gamma^x_t \odot x'_t \\
        \hat h_t &= \gamma^h_t \odot h_{t-1} \\
        z_t &= \sigma(W_z \hat x_t + U_z \hat h_t + V_z m_t + b_z)   &&\text{update gate} \\
        r_t &= \sigma(W_r \hat x_t + U_r \hat h_t + V_r m_t + b_r)   &&\text{reset gate} \\
        g_t &= \tanh(W_g \hat x_t + U_g (r_t \odot \hat h_t) + V_g m_t + b_g)  &&\text{candidate} \\
        h_t &= (1 - z_t) \odot \hat h_t + z_t \odot g_t              &&\text{hidden state}

    A missing value decays to 0, so subtract the mean of the training data first. `kernel`
    `(2 * values, 3 * units)` holds W above V; `input_decay` `(2, values)` holds :math:`w_x` and
    :math:`b_x`, `state_decay` `(values + 1, units)` holds :math:`W_\gamma` and :math:`b_\gamma`.

    Args:
        units, ...: as in `Cell`; both dropout rates must be 0.

    Raises:
        ValueError: if the number of input features is not a multiple of 3, or dropout is not 0.

    Example:
        >>> h, [h] = GRUDCell(8)(ops.ones((2, 3)), [ops.zeros((2, 8))])
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Che et al. 2018, Recurrent neural networks for multivariate time series with missing values,
        https://doi.org/10.1038/s41598-018-24271-9.
    """

    gate_names = ("update_gate", "reset_gate", "candidate")
    z_weights = ()
    elementwise = False
    reads_times = True

    def __init__(self, units, *args, **kwargs):
        super().__init__(units, *args, **kwargs)
        if self.dropout:
            raise ValueError(f"dropout must be 0 for GRUDCell, got {self.dropout!r}")

    def extra_inputs(self, features):
        return {"seen": features // 3, "time_gap": features // 3}

    @property
    def width_of_z(self):
        return self.input_decay.shape[1]  # z is the values themselves

    def build(self, input_shape):
        features, units = input_shape[-1], self.units
        if features % 3:
            raise ValueError(
                "inputs must have three features for each value (the value, whether it is "
                f"observed, the time since then), got {features} features; "
                "lz.cells.observations makes them"
            )
        values = features // 3
        self.extra_sizes = self.extra_inputs(features)
        self.kernel = self._add("kernel", (2 * values, 3 * units))
        self.recurrent_kernel = self._add("recurrent", (units, 3 * units))
        self.bias = self._add("bias", (3 * units,), self._initial_bias) if self.use_bias else None
        self.input_decay = self.add_weight((2, values), "zeros", name="input_decay")
        self.state_decay = self.add_weight((values + 1, units), "zeros", name="state_decay")
        self.built = True

    def step(self, z, states, seen, time_gap):
        [h], units = states, self.units
        x, m, gap = z, seen, time_gap
        w_x, b_x = ops.unstack(ops.cast(self.input_decay, x.dtype), 2)
        W_h, b_h = ops.split(ops.cast(self.state_decay, x.dtype), [gap.shape[-1]])
        x = m * x + (1 - m) * ops.exp(-ops.relu(w_x * gap + b_x)) * x
        h = ops.exp(-ops.relu(ops.matmul(gap, W_h) + b_h)) * h
        z = ops.matmul(ops.concatenate([x, m], -1), ops.cast(self.kernel, x.dtype))
        z = z if self.bias is None else z + ops.cast(self.bias, x.dtype)
        U, U_g = ops.split(ops.cast(self.recurrent_kernel, x.dtype), [2 * units], axis=1)
        z, g = ops.split(z, [2 * units], axis=-1)
        z, r = ops.split(ops.sigmoid(z + ops.matmul(h, U)), 2, axis=-1)
        g = ops.tanh(g + ops.matmul(r * h, U_g))
        h = (1 - z) * h + z * g
        return {"update_gate": z, "reset_gate": r, "candidate": g, "hidden_state": h}


@register("time_gap")
class TimeGapLSTMCell(LSTMCell):
    r"""An LSTM whose short-term memory decays with the time between steps (Baytas et al. 2017).

    The last input feature is the time :math:`\Delta_t` since the previous step; the gates do not
    see it. Before the equations of `LSTMCell`, the cell state loses a part of its short-term
    memory,

    .. math::
        s_t &= \tanh(W_s c_{t-1} + b_s) \\
        c^*_t &= c_{t-1} - s_t + s_t / \log(e + \Delta_t)

    and :math:`c^*_t` replaces :math:`c_{t-1}`. A negative :math:`\Delta_t` counts as 0.

    Args:
        units, ...: as in `LSTMCell`; `dropout` must be 0.

    Raises:
        ValueError: if `dropout` is not 0 or the input has only one feature.

    Example:
        >>> cell = TimeGapLSTMCell(8)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(cell.kernel.shape)
        (2, 32)

    Source:
        Baytas et al. 2017, Patient subtyping via time-aware LSTM networks,
        https://doi.org/10.1145/3097983.3097997.
    """

    elementwise = False
    reads_times = True

    def __init__(self, units, *args, **kwargs):
        super().__init__(units, *args, **kwargs)
        if self.dropout:
            raise ValueError(f"dropout must be 0 for TimeGapLSTMCell, got {self.dropout!r}")

    def extra_inputs(self, features):
        return {"time_gap": 1}

    def build(self, input_shape):
        if input_shape[-1] < 2:
            raise ValueError(
                "inputs must have at least two features, the last of which is the time since the "
                f"previous step, got {input_shape[-1]}"
            )
        super().build(input_shape)
        shape = (self.units, self.units)
        self.memory_kernel = self.add_weight(shape, "glorot_uniform", name="memory_kernel")
        self.memory_bias = self.add_weight(shape[:1], "zeros", name="memory_bias")

    def step(self, z, states, time_gap):
        h, c = states
        s = ops.matmul(c, ops.cast(self.memory_kernel, z.dtype))
        s = ops.tanh(s + ops.cast(self.memory_bias, z.dtype))
        c = c - s + s / ops.log(np.e + ops.relu(time_gap))
        return {**super().step(z, [h, c]), "short_term_memory": s}
