"""Cells that are noisy in training, at each step anew."""

from collections.abc import Mapping

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.lstm import LSTMCell, named
from lstm_zoo.cells.registry import register


@register("zoneout")
class ZoneoutCell(Cell):
    r"""Any cell, some of whose states stay as they were at each step (Krueger et al. 2016).

    With :math:`\tilde s_t` a new state of the cell and :math:`d_t` drawn anew at every step, 1 with
    a probability of `zoneout`, else 0,

    .. math::
        s_t = d_t \odot s_{t-1} + (1 - d_t) \odot \tilde s_t

    In inference the expectation of :math:`d_t` stands in its place. Gates and states keep the names
    that the cell gives them.

    Args:
        cell: a `Cell`, or the units of an `LSTMCell`.
        zoneout: the probability for all states, or for each by its name (0 for one not named).
        seed: of what is drawn.
        **options: of the `LSTMCell`, where `cell` is a number.

    Raises:
        ValueError: if `cell` is neither, or a probability not from 0 to 1, or of no state.

    Example:
        >>> cell = ZoneoutCell(LSTMCell(8), {"hidden_state": 0.05, "cell_state": 0.5})
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(batch_size=2))
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Krueger et al. 2016, Zoneout: Regularizing RNNs by randomly preserving hidden activations,
        https://arxiv.org/abs/1606.01305.
    """

    elementwise = False

    def __init__(self, cell, zoneout=0.1, seed=None, name=None, trainable=True, **options):
        if not isinstance(cell, Cell):
            cell = LSTMCell(checks.count("cell", cell), seed=seed, **options)
        elif set(options) - {"dtype"}:
            raise ValueError(f"cell must be a number of units for options, got {cell!r}")
        if type(cell).draw is not Cell.draw:
            raise ValueError(f"cell must draw nothing of its own, got {type(cell).__name__}")
        super().__init__(
            cell.units, seed=seed, name=name, trainable=trainable, dtype=cell.dtype_policy
        )
        self.cell = cell
        for argument in ("use_bias", "dropout", "recurrent_dropout", "implementation"):
            setattr(self, argument, getattr(cell, argument))
        if self.implementation == 1:
            self.dropout_mask_count = len(cell.gate_names)
        if not isinstance(zoneout, Mapping):
            zoneout = dict.fromkeys(cell.state_names, checks.fraction("zoneout", zoneout))
        for state in zoneout:
            checks.one_of("zoneout", state, cell.state_names)
            checks.fraction("zoneout", zoneout[state])
        self.zoneout = dict(zoneout)

    # What the wrapped cell says of itself.
    gate_names = property(lambda self: self.cell.gate_names)
    gate_sizes = property(lambda self: self.cell.gate_sizes)
    state_names = property(lambda self: self.cell.state_names)
    state_size = property(lambda self: self.cell.state_size)
    recurrent_names = property(lambda self: self.cell.recurrent_names)
    z_weights = property(lambda self: self.cell.z_weights)
    kernel = property(lambda self: self.cell.kernel)
    recurrent_kernel = property(lambda self: self.cell.recurrent_kernel)
    bias = property(lambda self: self.cell.bias)
    extra_sizes = property(lambda self: self.cell.extra_sizes)
    width_of_z = property(lambda self: self.cell.width_of_z)

    def extra_inputs(self, features):
        return self.cell.extra_inputs(features)

    def build(self, input_shape):
        if not self.cell.built:  # a file builds it by itself
            self.cell.build(input_shape)
        self.built = True

    @property
    def _rates(self):
        return [self.zoneout.get(name, 0.0) for name in self.state_names]

    def draw(self, batch, timesteps):
        sizes = zip(self._rates, self.state_size)
        rates = ops.concatenate([ops.full((size,), rate) for rate, size in sizes])
        shape = (batch, timesteps, sum(self.state_size))
        stays = keras.random.uniform(shape, seed=self.seed_generator) < rates
        return {"zoneout_mask": ops.cast(stays, self.compute_dtype)}

    def step(self, z, states, zoneout_mask=None, **extra_inputs):
        stays = self._rates
        if zoneout_mask is not None:
            edges = [sum(self.state_size[:k]) for k in range(1, len(states))]
            stays = ops.split(zoneout_mask, edges, axis=-1) if edges else [zoneout_mask]
        now = self.cell.step(z, states, **extra_inputs)
        zoned = {
            name: d * before + (1 - d) * now[name]
            for name, d, before in zip(self.state_names, stays, states)
        }
        return {**now, **zoned}

    def get_config(self):
        config = keras.layers.Layer.get_config(self)
        config.pop("dtype")  # the cell's
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**config, "cell": cell, "zoneout": self.zoneout, "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})


@register("candidate_dropout")
class CandidateDropoutLSTMCell(LSTMCell):
    r"""An LSTM with recurrent dropout that loses no memory (Semeniuta et al. 2016).

    The equations are those of `LSTMCell` but for

    .. math::
        c_t = f_t \odot c_{t-1} + i_t \odot d_t \odot g_t

    where :math:`d_t` is drawn anew at every step of training: 0 with a probability of
    `candidate_dropout`, else so large that its mean is 1. What the cell state holds is never
    dropped, only what would be added to it.

    Args:
        units, ...: those of `LSTMCell`, and
        candidate_dropout: fraction of the candidates dropped, from 0 to below 1.

    Example:
        >>> cell = CandidateDropoutLSTMCell(8, candidate_dropout=0.5)
        >>> h, (h, c) = cell(ops.ones((2, 3)), cell.get_initial_state(2), training=True)
        >>> tuple(h.shape)
        (2, 8)

    Source:
        Semeniuta, Severyn & Barth 2016, Recurrent dropout without memory loss,
        https://arxiv.org/abs/1603.05118.
    """

    elementwise = False

    def __init__(self, units, *args, candidate_dropout: float = 0.25, **kwargs):
        super().__init__(units, *args, **kwargs)
        rate = checks.fraction("candidate_dropout", candidate_dropout, below_one=True)
        self.candidate_dropout = rate

    def draw(self, batch, timesteps):
        kept = 1 - self.candidate_dropout
        shape = (batch, timesteps, self.units)
        stays = keras.random.uniform(shape, seed=self.seed_generator) < kept
        return {"candidate_mask": ops.cast(stays, self.compute_dtype) / kept}

    def step(self, z, states, candidate_mask=None):
        _, c = states
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f = self.recurrent_activation(i), self.recurrent_activation(f)
        g, o = self.activation(g), self.recurrent_activation(o)
        c = f * c + i * (g if candidate_mask is None else candidate_mask * g)
        h = o * self.activation(c)
        return named(i, f, g, o, c, h)

    def get_config(self):
        return {**super().get_config(), "candidate_dropout": self.candidate_dropout}
