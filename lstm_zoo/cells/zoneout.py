"""Cells with noise that training draws anew at each step."""

from collections.abc import Mapping

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.lstm import LSTMCell, named
from lstm_zoo.cells.registry import register


@register("zoneout")
class ZoneoutCell(Cell):
    r"""Zoneout: training keeps random units of a cell's states at each step (Krueger et al. 2016).

    Let :math:`\tilde s_t` be a new state of the cell. :math:`d_t` is drawn anew at every step: 1
    with probability `zoneout`, otherwise 0. Then

    .. math::
        s_t = d_t \odot s_{t-1} + (1 - d_t) \odot \tilde s_t

    Inference uses the expectation of :math:`d_t` instead. Gates and states keep the cell's names.

    Args:
        cell: a `Cell`, or the number of units of an `LSTMCell`.
        zoneout: the probability for all states, or a dict from state name to probability (0 for
            missing names).
        seed: seed of the random draws.
        **options: arguments of the `LSTMCell`, if `cell` is a number.

    Raises:
        ValueError: if `cell` is neither, or if a probability is not from 0 to 1 or has an unknown
            state name.

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
            raise ValueError(f"cell must be a number of units if options are given, got {cell!r}")
        if type(cell).draw is not Cell.draw:
            raise ValueError(f"cell must not draw random numbers itself, got {type(cell).__name__}")
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

    # Forward these attributes to the wrapped cell.
    gate_names = property(lambda self: self.cell.gate_names)
    gate_sizes = property(lambda self: self.cell.gate_sizes)
    state_names = property(lambda self: self.cell.state_names)
    state_size = property(lambda self: self.cell.state_size)
    recurrent_names = property(lambda self: self.cell.recurrent_names)
    z_weights = property(lambda self: self.cell.z_weights)
    drops_in_step = property(lambda self: self.cell.drops_in_step)
    kernel = property(lambda self: self.cell.kernel)
    recurrent_kernel = property(lambda self: self.cell.recurrent_kernel)
    bias = property(lambda self: self.cell.bias)
    extra_sizes = property(lambda self: self.cell.extra_sizes)
    width_of_z = property(lambda self: self.cell.width_of_z)

    def extra_inputs(self, features):
        return self.cell.extra_inputs(features)

    def build(self, input_shape):
        if not self.cell.built:  # loading from a file builds the inner cell first
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
        config.pop("dtype")  # the cell has it
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**config, "cell": cell, "zoneout": self.zoneout, "seed": self.seed}

    @classmethod
    def from_config(cls, config):
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})


@register("candidate_dropout")
class CandidateDropoutLSTMCell(LSTMCell):
    r"""An LSTM whose recurrent dropout never erases the cell state (Semeniuta et al. 2016).

    The equations are those of `LSTMCell`, except for

    .. math::
        c_t = f_t \odot c_{t-1} + i_t \odot d_t \odot g_t

    where :math:`d_t` is drawn in training for each sample, time step and unit: 0 with probability
    `candidate_dropout`, otherwise 1 / (1 - `candidate_dropout`), so that its mean is 1. Dropout
    affects only what is added to the cell state, never the cell state itself.

    Args:
        units, ...: as in `LSTMCell`.
        candidate_dropout: fraction of the candidates to drop, from 0 to below 1.

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
