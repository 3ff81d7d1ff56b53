"""Forecast series beyond their end: from a frame or an array to a frame of forecasts."""

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.forecasting import learning
from lstm_zoo.forecasting.bands import all_quantiles
from lstm_zoo.forecasting.learning import Fitted, Plan, fitted
from lstm_zoo.forecasting.progress import Progress
from lstm_zoo.forecasting.seasons import season_of
from lstm_zoo.sequences.calendars import Calendar
from lstm_zoo.sequences.frames import read
from lstm_zoo.sequences.table import Panel


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """What `lz.forecast` found: numbers beyond the end of each series.

    `ids` are the names of the series, `times` those of their steps ahead, `targets` what is
    forecast. `values` `(series, horizon, targets)` are the medians; `bands` `(series, horizon,
    targets, quantiles)` has the forecast for each of `quantiles`. `model` is the trained
    `keras.Model`; `season` and `input_steps` are what it was made for; `trained_until` is the last
    time of each series that it knew.
    """

    ids: tuple
    times: list[np.ndarray]
    targets: tuple[str, ...]
    bands: np.ndarray
    quantiles: tuple[float, ...]
    season: int
    input_steps: int
    trained_until: list
    model: keras.Model
    fitted: Fitted
    series: Panel
    calendar: Calendar

    @property
    def values(self) -> np.ndarray:
        """The medians, `(series, horizon, targets)`."""
        return self.bands[..., self.quantiles.index(0.5)]

    def frame(self):
        """A pandas DataFrame with a row for each series, step ahead and target.

        Its columns are the ids and times as the data called them, "target" where there are several,
        "forecast" (the median), and "q0.05" and so on for each other quantile.
        """
        import pandas

        horizon = self.bands.shape[1]
        parts = []
        for k, name in enumerate(self.ids):
            for j, target in enumerate(self.targets):
                part: dict[str, Any] = {}
                if self.calendar.id_name is not None:
                    part[self.calendar.id_name] = [name] * horizon
                part[self.calendar.name or "step"] = self.calendar.shown(self.times[k])
                if len(self.targets) > 1:
                    part["target"] = [target] * horizon
                part["forecast"] = self.values[k, :, j]
                for q, band in zip(self.quantiles, self.bands[k, :, j].T):
                    if q != 0.5:
                        part[f"q{q:g}"] = band
                parts.append(pandas.DataFrame(part))
        return pandas.concat(parts, ignore_index=True)

    def drawn(self, series=None, target=None, last=None):
        """What `lz.plots.plot_forecast` draws: times `(before + horizon,)`, the steps before, bands
        `(horizon, quantiles)`, quantiles, and the name of the target."""
        series = self.ids[0] if series is None else series
        if series not in self.ids:
            raise ValueError(f"series must be one of {checks.listed(self.ids)}, got {series!r}")
        k = self.ids.index(series)
        target = self.targets[0] if target is None else target
        j = self.targets.index(checks.one_of("target", target, self.targets))
        horizon = self.bands.shape[1]
        last = max(3 * horizon, 2 * self.season) if last is None else checks.count("last", last)
        before = self.series.series[k][-last:, j]
        times = np.concatenate([self.series.times[k][-last:], self.times[k]])
        return self.calendar.shown(times), before, self.bands[k, :, j], self.quantiles, target

    def __repr__(self) -> str:
        return f"{self._said()}\n{self.frame().to_string(max_rows=12, index=False)}"

    def _said(self):
        series = "1 series" if len(self.ids) == 1 else f"{len(self.ids)} series"
        return (
            f"Forecast of {series}, {self.bands.shape[1]} steps ahead (season {self.season}, "
            f"reads {self.input_steps} steps, trained until "
            f"{self.calendar.said(max(self.trained_until))})"
        )


def forecast(
    data,
    horizon: int,
    *,
    target: str | Sequence[str] | None = None,
    past: Sequence[str] = (),
    known_future: Sequence[str] = (),
    static: Sequence[str] = (),
    future=None,
    time: str | None = None,
    id: str | None = None,
    gaps: str = "refuse",
    season: int | None = None,
    input_steps: int | None = None,
    levels: Sequence[float] = (0.9,),
    quantiles: Sequence[float] | None = None,
    model: keras.Model | None = None,
    steps: int = 1500,
    members: int = 3,
    seed: int | None = None,
    checkpoint_dir: str | pathlib.Path | None = None,
    verbose: int = 1,
    **options,
) -> Forecast:
    """Train a forecaster on series and forecast what comes after their end.

    The last 15 % of each series, or a horizon if that is more, is to validate on: it ends the
    training and sets the width of the bands. Errors count as multiples of those of "the same as a
    season ago", so that series of all sizes count alike.

    Args:
        data: `(timesteps,)` numbers; a pandas Series; or a frame (pandas, polars, a dict of
            columns) with a row for each time, or for each series and time.
        horizon: steps to forecast.
        target: the column to forecast, or several; None takes the only one that is left.
        past: columns known up to now, such as the weather. `known_future`: those known ahead too,
            such as holidays. `static`: those that stay the same within a series. Numbers.
        future: with `known_future`, a frame of its columns for the steps ahead, with times and ids.
        time: the column or index of times: dates, text in ISO 8601, or numbers. None takes an index
            of dates, a column "ds", or the only column of dates.
        id: the column that says which series a row is of; None takes "unique_id", or is one series.
        gaps: where times are missing, "refuse"; "fill" repeats the row before; "join" takes each
            row as a step, and days go on on the weekdays that occur.
        season: steps after which the series repeats itself. None takes 12 for months, 4 for
            quarters, 52 for weeks, 7 for days, 5 for business days, a day for shorter steps.
        input_steps: steps that the model reads. None takes 3 seasons or 2 horizons, whichever is
            more, and at most a third of the longest series.
        levels: shares of the truth that the bands are to cover.
        quantiles: rising fractions to forecast instead of `levels`.
        model: a trained model of `build_forecaster` with the same quantiles, to take as it is.
        steps: training steps of 32 windows, at most, of each of `members`.
        members: networks to train from different weights; the model is their mean.
        seed: of the weights and the order of the windows.
        checkpoint_dir: folder for checkpoints, from which the same call goes on if it is
            interrupted.
        verbose: 1 says what was taken, and shows a progress bar; 0 nothing.
        **options: further arguments of `build_forecaster`, such as `lstm_units=32`.

    Raises:
        ValueError: naming the column and the first row that is wrong, or the argument.

    Example:
        >>> series = 100 + np.tile([1.0, 5.0, 2.0, 8.0], 15)
        >>> found = forecast(series, 4, season=4, steps=1, lstm_units=4, seed=0, verbose=0)
        >>> found.values.shape, list(found.frame().columns)
        ((1, 4, 1), ['step', 'forecast', 'q0.05', 'q0.95'])

    Source: Romano et al. 2019, Conformalized quantile regression, https://arxiv.org/abs/1905.03222.
    """
    columns = {"target": target, "past": past, "known_future": known_future, "static": static}
    panel, calendar = read_joined(data, gaps, time=time, id=id, **columns)
    taken: dict[str, Any] = {"season": season, "input_steps": input_steps, "options": options}
    taken |= {"quantiles": all_quantiles(levels, quantiles), "steps": steps, "seed": seed}
    if checkpoint_dir is not None:
        checkpoint_dir = checks.path("checkpoint_dir", checkpoint_dir)
    taken |= {"members": checks.count("members", members), "checkpoint_dir": checkpoint_dir}
    plan, said = plan_for(panel, calendar, checks.count("horizon", horizon), model=model, **taken)
    return _trained(panel, calendar, future, plan, model, said if verbose else None)


def _trained(panel, calendar, future, plan, model, said):
    """Train, unless a model is given, and forecast."""
    times = calendar.ahead(panel, plan.horizon)
    series = _with_future(panel, calendar, future, times, plan)
    if said is not None:
        print(said)
    progress = Progress(plan.members if model is None else 0, said is not None)
    trained = fitted(panel.series, panel.static, panel.ids, plan, progress, model=model)
    where = [(k, len(one)) for k, one in enumerate(panel.series)]
    return Forecast(
        panel.ids,
        times,
        panel.feature_names[: plan.num_targets],
        trained.quantiles(series, panel.static, where),
        plan.quantiles,
        plan.season,
        plan.input_steps,
        [times[-1] for times in panel.times],
        trained.model,
        trained,
        panel,
        calendar,
    )


def read_joined(data, gaps, **columns):
    """`read`, without steps that are masked."""
    if gaps == "mask":
        raise ValueError(
            "gaps must be 'refuse', 'fill' or 'join' to forecast, got 'mask'; a model of "
            "build_forecaster(mask_value=...) trains on lz.panel(gaps='mask', ...).windows(...)"
        )
    checks.one_of("gaps", gaps, ["refuse", "fill", "join"])
    return read(data, gaps=gaps, **columns)


def plan_for(panel, calendar, horizon, *, season, input_steps, model, longest=None, **rest):
    """The `Plan` for series of up to so many steps, and a line that says what was taken."""
    longest = max(map(len, panel.series)) if longest is None else longest
    if horizon >= longest:
        raise ValueError(f"horizon must be below the {longest} steps of the data, got {horizon}")
    season, frequency = season_of(panel, season, calendar.name is not None)
    if input_steps is None:
        input_steps = max(3 * season, 2 * horizon)
        input_steps = max(min(input_steps, longest // 3), season, 1)
    input_steps = checks.count("input_steps", input_steps, least=season)
    known = panel.known_future
    num_targets = panel.num_targets
    plan = Plan(
        horizon=horizon,
        season=season,
        input_steps=input_steps,
        num_targets=num_targets,
        known_future=known,
        **rest,
    )
    if model is not None:
        plan = learning.asked_of(model, plan, len(panel.feature_names))
    rows = f"{frequency} from {calendar.name!r}" if frequency else "each row a step"
    said = (
        f"{checks.listed(panel.feature_names[:num_targets])}: {rows}, season {season}; the model "
        f"reads {plan.input_steps} steps"
    )
    return plan, said


def _with_future(panel, calendar, future, times, plan):
    """The series, and after their end what is known of the steps ahead; NaN for what is not."""
    if not plan.known_future:
        if future is not None:
            raise ValueError("future must be None unless known_future names columns")
        return panel.series
    names = [panel.feature_names[k] for k in plan.known_future]
    if future is None:
        raise ValueError(
            f"future must have {checks.listed(names)} for the {plan.horizon} steps ahead, got None"
        )
    given, _ = read(future, target=names, time=calendar.name, id=calendar.id_name, gaps="join")
    whole = []
    for name, one, ahead in zip(panel.ids, panel.series, times):
        k = given.ids.index(name) if calendar.id_name and name in given.ids else 0
        added = np.full((plan.horizon, one.shape[1]), np.nan)
        if calendar.name is None:
            rows = np.arange(plan.horizon)[: len(given.series[k])]
        else:
            where = {moment: row for row, moment in enumerate(given.times[k].tolist())}
            rows = [where.get(moment) for moment in ahead.astype(given.times[k].dtype).tolist()]
        if len(rows) < plan.horizon or None in rows or (calendar.id_name and name not in given.ids):
            at = rows.index(None) if None in rows else 0
            raise ValueError(
                f"future must have {checks.listed(names)} for each step ahead, but lacks "
                f"{ahead[at]} of {name!r}"
            )
        added[:, list(plan.known_future)] = given.series[k][rows]
        whole.append(np.concatenate([one, added]))
    return whole
