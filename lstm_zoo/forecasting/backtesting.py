"""How good forecasts would have been: rolling origins, errors, conformal intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.forecasting.baselines import baselines_for
from lstm_zoo.forecasting.forecaster import Forecaster


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """What `lz.backtest` found: truth and forecasts at each origin.

    `origins` are how many steps of the series were known, `(origins,)`; `truth` is
    `(origins, horizon)`; `forecasts` has the same by name, `(origins, horizon)`.
    """

    origins: np.ndarray
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]
    scale: float

    def __repr__(self) -> str:
        origins, horizon = self.truth.shape
        errors = [f"{name} {error['mae']:.3g}" for name, error in self.errors().items()]
        said = f"{origins} origins, {horizon} steps ahead"
        return f"Backtest({said}; mean absolute error: {checks.listed(errors) or 'no forecast'})"

    def errors(self) -> dict[str, dict[str, float]]:
        """By name: "mae", "rmse", and "mase", the mean absolute error as a multiple of that of the
        seasonal naive forecast one step ahead on what was known first (Hyndman & Koehler 2006)."""
        found = {}
        for name, forecast in self.forecasts.items():
            error = forecast - self.truth
            mae = float(np.mean(np.abs(error)))
            found[name] = {
                "mae": mae,
                "rmse": float(np.sqrt(np.mean(error**2))),
                "mase": mae / self.scale if self.scale else float("nan"),
            }
        return found

    def intervals(self, name: str, coverage: float = 0.9) -> "Intervals":
        """Split-conformal intervals around the forecasts of one model.

        The first half of the origins says how wide they must be, for each step ahead; the second
        half, whether they are.

        Args:
            name: of `forecasts`.
            coverage: share of the truth that is to lie within, between 0 and 1.

        Returns:
            `Intervals`.

        Raises:
            ValueError: an unknown name; or too few origins for this coverage.
        """
        checks.one_of("name", name, self.forecasts)
        (coverage,) = checks.rising_fractions("coverage", [coverage])
        half = len(self.origins) // 2
        error = np.sort(np.abs(self.forecasts[name] - self.truth)[:half], axis=0)
        rank = int(np.ceil((half + 1) * coverage))
        if rank > half:
            least = 2 * int(np.ceil(round(coverage / (1 - coverage), 9)))
            raise ValueError(
                f"coverage of {coverage} needs at least {least} origins, got {len(self.origins)}"
            )
        width = error[rank - 1]
        forecast, truth = self.forecasts[name][half:], self.truth[half:]
        inside = np.abs(forecast - truth) <= width
        return Intervals(self.origins[half:], forecast - width, forecast + width, inside.mean())


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


def backtest(
    series: npt.ArrayLike,
    horizon: int,
    models: Mapping[str, Forecaster] | None = None,
    *,
    start: int,
    stride: int | None = None,
    season: int = 1,
    baselines: Sequence[str] | None = None,
) -> Backtest:
    """Forecast a series from one origin after another, each time knowing only what came before.

    Args:
        series: `(timesteps,)`, finite numbers.
        horizon: steps to forecast at each origin.
        models: by name, functions of the past `(known,)` and the horizon that give `(horizon,)`
            numbers: `lz.forecasting.forecasting_with(model, input_steps)` makes one of a model.
        start: how many steps are known at the first origin.
        stride: steps from one origin to the next; None takes the horizon.
        season: steps after which the series repeats itself; 1 if it does not.
        baselines: which of "naive" (the last value), "seasonal naive" (the last season), "linear"
            (ridge regression on the last season, or 24 steps, fitted before `start`) and
            "exponential smoothing" (Holt-Winters; needs statsmodels) stand beside the models. None
            takes all that can be had.

    Returns:
        A `Backtest`.

    Raises:
        ValueError: a series that is too short or not finite, an unknown baseline, or a model that
            gives something else than `horizon` finite numbers.

    Example:
        >>> series = np.sin(np.arange(60) * np.pi / 6)
        >>> found = backtest(series, 6, start=36, season=12, baselines=["naive", "seasonal naive"])
        >>> {name: round(error["mae"], 2) for name, error in found.errors().items()}
        {'naive': 1.12, 'seasonal naive': 0.0}

    Source:
        Hyndman & Athanasopoulos, Forecasting: principles and practice, https://otexts.com/fpp3;
        Vovk et al. 2005 (conformal intervals).
    """
    series = checks.finite("series", series, 1).astype("float64")
    horizon, season = checks.count("horizon", horizon), checks.count("season", season)
    start = checks.count("start", start, least=2 * season)
    stride = horizon if stride is None else checks.count("stride", stride)
    origins = np.arange(start, len(series) - horizon + 1, stride)
    if not len(origins):
        raise ValueError(
            f"series must have at least start + horizon = {start + horizon} timesteps, "
            f"got {len(series)}"
        )
    chosen = baselines_for(series[:start], horizon, season)
    if baselines is not None:
        wanted = checks.listing("baselines", baselines)
        chosen = {name: chosen[checks.one_of("baselines", name, chosen)] for name in wanted}
    models = {} if models is None else models
    if not isinstance(models, Mapping) or not all(map(callable, models.values())):
        raise ValueError(f"models must be a dict of functions, got {models!r:.80}")
    truth = np.stack([series[t : t + horizon] for t in origins])
    forecasts = {}
    for name, model in {**chosen, **models}.items():
        each = []
        for t in origins:
            forecast = np.asarray(model(series[:t].copy(), horizon), dtype="float64").reshape(-1)
            checks.shape(f"forecast of {name!r}", forecast.shape, (horizon,))
            each.append(checks.finite(f"forecast of {name!r}", forecast))
        forecasts[name] = np.stack(each)
    step = np.abs(series[season:start] - series[: start - season])
    return Backtest(origins, truth, forecasts, float(step.mean()))
