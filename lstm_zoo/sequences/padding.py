"""Sequences of unequal length: filled up to one length, or batched by length."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, precision
from lstm_zoo.sequences.gaps import filler, no_true_step
from lstm_zoo.texts import holds_texts


def pad(
    sequences: Sequence[npt.ArrayLike], *, value: float = 0.0, length: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of unequal length as one array, filled up behind, and their lengths.

    Args:
        sequences: each `(timesteps, features)`, or `(timesteps,)`: whole numbers are tokens, others
            one feature. `lz.encode_texts` makes tokens of texts.
        value: what fills up; give it to the builder as `mask_value`.
        length: timesteps of the array; the longest sequence's if None.

    Returns:
        `(samples, length, features)` float32, of tokens `(samples, length)` int32; and the lengths,
        `(samples,)` int32.

    Raises:
        ValueError: none at all, another rank, numbers that are not finite or whose changes float32
            rounds away, a sequence longer than `length`, or a true step that is all `value`: it
            would be taken for padding.

    Example:
        >>> x, lengths = pad([[1.0, 2.0, 3.0], [4.0]])
        >>> x[..., 0].tolist(), lengths.tolist()
        ([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]], [3, 1])
        >>> pad([[5, 7, 2], [4]])[0].tolist()
        [[5, 7, 2], [4, 0, 0]]
    """
    value = filler("value", value)
    each = _checked(sequences)
    tokens = all(one.ndim == 1 and one.dtype.kind in "iu" for one in each)
    each = [one[:, None] if one.ndim == 1 else one for one in each]
    lengths = np.array([len(one) for one in each], "int32")
    longest = int(lengths.max())
    length = longest if length is None else checks.count("length", length, least=longest)
    x = np.full((len(each), length, each[0].shape[1]), value, "float32")
    for sample, one in zip(x, each):
        sample[: len(one)] = one
        no_true_step("value", value, sample[: len(one)])
    return (x[..., 0].astype("int32") if tokens else x), lengths


def _checked(sequences):
    """Arrays of one number of features, `(timesteps, features)` or `(timesteps,)`."""
    if holds_texts(sequences):
        raise ValueError("sequences must hold numbers; lz.encode_texts makes them of texts")
    each = [checks.finite("sequences", s, 1, 2) for s in checks.listing("sequences", sequences)]
    if not each:
        raise ValueError("sequences must hold at least one sequence, got none")
    for one in each:
        checks.shape("sequences", one.shape, ("timesteps", *each[0].shape[1:]))
    several = max(map(len, each)) > 1
    precision.check_single("sequences", each if several else [np.concatenate(each)])
    return each


class _ByLength(keras.utils.PyDataset):
    def __init__(self, each, y, batch_size, widths, value, shuffle, rng):
        super().__init__()
        self.each, self.y, self.value = each, y, value
        self.batch_size, self.shuffle = batch_size, shuffle
        self._rng = rng
        lengths = np.array([len(one) for one in each])
        bucket = np.searchsorted(widths, lengths)
        self._buckets = [(w, np.flatnonzero(bucket == k)) for k, w in enumerate(widths)]
        self.on_epoch_end()

    def __repr__(self):
        widths = checks.span(width for width, _ in self._batches)
        return (
            f"batches_by_length({len(self.each)} sequences in {len(self)} batches of up to "
            f"{self.batch_size}, {widths} steps)"
        )

    def on_epoch_end(self):
        batches = []
        for width, samples in self._buckets:
            if self.shuffle:
                samples = self._rng.permutation(samples)
            for first in range(0, len(samples), self.batch_size):
                batches.append((width, samples[first : first + self.batch_size]))
        if self.shuffle:
            batches = [batches[k] for k in self._rng.permutation(len(batches))]
        self._batches = batches

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, index):
        width, samples = self._batches[index]
        x = _filled([self.each[k] for k in samples], width, self.value)
        if isinstance(self.y, list):
            return x, _filled([self.y[k] for k in samples], width, 0)
        return x, self.y[samples]


def _alike(each, value):
    """Arrays of one type, which holds `value` too."""
    dtype = np.result_type(*{one.dtype for one in each})
    if dtype.kind in "biu" and value != int(value):
        raise ValueError(f"value must be whole where sequences are whole numbers, got {value}")
    return [one.astype(dtype, copy=False) for one in each]


def _filled(each, width, value):
    dtype = np.result_type(*{one.dtype for one in each})
    out = np.full((len(each), width, *each[0].shape[1:]), value, dtype)
    for sample, one in zip(out, each):
        sample[: len(one)] = one
    return out


def batches_by_length(
    sequences: Sequence[npt.ArrayLike],
    y: np.ndarray | Sequence[Any],
    *,
    batch_size: int = 32,
    num_shapes: int = 4,
    value: float = 0,
    shuffle: bool = True,
    seed: int | None = None,
) -> keras.utils.PyDataset:
    """Batches of sequences of like length, filled up to one of a few lengths only.

    Less is computed on padding, and TensorFlow compiles for few shapes.

    Args:
        sequences: each `(timesteps, features)`, or `(timesteps,)` of tokens.
        y: `(samples, ...)`, a target a sequence; or a list of arrays, a target a step.
        batch_size: sequences a batch; the last of each length may have fewer.
        num_shapes: how many lengths the batches have at most.
        value: what fills up; give it to the builder as `mask_value`. Targets are filled with 0.
        shuffle: whether each epoch has other batches, in another order.
        seed: of that order.

    Returns:
        A `keras.utils.PyDataset` of x and y, for `model.fit`.

    Raises:
        ValueError: none at all, unequal counts, another rank, numbers that are not finite or whose
            changes float32 rounds away, or, where sequences are filled up, a true step that is all
            `value`: it would be taken for padding.

    Example:
        >>> data = batches_by_length([np.ones(n) for n in (2, 9, 3, 8)], [0, 1, 0, 1],
        ...     batch_size=2, num_shapes=2, shuffle=False)
        >>> [x.shape for x, _ in (data[0], data[1])]
        [(2, 3), (2, 9)]
    """
    each = _checked(sequences)
    value = filler("value", value)
    each = _alike(each, value)
    count = len(checks.listing("y", y))
    if count != len(each):
        raise ValueError(f"y must be as many as sequences, {len(each)}, got {count}")
    by_step = isinstance(y, (list, tuple)) and np.ndim(y[0]) > 0
    targets: Any = [np.asarray(one) for one in y] if by_step else np.asarray(y)
    if not by_step and targets.ndim == 0:
        raise ValueError(f"y must be an array or a list, got {type(y).__name__}")
    if by_step:
        for one, target in zip(each, targets):
            checks.shape("y", target.shape[:1], one.shape[:1])
    lengths = np.sort([len(one) for one in each])
    num_shapes = min(checks.count("num_shapes", num_shapes), len(lengths))
    # Each shape is the longest of its share of the sequences.
    ends = np.ceil(np.arange(1, num_shapes + 1) * len(lengths) / num_shapes).astype(int) - 1
    widths = np.unique(lengths[ends])
    if not np.isin(lengths, widths).all():  # some are filled up
        for one in each:
            no_true_step("value", value, one.reshape(len(one), -1))
    return _ByLength(
        each,
        targets,
        checks.count("batch_size", batch_size),
        widths,
        value,
        bool(shuffle),
        checks.generator("seed", seed),
    )
