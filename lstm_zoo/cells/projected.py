"""The LSTM with a recurrent projection."""

from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.peephole import PeepholeLSTMCell
from lstm_zoo.cells.registry import register


@register("projected")
class ProjectedLSTMCell(PeepholeLSTMCell):
    r"""An LSTM with a projected hidden state of smaller size (Sak et al. 2014), LSTMP.

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh (W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o) \\
        m_t &= o_t \odot \tanh(c_t) \\
        h_t &= P m_t

    Even with a large memory, the recurrent kernel `(projection, 4 * units)` stays small.

    Args:
        units: size of the cell state.
        projection: size of the hidden state, which is the output; half of `units` if None.
        ...: as in `PeepholeLSTMCell`; `kernel_initializer` also initializes :math:`P`, the
            `projection_kernel` `(units, projection)`.

    Raises:
        ValueError: if `units` or `projection` is not a positive integer.

    Example:
        >>> cell = ProjectedLSTMCell(8, projection=2)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape), tuple(c.shape)
        ((2, 2), (2, 8))

    Source:
        Sak, Senior & Beaufays 2014, Long short-term memory recurrent neural network architectures
        for large scale acoustic modeling, https://arxiv.org/abs/1402.1128.
    """

    elementwise = False

    def __init__(self, units, *args, projection: int | None = None, **kwargs):
        super().__init__(units, *args, **kwargs)
        half = (self.units + 1) // 2
        self.projection = half if projection is None else checks.count("projection", projection)

    @property
    def state_size(self):
        return [self.projection, self.units]

    def build(self, input_shape):
        super().build(input_shape)
        self.projection_kernel = self.add_weight(
            shape=(self.units, self.projection),
            name="projection_kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def step(self, z, states):
        now = super().step(z, states)
        m = now["hidden_state"]
        h = ops.matmul(m, ops.cast(self.projection_kernel, z.dtype))
        return {**now, "unprojected_state": m, "hidden_state": h}

    def get_config(self):
        return {**super().get_config(), "projection": self.projection}
