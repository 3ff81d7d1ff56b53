"""How good forecasts would have been, from one origin after another."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.forecasting import learning
from lstm_zoo.forecasting.bands import all_quantiles
from lstm_zoo.forecasting.baselines import baselines_for
from lstm_zoo.forecasting.forecast import plan_for, read_joined
from lstm_zoo.forecasting.forecaster import Forecaster
from lstm_zoo.forecasting.progress import Progress
from lstm_zoo.forecasting.result import Backtest
from lstm_zoo.forecasting.seasons import season_of

SHARE = 0.2  # of the longest series, to forecast


def backtest(
    data,
    horizon: int,
    models: Mapping[str, Forecaster | keras.Model | Mapping[str, Any]] | None = None,
    *,
    start: int | None = None,
    stride: int | None = None,
    season: int | None = None,
    baselines: Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    past: Sequence[str] = (),
    known_future: Sequence[str] = (),
    static: Sequence[str] = (),
    time: str | None = None,
    id: str | None = None,
    gaps: str = "refuse",
    input_steps: int | None = None,
    levels: Sequence[float] = (0.9,),
    quantiles: Sequence[float] | None = None,
    refit: bool = False,
    steps: int = 1500,
    members: int = 3,
    seed: int | None = None,
    verbose: int = 1,
    **options,
) -> Backtest:
    """Forecast series from one origin after another, each time knowing only what came before.

    Args:
        data: `(timesteps,)`, finite numbers; or a pandas Series or frame, as `lz.forecast` takes it
            with `target`, `past`, `known_future`, `static`, `time`, `id` and `gaps`.
        horizon: steps to forecast at each origin.
        models: by name, what to compare: arguments of `build_forecaster` such as
            `{"lstm_units": 8}` for a model that is trained here as `lz.forecast` trains it; a
            trained model, taken as it is; or a function of the past `(known,)` of one target and
            the horizon that gives `(horizon,)` numbers. None takes a model with `options`, called
            "lstm", where data is a Series or a frame, and no model for a bare array.
        start: how many steps of the longest series are known at the first origin; the others have
            the same number left to come. None leaves a fifth to forecast.
        stride: steps from one origin to the next; None takes the horizon.
        season: as `lz.forecast` takes it, but None is 1 for a bare array.
        baselines: which of "naive" (the last value), "seasonal naive" (the last season), "linear"
            (ridge regression on the last season, or 24 steps, fitted before `start`) and, fitted at
            each origin by statsmodels, "exponential smoothing" (Holt-Winters) and "theta" stand
            beside the models. None takes all that can be had.
        refit: False trains each model once, on what is known at the first origin; True trains a new
            model at each origin. Both start from new weights.
        input_steps, levels, quantiles, steps, members, seed, options: as `lz.forecast` takes them.
        verbose: 1 shows one progress bar over all trainings, 0 nothing.

    Raises:
        ValueError: a series that is too short or not finite, an unknown baseline, a model that
            gives something else than `horizon` finite numbers; and as `lz.forecast` does.

    Example:
        >>> series = np.sin(np.arange(60) * np.pi / 6)
        >>> found = backtest(series, 6, start=36, season=12, baselines=["naive", "seasonal naive"])
        >>> {name: round(error["mae"], 2) for name, error in found.errors().items()}
        {'naive': 1.12, 'seasonal naive': 0.0}

    Source: Hyndman & Athanasopoulos, Forecasting: principles and practice, https://otexts.com/fpp3.
    """
    columns: dict[str, Any] = {"past": past, "known_future": known_future, "static": static}
    columns |= {"target": target, "time": time, "id": id}
    panel, calendar, bare = _read(data, gaps, columns)
    season, _ = season_of(
        panel, 1 if bare and season is None else season, calendar.name is not None
    )
    folds = _folds(panel, checks.count("horizon", horizon), start, stride, season)
    rows = _Rows(panel, calendar, horizon, season, folds)
    models = _named_models(models, options, bare)
    shared: dict[str, Any] = {
        "quantiles": all_quantiles(levels, quantiles),
        "steps": steps,
        "seed": seed,
    }
    shared |= {"season": season, "input_steps": input_steps, "longest": int(folds[0].max())}
    shared |= {"members": checks.count("members", members)}
    return _compared(rows, models, baselines, bool(refit), bool(verbose), shared)


def _read(data, gaps, columns):
    """Panel and calendar of the data, and whether it is bare numbers."""
    bare = not hasattr(data, "columns") and not hasattr(data, "index") or isinstance(data, list)
    bare = bare and not isinstance(data, Mapping)
    if bare:
        data = checks.finite("data", data, *((1,) if columns["target"] is None else (1, 2)))
    return *read_joined(data, gaps, **columns), bare


def _compared(rows, models, baselines, refit, verbose, shared):
    """The `Backtest` of baselines and models."""
    forecasts, bands, until = rows.of_baselines(baselines), {}, {}
    for name, model in models.items():
        if _is_function(model):
            forecasts[name] = rows.of_functions(name, lambda *_, f=model: f)
    trained = {name: model for name, model in models.items() if not _is_function(model)}
    new = sum(not isinstance(model, keras.Model) for model in trained.values())
    trainings = new * shared["members"] * (len(rows.folds) if refit else 1)
    progress = Progress(trainings, verbose)
    asked = shared["quantiles"]
    for name, model in trained.items():
        given = model if isinstance(model, keras.Model) else None
        settings = {"model": given, "options": {} if given else model}
        plan, said = plan_for(rows.panel, rows.calendar, rows.horizon, **shared, **settings)
        if plan.quantiles != asked:
            raise ValueError(f"quantiles must be those of {name!r}, {plan.quantiles}, got {asked}")
        if verbose:
            print(f"{name}: {said}")
        bands[name], until[name] = rows.of_model(plan, given, refit, progress)
        forecasts[name] = bands[name][..., asked.index(0.5)]
    return rows.result(forecasts, bands, until, asked if bands else ())


def _is_function(model):
    return callable(model) and not isinstance(model, keras.Model)


def _named_models(models, options, bare):
    if models is None:
        return {} if bare and not options else {"lstm": options}
    kinds = (Mapping, keras.Model)
    if not isinstance(models, Mapping) or not all(
        callable(model) or isinstance(model, kinds) for model in models.values()
    ):
        raise ValueError(
            "models must be a dict of functions, models or arguments of build_forecaster, "
            f"got {models!r:.80}"
        )
    if options:
        raise ValueError(
            f"models must hold the arguments of build_forecaster, got {checks.listed(options)} "
            "beside it"
        )
    return models


def _folds(panel, horizon, start, stride, season):
    """Known steps of each series at each origin, `(folds, series)`."""
    lengths = np.array([len(one) for one in panel.series])
    longest = lengths.max()
    if start is None:
        start = min(longest - max(int(SHARE * longest), horizon), longest - horizon)
        start = max(start, 2 * season)
    start = checks.count("start", start, least=2 * season)
    stride = horizon if stride is None else checks.count("stride", stride)
    origins = np.arange(start, longest - horizon + 1, stride)
    if not len(origins):
        raise ValueError(
            f"data must have at least start + horizon = {start + horizon} timesteps, got {longest}"
        )
    folds = origins[:, None] - (longest - lengths)
    if folds[0].min() < 2 * season:
        k = int(np.argmin(folds[0]))
        raise ValueError(
            f"data must have at least {2 * season} steps of each series at the first origin, got "
            f"{max(folds[0][k], 0)} of {panel.ids[k]!r}; leave it out, or give a later start"
        )
    return folds


class _Rows:
    """The rows of a backtest: each origin, series and target."""

    def __init__(self, panel, calendar, horizon, season, folds):
        self.panel, self.calendar, self.horizon = panel, calendar, horizon
        self.season, self.folds = season, folds
        targets = range(panel.num_targets)
        self.rows = [
            (fold, k, int(t), j)
            for fold, known in enumerate(folds)
            for k, t in enumerate(known)
            for j in targets
        ]

    def _past(self, row):
        _, k, t, j = row
        return self.panel.series[k][:t, j]

    def of_functions(self, name, function_of):
        """The forecasts `(rows, horizon)` of `function_of(series, target)`."""
        each = []
        for row in self.rows:
            function = function_of(row[1], row[3])
            forecast = np.asarray(function(self._past(row).copy(), self.horizon), dtype="float64")
            forecast = forecast.reshape(-1)
            checks.shape(f"forecast of {name!r}", forecast.shape, (self.horizon,))
            each.append(checks.finite(f"forecast of {name!r}", forecast))
        return np.stack(each)

    def of_baselines(self, wanted):
        """The forecasts of the baselines, by name."""
        found = {}
        for fold, k, t, j in self.rows:
            if fold == 0:
                known = self.panel.series[k][:t, j]
                found[k, j] = baselines_for(known, self.horizon, self.season)
        shared = [name for name in found[0, 0] if all(name in some for some in found.values())]
        if wanted is not None:
            wanted = checks.listing("baselines", wanted)
            shared = [checks.one_of("baselines", name, shared) for name in wanted]
        return {
            name: self.of_functions(name, lambda k, j, name=name: found[k, j][name])
            for name in shared
        }

    def of_model(self, plan, model, refit, progress):
        """The forecasts `(rows, horizon, quantiles)` of a trained model, and the last time of each
        fold's training."""
        panel, fit, each, until = self.panel, None, [], []
        for known in self.folds:
            if fit is None or refit:
                seen = [one[:t] for one, t in zip(panel.series, known)]
                fit = learning.fitted(seen, panel.static, panel.ids, plan, progress, model=model)
                last = max(times[t - 1] for times, t in zip(panel.times, known))
            where = [(k, int(t)) for k, t in enumerate(known)]
            found = fit.quantiles(panel.series, panel.static, where)
            each.append(found.transpose(0, 2, 1, 3).reshape(-1, plan.horizon, found.shape[-1]))
            until.append(last)
        return np.concatenate(each), until

    def result(self, forecasts, bands, until, quantiles):
        """The `Backtest` of these forecasts."""
        panel, horizon = self.panel, self.horizon
        sizes = {}
        for fold, k, t, j in self.rows:
            if fold == 0:
                past = panel.series[k][:t, j]
                sizes[k, j] = float(np.abs(past[self.season :] - past[: -self.season]).mean())
        scale = [sizes[k, j] for _, k, _, j in self.rows]
        return Backtest(
            origins=np.array([t for _, _, t, _ in self.rows]),
            truth=np.stack([panel.series[k][t : t + horizon, j] for _, k, t, j in self.rows]),
            forecasts=forecasts,
            scale=np.array(scale) if len(sizes) > 1 else scale[0],
            folds=np.array([fold for fold, *_ in self.rows]),
            ids=[panel.ids[k] for _, k, _, _ in self.rows],
            targets=[panel.feature_names[j] for *_, j in self.rows],
            times=[panel.times[k][t : t + horizon] for _, k, t, _ in self.rows],
            calendar=self.calendar,
            quantiles=quantiles,
            bands=bands,
            trained_until=until,
        )
