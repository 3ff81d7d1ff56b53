"""The two blocks of the xLSTM: residual layers around an mLSTM and around an sLSTM."""

import math

import keras
from keras import ops

from lstm_zoo import checks
from lstm_zoo.backend import check_precision, wide
from lstm_zoo.cells.xlstm import NEVER, SLSTMCell, found_in_parallel
from lstm_zoo.layers.base import RNN


def _norm(name):
    return keras.layers.LayerNormalization(epsilon=1e-5, center=False, name=name)


class _Block(keras.layers.Layer):
    """`(batch, timesteps, width)` to the same shape; masked steps do not enter the memory."""

    def __init__(self, heads: int = 4, kernel_size: int = 4, **kwargs):
        super().__init__(**kwargs)
        check_precision(self.compute_dtype)
        self.heads = checks.count("heads", heads)
        self.kernel_size = checks.count("kernel_size", kernel_size)
        self.supports_masking = True

    def _blocks(self, name, count, width):
        """A kernel with `count` blocks, each of which mixes its own features."""
        size = width // count
        spread = keras.initializers.RandomNormal(stddev=math.sqrt(2 / (5 * size)))
        return self.add_weight((count, size, size), spread, name=name)

    def _build_convolution(self, width):
        shape = (self.kernel_size, width)
        spread = keras.initializers.RandomUniform(
            -1 / math.sqrt(self.kernel_size), 1 / math.sqrt(self.kernel_size)
        )
        self.convolution_kernel = self.add_weight(shape, spread, name="convolution_kernel")
        self.convolution_bias = self.add_weight((width,), "zeros", name="convolution_bias")

    def _convolved(self, x):
        """A causal convolution of each feature over time, followed by SiLU."""
        padded = ops.pad(x, [[0, 0], [self.kernel_size - 1, 0], [0, 0]])
        steps = ops.shape(x)[1]
        y = sum(
            padded[:, k : k + steps] * ops.cast(self.convolution_kernel[k], x.dtype)
            for k in range(self.kernel_size)
        )
        return ops.silu(y + ops.cast(self.convolution_bias, x.dtype))

    def _normed_heads(self, h):
        """Scale each head of `(batch, timesteps, heads * d)` to mean 0, variance 1; apply gain."""
        shape, h = ops.shape(h), ops.cast(h, wide(self.compute_dtype))
        h = ops.reshape(h, (*shape[:2], self.heads, h.shape[-1] // self.heads))
        h = h - ops.mean(h, axis=-1, keepdims=True)
        h = h * ops.rsqrt(ops.mean(h * h, axis=-1, keepdims=True) + 1e-5)
        h = ops.cast(ops.reshape(h, shape), self.compute_dtype)
        return h * ops.cast(self.head_gain, h.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"heads": self.heads, "kernel_size": self.kernel_size}
        return {**super().get_config(), **own}


def by_block(x, kernel):
    """Multiply each block of `x` `(..., count * size)` by its own kernel `(count, size, size)`."""
    count, size, _ = kernel.shape
    y = ops.einsum(
        "bthd,hdo->btho",
        ops.reshape(x, (*ops.shape(x)[:2], count, size)),
        ops.cast(kernel, x.dtype),
    )
    return ops.reshape(y, ops.shape(x))


@keras.saving.register_keras_serializable(package="lstm_zoo")
class MLSTMBlock(_Block):
    r"""A residual block with an mLSTM inside, computed for all steps at once (Beck et al. 2024).

    The block normalises its input and projects it up twice: into the mLSTM branch and into a gate.
    In the mLSTM branch, queries and keys come from a causal convolution over time, values come from
    the projection itself, and the gates of the mLSTM see all three. The block then normalises the
    heads, adds the output of the convolution, multiplies by the gate (after SiLU), projects down,
    and adds the input.

    Args:
        heads: number of heads of the mLSTM.
        expansion: inner width divided by the width of the input.
        kernel_size: timesteps that the convolution sees.
        block_size: number of features that each block of the query, key and value projections
            mixes. Both `block_size` and `heads` must divide the inner width.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, timesteps, width)`; time and memory grow with the square of timesteps.
        mask: `(batch, timesteps)` of booleans, or None.

    Returns:
        `(batch, timesteps, width)`.

    Raises:
        ValueError: if a size is not a positive integer, or does not divide the inner width.

    Example:
        >>> tuple(MLSTMBlock(heads=2)(ops.ones((2, 5, 8))).shape)
        (2, 5, 8)

    Source:
        Beck et al. 2024, xLSTM: Extended long short-term memory, figure 11,
        https://arxiv.org/abs/2405.04517.
    """

    def __init__(self, heads=4, expansion: int = 2, kernel_size=4, block_size: int = 4, **kwargs):
        super().__init__(heads, kernel_size, **kwargs)
        self.expansion = checks.count("expansion", expansion)
        self.block_size = checks.count("block_size", block_size)

    def build(self, input_shape):
        width = input_shape[-1]
        inner = self.expansion * width
        for argument in ("heads", "block_size"):
            if inner % getattr(self, argument):
                raise ValueError(
                    f"{argument} must divide the inner width {inner}, got {getattr(self, argument)}"
                )
        self.norm, self.up = _norm("norm"), keras.layers.Dense(2 * inner, use_bias=False, name="up")
        self.down = keras.layers.Dense(width, use_bias=False, name="down")
        forget = keras.initializers.Constant(3.0)
        self.input_gate = keras.layers.Dense(self.heads, name="input_gate")
        self.forget_gate = keras.layers.Dense(
            self.heads, kernel_initializer="zeros", bias_initializer=forget, name="forget_gate"
        )
        self.norm.build(input_shape)
        self.up.build(input_shape)
        self.down.build((*input_shape[:-1], inner))
        for gate in (self.input_gate, self.forget_gate):
            gate.build((*input_shape[:-1], 3 * inner))
        self._build_convolution(inner)
        names = ("query_kernel", "key_kernel", "value_kernel")
        self.query_kernel, self.key_kernel, self.value_kernel = (
            self._blocks(name, inner // self.block_size, inner) for name in names
        )
        self.head_gain = self.add_weight((inner,), "ones", name="head_gain")
        self.skip = self.add_weight((inner,), "ones", name="skip")
        self.built = True

    def call(self, sequences, mask=None):
        x, gate = ops.split(self.up(self.norm(sequences)), 2, axis=-1)
        convolved = self._convolved(x)
        q, k = by_block(convolved, self.query_kernel), by_block(convolved, self.key_kernel)
        h = self._normed_heads(self._remembered(q, k, by_block(x, self.value_kernel), mask))
        h = (h + ops.cast(self.skip, h.dtype) * convolved) * ops.silu(gate)
        return sequences + self.down(h)

    def _remembered(self, q, k, v, mask):
        seen = ops.concatenate([q, k, v], axis=-1)
        q, k, v = (ops.cast(a, wide(self.compute_dtype)) for a in (q, k, v))
        i, log_f = (
            ops.transpose(ops.cast(gate(seen), q.dtype), (0, 2, 1))
            for gate in (self.input_gate, self.forget_gate)
        )
        log_f = ops.log_sigmoid(log_f)
        if mask is not None:
            counts = ops.expand_dims(ops.cast(mask, "bool"), 1)
            i, log_f = ops.where(counts, i, NEVER), ops.where(counts, log_f, 0)
        shape, d = ops.shape(q), q.shape[-1] // self.heads
        q, k, v = (
            ops.transpose(ops.reshape(a, (*shape[:2], self.heads, d)), (0, 2, 1, 3))
            for a in (q, k / math.sqrt(d), v)
        )
        nothing = ops.zeros_like(q[:, :, 0])
        before = (ops.expand_dims(nothing, -1) * ops.ones((d,), q.dtype), nothing, nothing[..., 0])
        found, *_ = found_in_parallel(q, k, v, i, log_f, before)
        return ops.reshape(ops.transpose(found, (0, 2, 1, 3)), shape)

    def get_config(self):
        own = {"expansion": self.expansion, "block_size": self.block_size}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class SLSTMOfHeadsCell(SLSTMCell):
    """An sLSTM whose input is already projected to its gates, and whose heads are independent.

    The shape of `recurrent_kernel` is `(heads, d, 4, d)`.
    """

    z_weights = ()
    elementwise = False

    def __init__(self, units, heads: int = 1, **kwargs):
        super().__init__(units, **kwargs)
        self.heads = checks.count("heads", heads)

    def build(self, input_shape):
        d = self.units // self.heads
        self.kernel = None
        self.recurrent_kernel = self._add("recurrent", (self.heads, d, 4, d), "zeros")
        self.bias = self._add("bias", (4 * self.units,), self._initial_bias)
        self.built = True

    def step(self, z, states):
        h = ops.reshape(states[0], (-1, self.heads, self.units // self.heads))
        R = ops.cast(self.recurrent_kernel, z.dtype)
        recurrent = ops.reshape(ops.einsum("bhd,hdgk->bghk", h, R), (-1, 4 * self.units))
        return super().step(z + recurrent + ops.cast(self.bias, z.dtype), states)

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable(package="lstm_zoo")
class SLSTMBlock(_Block):
    r"""A residual block with an sLSTM inside, then one with a feed-forward part (Beck et al. 2024).

    The block normalises its input. The input and forget gates see a causal convolution of it, the
    candidate and the output gate see it directly. The heads of the sLSTM are independent, and each
    is normalised separately. The feed-forward part multiplies the GELU of one projection by another
    projection, and projects the product back.

    Args:
        heads: number of heads of the sLSTM; must divide the width.
        expansion: inner width of the feed-forward part divided by the width of the input.
        kernel_size: timesteps that the convolution sees.
        **kwargs: `name`, `dtype`, `trainable`.

    The call takes and returns the same as `MLSTMBlock`; time grows linearly with timesteps.

    Raises:
        ValueError: if a size is not positive, or `heads` does not divide the width.

    Example:
        >>> tuple(SLSTMBlock(heads=2)(ops.ones((2, 5, 8))).shape)
        (2, 5, 8)

    Source:
        Beck et al. 2024, xLSTM: Extended long short-term memory, figure 10,
        https://arxiv.org/abs/2405.04517.
    """

    def __init__(self, heads=4, expansion: float = 4 / 3, kernel_size=4, **kwargs):
        super().__init__(heads, kernel_size, **kwargs)
        self.expansion = float(checks.positive("expansion", expansion))

    def build(self, input_shape):
        width = input_shape[-1]
        if width % self.heads:
            raise ValueError(f"heads must divide the width {width}, got {self.heads}")
        inner = max(1, round(self.expansion * width))
        self.norm, self.feed_norm = _norm("norm"), _norm("feed_norm")
        self.up = keras.layers.Dense(2 * inner, use_bias=False, name="up")
        self.down = keras.layers.Dense(width, use_bias=False, name="down")
        cell = SLSTMOfHeadsCell(width, heads=self.heads, dtype=self.dtype_policy)
        self.recurrence = RNN(cell, return_sequences=True, dtype=self.dtype_policy, name="slstm")
        for layer in (self.norm, self.feed_norm, self.up):
            layer.build(input_shape)
        self.down.build((*input_shape[:-1], inner))
        self.recurrence.build((*input_shape[:-1], 4 * width))
        self._build_convolution(width)
        names = ("input_kernel", "forget_kernel", "candidate_kernel", "output_kernel")
        self.gate_kernels = [self._blocks(name, self.heads, width) for name in names]
        self.head_gain = self.add_weight((width,), "ones", name="head_gain")
        self.built = True

    def call(self, sequences, mask=None, training=False):
        x = self.norm(sequences)
        convolved = self._convolved(x)
        seen = zip((convolved, convolved, x, x), self.gate_kernels)
        z = ops.concatenate([by_block(a, kernel) for a, kernel in seen], axis=-1)
        x = sequences + self._normed_heads(self.recurrence(z, mask=mask, training=training))
        gate, value = ops.split(self.up(self.feed_norm(x)), 2, axis=-1)
        return x + self.down(ops.gelu(gate, approximate=False) * value)

    def get_config(self):
        return {**super().get_config(), "expansion": self.expansion}
