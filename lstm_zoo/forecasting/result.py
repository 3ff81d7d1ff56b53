"""What a backtest found: errors, coverage, conformal intervals, a table."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_zoo import checks
from lstm_zoo.sequences.calendars import Calendar


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """What `lz.backtest` found: truth and forecasts at each origin.

    A row is one forecast: of one target of one series at one origin. `origins` are how many steps
    of the series were known, `(rows,)`; `truth` is `(rows, horizon)`; `forecasts` has the same by
    name, `(rows, horizon)`. `scale` is the error of the seasonal naive forecast one step ahead on
    what was known first, `(rows,)` or one number for all. `bands` has by name what `quantiles` say,
    `(rows, horizon, quantiles)`, of models that forecast quantiles. `folds`, `ids`, `targets` say
    of each row its number of origin, series and target; `times` `(rows, horizon)` when.
    `trained_until` has by name the last time that each fold's model knew in its training.
    """

    origins: np.ndarray
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]
    scale: Any
    folds: np.ndarray
    ids: list
    targets: list
    times: list
    calendar: Calendar
    quantiles: tuple[float, ...] = ()
    bands: dict[str, np.ndarray] = field(default_factory=dict)
    trained_until: dict[str, list] = field(default_factory=dict)

    def __repr__(self) -> str:
        _, horizon = self.truth.shape
        errors = [f"{name} {error['mae']:.3g}" for name, error in self.errors().items()]
        series = f"{len(set(self.ids))} series, " if len(set(self.ids)) > 1 else ""
        said = f"{series}{self.folds[-1] + 1} origins, {horizon} steps ahead"
        return f"Backtest({said}; mean absolute error: {checks.listed(errors) or 'no forecast'})"

    def errors(self, by: str | None = None) -> dict[str, Any]:
        """How large errors are, by name of the forecast.

        Args:
            by: None; or "horizon", "series" or "target" for the errors of each step ahead, from 1,
                of each series or of each target.

        Returns:
            By name: "mae", "rmse", and "mase", the mean absolute error as a multiple of that of the
            seasonal naive forecast one step ahead on what was known first (Hyndman & Koehler 2006);
            NaN where that is 0. With `by`, a dict of these for each step ahead, series or target.
        """
        if by is None:
            return {name: self._error(name, ...) for name in self.forecasts}
        checks.one_of("by", by, ["horizon", "series", "target"])
        parts: dict[Hashable, Any]
        if by == "horizon":
            parts = {k + 1: (slice(None), [k]) for k in range(self.truth.shape[1])}
        else:
            of_rows = np.array(self.ids if by == "series" else self.targets, object)
            parts = {one: of_rows == one for one in dict.fromkeys(of_rows.tolist())}
        return {
            name: {key: self._error(name, part) for key, part in parts.items()}
            for name in self.forecasts
        }

    def _error(self, name, part):
        error = (self.forecasts[name] - self.truth)[part]
        scale = np.broadcast_to(np.reshape(self.scale, (-1, 1)), self.truth.shape)[part]
        with np.errstate(divide="ignore", invalid="ignore"):
            mase = np.mean(np.abs(error) / np.where(scale > 0, scale, np.nan))
        return {
            "mae": float(np.mean(np.abs(error))),
            "rmse": float(np.sqrt(np.mean(error**2))),
            "mase": float(mase),
        }

    def coverage(self) -> dict[str, dict[float, float]]:
        """The share of the truth in each band, by name of the forecast and level of the band."""
        found: dict[str, dict[float, float]] = {}
        for name, bands in self.bands.items():
            found[name] = {}
            for k in range(len(self.quantiles) // 2):
                level = round(self.quantiles[-1 - k] - self.quantiles[k], 6)
                inside = (bands[..., k] <= self.truth) & (self.truth <= bands[..., -1 - k])
                found[name][level] = float(inside.mean())
        return found

    def frame(self):
        """A pandas DataFrame with a row for each forecast number: id, time, target, origin, step
        ahead, truth, and a column for each forecast and quantile."""
        import pandas

        rows, horizon = self.truth.shape
        columns: dict[str, Any] = {}
        if self.calendar.id_name is not None:
            columns[self.calendar.id_name] = np.repeat(np.array(self.ids, object), horizon)
        if self.calendar.name is not None:
            columns[self.calendar.name] = self.calendar.shown(np.concatenate(self.times))
        if len(set(self.targets)) > 1:
            columns["target"] = np.repeat(self.targets, horizon)
        columns["origin"] = np.repeat(self.origins, horizon)
        columns["step"] = np.tile(np.arange(1, horizon + 1), rows)
        columns["truth"] = self.truth.ravel()
        for name, forecast in self.forecasts.items():
            columns[name] = forecast.ravel()
            for k, q in enumerate(self.quantiles):
                if name in self.bands and q != 0.5:
                    columns[f"{name} q{q:g}"] = self.bands[name][..., k].ravel()
        return pandas.DataFrame(columns)

    def drawn(self, name, series=None, target=None):
        """What `lz.plots.plot_backtest` draws, each a list over origins: times `(horizon,)`, truth
        `(horizon,)`, forecasts `(horizon, quantiles)`; and the quantiles and the target's name."""
        series = self.ids[0] if series is None else series
        if series not in self.ids:
            ids = checks.listed(dict.fromkeys(self.ids))
            raise ValueError(f"series must be one of {ids}, got {series!r}")
        target = checks.one_of("target", target or self.targets[0], dict.fromkeys(self.targets))
        of_rows = [one == (series, target) for one in zip(self.ids, self.targets)]
        rows = np.flatnonzero(of_rows)
        found, quantiles = self.forecasts[name][..., None], (0.5,)
        if name in self.bands:
            found, quantiles = self.bands[name], self.quantiles
        times = [self.calendar.shown(self.times[row]) for row in rows]
        return times, self.truth[rows], found[rows], quantiles, target

    def intervals(self, name: str, coverage: float = 0.9) -> "Intervals":
        """Split-conformal intervals around the forecasts of one model.

        The width for each step ahead is set on the first half of the origins. The share of the
        truth inside is measured on the second half.

        Args:
            name: which model, a key of `forecasts`.
            coverage: share of the truth that is to lie within, between 0 and 1.

        Returns:
            `Intervals`.

        Raises:
            ValueError: an unknown name; or too few origins for this coverage.
        """
        checks.one_of("name", name, self.forecasts)
        (coverage,) = checks.rising_fractions("coverage", [coverage])
        first = self.folds < (self.folds[-1] + 1) // 2
        unit: Any = np.reshape(self.scale, (-1, 1)) if np.size(self.scale) > 1 else np.ones((1, 1))
        unit = np.broadcast_to(np.where(unit > 0, unit, 1.0), self.truth.shape)
        error = np.sort((np.abs(self.forecasts[name] - self.truth) / unit)[first], axis=0)
        rank = int(np.ceil((len(error) + 1) * coverage))
        if rank > len(error):
            least = 2 * int(np.ceil(round(coverage / (1 - coverage), 9)))
            raise ValueError(
                f"coverage of {coverage} needs at least {least} origins, got {len(self.origins)}"
            )
        width = (error[rank - 1] * unit)[~first]
        forecast, truth = self.forecasts[name][~first], self.truth[~first]
        inside = np.abs(forecast - truth) <= width
        return Intervals(self.origins[~first], forecast - width, forecast + width, inside.mean())


@dataclass(frozen=True, eq=False, repr=False)
class Intervals:
    """`lower` and `upper`, `(origins, horizon)`, and the share of the truth within them."""

    origins: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    covered: float

    def __repr__(self) -> str:
        origins, horizon = self.lower.shape
        width = np.mean(self.upper - self.lower)
        return (
            f"Intervals({origins} origins, {horizon} steps ahead: {self.covered:.0%} of the truth "
            f"within, mean width {width:.3g})"
        )
