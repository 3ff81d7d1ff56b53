"""Windows of one series or many, cut when they are asked for."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, precision
from lstm_zoo.sequences.gaps import filler

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
        self, series, input_steps, horizon, starts, targets, known_future, static, *rest, **kwargs
    ):
        super().__init__(**kwargs)
        self.batch_size, self.shuffle, self._rng = rest
        self.series, self._starts = series, starts
        self.input_steps, self.horizon = input_steps, horizon
        self.targets, self.known_future, self.static = targets, known_future, static
        self._ends = np.cumsum([len(one) for one in starts])
        self.count = int(self._ends[-1])
        self._order = _in_order
        self.on_epoch_end()

    def __repr__(self):
        return (
            f"Windows({self.count} of {len(self.series)} series, {self.input_steps} steps of "
            f"{self.series[0].shape[1]} features to {self.horizon} ahead, in {len(self)} batches "
            f"of {self.batch_size})"
        )

    def __len__(self):
        return math.ceil(self.count / self.batch_size)

    def __getitem__(self, index):
        first = index * self.batch_size
        numbers = np.arange(first, min(first + self.batch_size, self.count))
        numbers = self._order(numbers)
        which = np.searchsorted(self._ends, numbers, side="right")
        before = np.where(which > 0, self._ends[which - 1], 0)
        starts = [self._starts[k][n] for k, n in zip(which, numbers - before)]
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

    def part(self, start: int | None, stop: int | None) -> "Windows":
        """The windows whose steps ahead all lie in `series[start:stop]`, of each series.

        Raises:
            ValueError: there are none.

        Example:
            >>> data = windows(np.arange(20.0), input_steps=3, horizon=2)
            >>> train, validation = data.part(None, -5), data.part(-5, None)
            >>> train[len(train) - 1][1][-1].tolist(), validation[0][1][0].tolist()
            ([13.0, 14.0], [15.0, 16.0])
        """
        starts: list[Any] = []
        for one, some in zip(self.series, self._starts):
            first, last, _ = slice(start, stop).indices(len(one))
            ahead = np.asarray(some) + self.input_steps
            starts.append(np.asarray(some)[(ahead >= first) & (ahead + self.horizon <= last)])
        if not any(map(len, starts)):
            raise ValueError(
                f"start and stop must leave a window of {self.input_steps} + {self.horizon} steps, "
                f"got {start} and {stop} of series of {checks.span(map(len, self.series))} steps"
            )
        rest = (self.targets, self.known_future, self.static, self.batch_size, self.shuffle)
        return Windows(self.series, self.input_steps, self.horizon, starts, *rest, self._rng)

    def arrays(self):
        """All windows at once, in order: x, or a dict of arrays, and y."""
        order, self._order = self._order, _in_order
        batches = [self[k] for k in range(len(self))]
        self._order = order
        return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *batches)


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
    series: npt.ArrayLike | Sequence[npt.ArrayLike] | Any,
    input_steps: int,
    horizon: int,
    stride: int = 1,
    *,
    targets: int | str | Sequence[int] | Sequence[str] = 0,
    known_future: Sequence[int] | Sequence[str] = (),
    static: npt.ArrayLike | None = None,
    mask_value: float | None = None,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int | None = None,
) -> Windows:
    """Cut one series or many into what a forecaster sees and what it must foresee, lazily.

    Nothing is copied but the batch that is asked for: the series may be a memory map that is larger
    than the memory. `.arrays()` gives all windows as arrays, for series that are small.

    Args:
        series: `(timesteps, features)`, or `(timesteps,)` for one feature; a list of these, of any
            lengths; or `(series, timesteps, features)`. A frame of one series (pandas, polars, a
            dict of columns) where `targets` names columns: its rows are put in the order of time.
            `lz.panel` takes frames of many.
        input_steps: steps that the model reads.
        horizon: steps that follow them, which the model forecasts.
        stride: steps from the start of one window to the start of the next.
        targets: the feature to forecast, or several; of a frame, their names.
        known_future: features that are known for the steps ahead too; of a frame, their names.
        static: `(series, numbers)`, what is known of each series as a whole.
        mask_value: what fills a step that is missing. No window has such a step in what is to be
            forecast, and none has only such steps before it. Give it to the builder too.
        batch_size: windows a batch.
        shuffle: whether each epoch has another order.
        seed: of that order.

    Returns:
        `Windows`, a `keras.utils.PyDataset` of x and y: x `(batch, input_steps, features)`, or a
        dict of "sequence", "known_future" `(batch, horizon, features)` and "static", as
        `build_forecaster` takes it; y `(batch, horizon)`, or `(batch, horizon, targets)`.

    Raises:
        ValueError: a count below 1, a series that is too short or of another rank, a feature that
            is not there, numbers whose changes float32 rounds away (from 1e9 to 1e9 + 1); and, when
            a batch is asked for, numbers that are not finite.

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
    if np.asarray(targets).dtype.kind in "UO":
        from lstm_zoo.sequences.frames import numbered  # which stands on this module

        series, targets, known_future = numbered(series, targets, known_future)
    each = _checked_series(series, input_steps, horizon)
    features = each[0].shape[1]
    chosen = _checked_features("targets", np.atleast_1d(targets), features)
    known_future = checks.listing("known_future", known_future)
    if static is not None:
        static = precision.single("static", checks.finite("static", static, 2))
        checks.shape("static", static.shape, (len(each), None))
    return Windows(
        *(each, input_steps, horizon),
        _starts(each, input_steps, horizon, stride, mask_value),
        chosen[0] if isinstance(targets, (int, np.integer)) else chosen,
        _checked_features("known_future", known_future, features),
        static,
        checks.count("batch_size", batch_size),
        bool(shuffle),
        checks.generator("seed", seed),
    )


def _starts(each, input_steps, horizon, stride, mask_value):
    """The steps at which the windows of each series start."""
    starts: Any = [range(0, len(one) - input_steps - horizon + 1, stride) for one in each]
    if mask_value is not None:
        return _without_gaps(each, starts, input_steps, horizon, mask_value)
    for one in each:
        precision.check_single("series", [one])
    return starts


def _checked_series(series, input_steps, horizon):
    """A list of `(timesteps, features)`, of one number of features and long enough for a window."""
    each = _listed(series)
    if not each:
        raise ValueError("series must hold at least one series, got none")
    for one in each:
        checks.shape("series", one.shape, ("timesteps", each[0].shape[1]))
        if len(one) < input_steps + horizon:
            raise ValueError(
                f"series must have at least input_steps + horizon = {input_steps + horizon} "
                f"timesteps, got {len(one)}"
            )
    return each


def _checked_features(argument, numbers, features):
    return [checks.count(argument, k, least=0, below=features) for k in numbers]


def _without_gaps(each, starts, input_steps, horizon, mask_value):
    """Of each series, the starts of windows with all steps ahead, and one at least before."""
    mask_value = filler("mask_value", mask_value)
    chosen = []
    for one, some in zip(each, map(np.array, starts)):
        missing = (one == mask_value).all(axis=1)
        precision.check_single("series", [one[~missing]])
        before = np.concatenate([[0], np.cumsum(missing)])
        middle = some + input_steps
        seen = before[middle] - before[some] < input_steps
        chosen.append(some[seen & (before[middle + horizon] == before[middle])])
    if not any(map(len, chosen)):
        raise ValueError(
            f"series must have {horizon} steps ahead of one window at least that are not missing, "
            f"but all have a step full of mask_value, {mask_value}"
        )
    return chosen


def _listed(series):
    """A list of `(timesteps, features)`; a memory map stays one."""
    many = isinstance(series, (list, tuple)) and series and np.ndim(series[0]) > 0
    if not many:
        series = series if isinstance(series, np.ndarray) else checks.array("series", series)
        many = series.ndim == 3
    each = list(series) if many else [series]
    each = [one if isinstance(one, np.ndarray) else checks.array("series", one) for one in each]
    for one in each:
        checks.unmasked("series", one)
    each = [one[:, None] if one.ndim == 1 else one for one in each]
    for one in each:
        if one.ndim != 2 or one.size == 0 or one.dtype.kind not in "biuf":
            raise ValueError(
                "series must be numbers of shape (timesteps, features) or (timesteps,), "
                f"got {one.dtype} of shape {one.shape}"
            )
    return each
