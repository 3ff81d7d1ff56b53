"""From data as users have it to what models read: windows of series, padding, batches by length."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks

MOST_TO_PERMUTE = 10_000_000  # windows; a permutation of more would itself fill the memory


class Windows(keras.utils.PyDataset):
    """Batches of windows, cut when they are asked for; `lz.windows` makes it.

    `model.fit(windows)` trains on it; `len(windows)` counts batches, `windows.count` windows.

    Example:
        >>> x, y = windows(np.arange(6.0), input_steps=3, horizon=2)[0]
        >>> x.shape, y.tolist()
        ((2, 3, 1), [[3.0, 4.0], [4.0, 5.0]])
    """

    def __init__(
        self, series, input_steps, horizon, stride, targets, known_future, static, *rest, **kwargs
    ):
        super().__init__(**kwargs)
        self.batch_size, self.shuffle, self._rng = rest
        self.series = series
        self.input_steps, self.horizon, self.stride = input_steps, horizon, stride
        self.targets, self.known_future, self.static = targets, known_future, static
        counts = [(len(one) - input_steps - horizon) // stride + 1 for one in series]
        self._ends = np.cumsum(counts)
        self.count = int(self._ends[-1])
        self._order = _in_order
        self.on_epoch_end()

    def __len__(self):
        return math.ceil(self.count / self.batch_size)

    def __getitem__(self, index):
        first = index * self.batch_size
        numbers = np.arange(first, min(first + self.batch_size, self.count))
        numbers = self._order(numbers)
        which = np.searchsorted(self._ends, numbers, side="right")
        before = np.where(which > 0, self._ends[which - 1], 0)
        starts = (numbers - before) * self.stride
        whole = self.input_steps + self.horizon
        steps = np.stack([self.series[k][s : s + whole] for k, s in zip(which, starts)])
        steps = checks.finite("series", steps).astype("float32")
        past, ahead = steps[:, : self.input_steps], steps[:, self.input_steps :]
        y = ahead[..., self.targets]
        x: Any = {"sequence": past}
        if self.known_future:
            x["known_future"] = ahead[..., list(self.known_future)]
        if self.static is not None:
            x["static"] = self.static[which]
        return (x if len(x) > 1 else past), y

    def on_epoch_end(self):
        if not self.shuffle:
            return
        if self.count <= MOST_TO_PERMUTE:
            self._order = self._rng.permutation(self.count).__getitem__
        else:
            self._order = _scattered(self.count, self._rng)

    def arrays(self):
        """All windows at once, in order: x, or a dict of its parts, and y."""
        order, self._order = self._order, _in_order
        batches = [self[k] for k in range(len(self))]
        self._order = order
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)


def _in_order(numbers):
    return numbers


def _scattered(count, rng):
    """A rearrangement of 0 to `count - 1` that takes no memory: `a k + b` modulo `count`."""
    a = int(rng.integers(count // 3, count // 2))
    while math.gcd(a, count) > 1:
        a += 1
    b = int(rng.integers(count))
    return lambda numbers: np.array([(a * int(k) + b) % count for k in numbers])


def windows(
    series: npt.ArrayLike | Sequence[npt.ArrayLike],
    input_steps: int,
    horizon: int,
    stride: int = 1,
    *,
    targets: int | Sequence[int] = 0,
    known_future: Sequence[int] = (),
    static: npt.ArrayLike | None = None,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int | None = None,
) -> Windows:
    """Cut one series or many into what a forecaster sees and what it must foresee, lazily.

    Nothing is copied but the batch that is asked for: the series may be a memory map that is larger
    than the memory. `.arrays()` gives all windows as arrays, for series that are small.

    Args:
        series: `(timesteps, features)`, or `(timesteps,)` for one feature; a list of these, of any
            lengths; or `(series, timesteps, features)`.
        input_steps: steps that the model reads.
        horizon: steps that follow them, which the model forecasts.
        stride: steps from the start of one window to the start of the next.
        targets: the feature to forecast, or several.
        known_future: features that are known for the steps ahead too.
        static: `(series, numbers)`, what is known of each series as a whole.
        batch_size: windows a batch.
        shuffle: whether each epoch has another order.
        seed: of that order.

    Returns:
        `Windows`, a `keras.utils.PyDataset` of x and y: x `(batch, input_steps, features)`, or a
        dict of "sequence", "known_future" `(batch, horizon, features)` and "static", as
        `build_forecaster` takes it; y `(batch, horizon)`, or `(batch, horizon, targets)`.

    Raises:
        ValueError: a count below 1, a series that is too short or of another rank, a feature that
            is not there; and, when a batch is asked for, numbers that are not finite.

    Example:
        >>> many = [np.zeros((10, 2)), np.ones((7, 2))]
        >>> data = windows(many, 4, 2, known_future=[1], static=[[0.0], [1.0]])
        >>> data.count
        7
        >>> x, y = data.arrays()
        >>> {name: part.shape for name, part in x.items()}, y.shape
        ({'sequence': (7, 4, 2), 'known_future': (7, 2, 1), 'static': (7, 1)}, (7, 2))
    """
    input_steps = checks.count("input_steps", input_steps)
    horizon, stride = checks.count("horizon", horizon), checks.count("stride", stride)
    each = _as_panel(series)
    if not each:
        raise ValueError("series must hold at least one series, got none")
    features = each[0].shape[1]
    for one in each:
        checks.shape("series", one.shape, ("timesteps", features))
        if len(one) < input_steps + horizon:
            raise ValueError(
                f"series must have at least input_steps + horizon = {input_steps + horizon} "
                f"timesteps, got {len(one)}"
            )
    one_target = isinstance(targets, (int, np.integer))
    chosen = [checks.count("targets", k, least=0, below=features) for k in np.atleast_1d(targets)]
    known_future = [
        checks.count("known_future", k, least=0, below=features)
        for k in checks.listing("known_future", known_future)
    ]
    if static is not None:
        static = checks.finite("static", static, 2).astype("float32")
        checks.shape("static", static.shape, (len(each), None))
    return Windows(
        each,
        input_steps,
        horizon,
        stride,
        chosen[0] if one_target else chosen,
        known_future,
        static,
        checks.count("batch_size", batch_size),
        bool(shuffle),
        checks.generator("seed", seed),
    )


def _as_panel(series):
    """A list of `(timesteps, features)`; a memory map stays one."""
    many = isinstance(series, (list, tuple)) and series and np.ndim(series[0]) > 0
    if not many:
        series = series if isinstance(series, np.ndarray) else checks.array("series", series)
        many = series.ndim == 3
    each = list(series) if many else [series]
    each = [one if isinstance(one, np.ndarray) else checks.array("series", one) for one in each]
    each = [one[:, None] if one.ndim == 1 else one for one in each]
    for one in each:
        if one.ndim != 2 or one.size == 0 or one.dtype.kind not in "biuf":
            raise ValueError(
                "series must be numbers of shape (timesteps, features) or (timesteps,), "
                f"got {one.dtype} of shape {one.shape}"
            )
    return each


@dataclass(frozen=True, eq=False)
class Panel:
    """Several series of one table; `lz.panel` makes it.

    `series` has an array `(timesteps, features)` for each of `ids`, the target first; `times` what
    stands in the column of time; `static` is `(series, numbers)` or None; `known_future` are the
    positions in `feature_names` of what is known ahead.
    """

    ids: tuple
    times: list[np.ndarray]
    series: list[np.ndarray]
    feature_names: tuple[str, ...]
    known_future: tuple[int, ...]
    static: np.ndarray | None

    def windows(self, input_steps: int, horizon: int, stride: int = 1, **options) -> Windows:
        """`lz.windows` of these series, with their known future and static numbers."""
        options = {"known_future": self.known_future, "static": self.static, **options}
        return windows(self.series, input_steps, horizon, stride, **options)


def panel(
    table: Mapping[str, npt.ArrayLike] | Any,
    *,
    unique_id: str = "unique_id",
    ds: str = "ds",
    y: str = "y",
    past: Sequence[str] = (),
    known_future: Sequence[str] = (),
    static: Sequence[str] = (),
) -> Panel:
    """Several series from one long table, a row for each series and time.

    Args:
        table: a pandas or polars frame, or a dict of columns.
        unique_id, ds, y: the columns that say which series, when, and how much.
        past: further columns, known up to now; `known_future`: those known ahead too; `static`:
            those that stay the same within a series. Numbers, all of them.

    Returns:
        A `Panel`; the rows of each series are put in the order of time.

    Raises:
        ValueError: a column that is not there, is no number, is not finite or not as long as the
            others; a time that occurs twice in a series; a static column that changes.

    Example:
        >>> table = {"unique_id": ["b", "a", "a"], "ds": [1, 2, 1], "y": [5.0, 7.0, 6.0]}
        >>> many = panel(table)
        >>> many.ids, [one[:, 0].tolist() for one in many.series]
        (('a', 'b'), [[6.0, 7.0], [5.0]])
    """
    static = checks.listing("static", static)
    names = [y, *checks.listing("known_future", known_future), *checks.listing("past", past)]
    if not hasattr(table, "columns") and not isinstance(table, Mapping):
        raise ValueError(f"table must be a dict of columns or a data frame, got {table!r:.80}")
    known = checks.listing("table", getattr(table, "columns", table))
    for name in (unique_id, ds, *names, *static):
        checks.one_of("column", name, known)
    who, when = np.asarray(table[unique_id]), np.asarray(table[ds])
    columns = [checks.finite(name, np.asarray(table[name]), 1) for name in names]
    fixed = [checks.finite(name, np.asarray(table[name]), 1) for name in static]
    for name, column in zip((ds, *names, *static), (when, *columns, *fixed)):
        checks.shape(name, column.shape, who.shape)
    ids, number = np.unique(who, return_inverse=True)
    order = np.lexsort((when, number))
    cuts = np.flatnonzero(np.diff(number[order])) + 1
    rows = np.split(order, cuts)
    values = np.stack(columns, axis=1).astype("float32")
    statics = []
    for name, index in zip(ids, rows):
        if (when[index][1:] == when[index][:-1]).any():
            raise ValueError(f"{ds} must not occur twice in a series, as it does in {name!r}")
        of_series = [column[index] for column in fixed]
        for label, column in zip(static, of_series):
            if (column != column[0]).any():
                raise ValueError(f"{label} must stay the same within a series, not so in {name!r}")
        statics.append([column[0] for column in of_series])
    return Panel(
        tuple(ids.tolist()),
        [when[index] for index in rows],
        [values[index] for index in rows],
        tuple(names),
        tuple(range(1, 1 + len(known_future))),
        np.array(statics, "float32") if static else None,
    )


def pad(
    sequences: Sequence[npt.ArrayLike], *, value: float = 0.0, length: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of unequal length as one array, filled up behind, and their lengths.

    Args:
        sequences: each `(timesteps, features)`, or `(timesteps,)` for one feature.
        value: what fills up; give it to the builder as `mask_value`.
        length: timesteps of the array; the longest sequence's if None.

    Returns:
        `(samples, length, features)` float32, and `(samples,)` int32.

    Raises:
        ValueError: none at all, another rank, numbers that are not finite, a sequence longer than
            `length`, or a true step that is all `value`: it would be taken for padding.

    Example:
        >>> x, lengths = pad([[1.0, 2.0, 3.0], [4.0]])
        >>> x[..., 0].tolist(), lengths.tolist()
        ([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]], [3, 1])
    """
    value = checks.number("value", value)
    each = [checks.finite("sequences", s, 1, 2) for s in checks.listing("sequences", sequences)]
    if not each:
        raise ValueError("sequences must hold at least one sequence, got none")
    each = [one[:, None] if one.ndim == 1 else one for one in each]
    lengths = np.array([len(one) for one in each], "int32")
    longest = int(lengths.max())
    length = longest if length is None else checks.count("length", length, least=longest)
    x = np.full((len(each), length, each[0].shape[1]), value, "float32")
    for row, one in zip(x, each):
        checks.shape("sequences", one.shape, ("timesteps", x.shape[2]))
        if (one == value).all(axis=1).any():
            raise ValueError(
                f"value must not fill a true step, got {value}; take one that does not occur, "
                "such as -999.0"
            )
        row[: len(one)] = one
    return x, lengths


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


def _filled(each, width, value):
    out = np.full((len(each), width, *each[0].shape[1:]), value, each[0].dtype)
    for row, one in zip(out, each):
        row[: len(one)] = one
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
        ValueError: none at all, unequal counts, another rank, numbers that are not finite.

    Example:
        >>> data = batches_by_length([np.ones(n) for n in (2, 9, 3, 8)], [0, 1, 0, 1],
        ...     batch_size=2, num_shapes=2, shuffle=False)
        >>> [x.shape for x, _ in (data[0], data[1])]
        [(2, 3), (2, 9)]
    """
    each = [checks.finite("sequences", s, 1, 2) for s in checks.listing("sequences", sequences)]
    if not each:
        raise ValueError("sequences must hold at least one sequence, got none")
    for one in each:
        checks.shape("sequences", one.shape[1:], each[0].shape[1:])
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
    return _ByLength(
        each,
        targets,
        checks.count("batch_size", batch_size),
        np.unique(lengths[ends]),
        checks.number("value", value),
        bool(shuffle),
        checks.generator("seed", seed),
    )
