"""A linear-chain conditional random field, which learns how tags follow one another."""

import keras
import numpy as np
from keras import ops

from lstm_zoo import checks
from lstm_zoo.layers.each_step import each_step_alone
from lstm_zoo.layers.naming import checked_names
from lstm_zoo.recurrence import portable


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class CRF(keras.layers.Layer):
    r"""Tags that depend on their neighbours (Lafferty et al. 2001; Lample et al. 2016).

    .. math::
        p(y \mid x) \propto \exp\Big(a_{y_1} + \sum_t s_t[y_t]
        + \sum_{t > 1} A[y_{t-1}, y_t] + b_{y_T}\Big)

    The scores :math:`s_t` are the layer's input and pass through it unchanged. Masked steps are not
    part of the chain.

    Args:
        num_tags: the number of tags.
        class_names: the names of the tags, or None.

    Call arguments:
        scores: `(batch, timesteps, num_tags)`.
        mask: `(batch, timesteps)` of booleans, or None.

    Returns:
        The scores.

    Raises:
        ValueError: if `num_tags` is below 2, or the number of names differs from it.

    Example:
        >>> crf = CRF(2)
        >>> scores = crf(ops.convert_to_tensor([[[9.0, 0.0], [0.0, 9.0], [0.0, 9.0]]]))
        >>> crf.best_path(scores).numpy().tolist()
        [[0, 1, 1]]

    Source:
        Lample et al. 2016, https://arxiv.org/abs/1603.01360.
    """

    def __init__(self, num_tags: int, class_names=None, **kwargs):
        super().__init__(**kwargs)
        self.num_tags = checks.count("num_tags", num_tags, least=2)
        self.class_names = class_names
        if class_names is not None:
            self.class_names = checked_names("class_names", class_names)
            if len(self.class_names) != num_tags:
                raise ValueError(
                    f"class_names must hold {num_tags} names, one per tag, "
                    f"got {checks.listed(class_names):.80}"
                )
        self.supports_masking = True

    def build(self, input_shape):
        n = self.num_tags
        self.transitions = self.add_weight(shape=(n, n), initializer="zeros", name="transitions")
        self.first = self.add_weight(shape=(n,), initializer="zeros", name="first")
        self.last = self.add_weight(shape=(n,), initializer="zeros", name="last")
        self.built = True

    def call(self, scores, mask=None):
        return scores

    def log_likelihood(self, scores, tags, mask=None):
        """The log probability `(batch,)` of `tags` `(batch, timesteps)`."""
        dtype = scores.dtype
        A, first, last = (ops.cast(w, dtype) for w in (self.transitions, self.first, self.last))
        truth = ops.one_hot(ops.cast(tags, "int32"), self.num_tags, dtype=dtype)

        def step(carry, now):
            total, seen, before, score = carry
            s, y, counts = self._of_step(now)
            on = ops.logsumexp(total[:, :, None] + A, axis=1) + s
            total_now = ops.where(seen, on, first + s)
            joint = ops.where(seen, ops.matmul(before, A), first)
            score_now = score + ops.sum((s + joint) * y, axis=-1, keepdims=True)
            new = (total_now, ops.ones_like(seen), y, score_now)
            new = tuple(ops.where(counts, n, old) for n, old in zip(new, carry))
            return new, new  # TensorFlow's scan only collects outputs shaped like the carry

        zeros = ops.zeros_like(scores[:, 0])
        start = (zeros, ops.zeros_like(zeros[:, :1], dtype="bool"), zeros, zeros[:, :1])
        (total, seen, before, score), _ = ops.scan(step, start, _in_time(mask, scores, truth))
        score = score[:, 0] + ops.sum(before * last, axis=-1)
        likelihood = score - ops.logsumexp(total + last, axis=-1)
        return ops.where(seen[:, 0], likelihood, 0)

    def best_path(self, scores, mask=None):
        """The likeliest tags `(batch, timesteps)` int32, by Viterbi's algorithm.

        A masked step repeats the previous tag.
        """
        dtype = scores.dtype
        A, first, last = (ops.cast(w, dtype) for w in (self.transitions, self.first, self.last))
        target = portable.target()
        if target is not None:  # some export formats cannot hold a scan
            return portable.best_path(target, A, first, last, scores, mask)
        same = ops.zeros_like(scores[:, 0], dtype="int32") + ops.arange(self.num_tags)

        def forward(carry, now):
            best, seen, _ = carry
            s, counts = self._of_step(now)
            reached = best[:, :, None] + A
            came_from = ops.cast(ops.argmax(reached, axis=1), "int32")
            best_now = ops.where(seen, ops.max(reached, axis=1) + s, first + s)
            came_from = ops.where(ops.logical_and(counts, seen), came_from, same)
            best = ops.where(counts, best_now, best)
            new = best, ops.logical_or(seen, counts), came_from
            return new, new

        zeros = ops.zeros_like(scores[:, 0])
        start = (zeros, ops.zeros_like(zeros[:, :1], dtype="bool"), same)
        (best, *_), (*_, came_from) = ops.scan(forward, start, _in_time(mask, scores))

        def backward(tag, came_from):
            before = ops.take_along_axis(came_from, tag[:, None], axis=1)[:, 0]
            return before, tag

        tag = ops.cast(ops.argmax(best + last, axis=-1), "int32")
        _, tags = ops.scan(backward, tag, came_from, reverse=True)
        return ops.transpose(tags)

    def _of_step(self, now):
        """One step of the parts that `_in_time` joined, and whether that step is unmasked."""
        cuts = [*range(self.num_tags, now.shape[-1], self.num_tags)]  # JAX needs a list
        *parts, counts = ops.split(now, cuts, axis=-1)
        return (*parts, counts > 0)

    def named(self, path: np.ndarray):
        """The tag names `(batch, timesteps)` of one-hot tags."""
        return np.array(self.class_names, object)[path.argmax(axis=-1)]

    def get_config(self):
        config = {**super().get_config(), "num_tags": self.num_tags}
        return config if self.class_names is None else config | {"class_names": [*self.class_names]}


def _in_time(mask, *parts):
    """Join all parts and the mask (as 0 and 1) into one array, with time as its first axis.

    On TensorFlow, `keras.ops.scan` runs over several arrays only if it knows their length.
    """
    counts = ops.ones_like(parts[0][..., :1])
    if mask is not None:
        counts = counts * ops.cast(mask, counts.dtype)[..., None]
    return ops.swapaxes(ops.concatenate([*parts, counts], axis=-1), 0, 1)
