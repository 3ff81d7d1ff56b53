"""Forecasts a series."""

import functools
import textwrap
from collections import deque

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from lstm_zoo import builders, datasets
from lstm_zoo.presets import reading, smoothing
from lstm_zoo.presets.tasks.base import RIDGE, Task, as_csv
from lstm_zoo.presets.tasks.registry import register
from lstm_zoo.serving import predictor


@register("forecasting")
class Forecasting(Task):
    """Forecasts the next steps after a window, with quantiles; the middle one is the forecast.

    `data` holds `season`, the period of the series in steps; `input_steps`; `horizon`; and
    `stride`, the steps between two forecasts of the test part. For a CSV file of one series, with
    one step per row, it forecasts from the last rows.
    """

    def prepare(self):
        settings = self.recipe.data
        self.season = settings["season"]
        self.input_steps, self.horizon = settings["input_steps"], settings["horizon"]
        self.mean, self.deviation = self.data.x_train.mean(), self.data.x_train.std()
        self.metric = f"test mean absolute error, {self.data.target}"
        self.quantiles = self.recipe.model["quantiles"]
        before = self.data.x_train[-self.input_steps :]
        series = np.concatenate([before, self.data.x_test])
        self.test = datasets.windows(series, self.input_steps, self.horizon, settings["stride"])

    def training_part(self):
        return datasets.windows(self.data.x_train, self.input_steps, self.horizon)

    def build(self, cell=None):
        inputs = keras.Input((self.input_steps, 1), name="past")
        level = kl.Rescaling(1 / self.deviation, -self.mean / self.deviation, name="level")(inputs)
        core = builders.build_forecaster(
            inputs.shape[1:], self.horizon, scale_windows=False, **self.arguments(cell)
        )
        last = kl.Reshape((1, 1), name="last")(kl.Cropping1D((self.input_steps - 1, 0))(level))
        forecast = kl.Add(name="from_the_last")([core(level), last])
        return self._in_units(inputs, forecast)

    def _in_units(self, inputs, forecast):
        scale_back = kl.Rescaling(self.deviation, self.mean, name="units")
        return keras.Model(inputs, scale_back(forecast), name=self.recipe.name)

    def compile(self, model, learning_rate=1e-3):
        model.compile(
            keras.optimizers.Adam(learning_rate),
            loss=builders.QuantileLoss(self.quantiles),
            loss_weights=float(1 / self.deviation),
        )

    def scores(self, model):
        x, truth = self.test
        forecasts = model.predict(x, verbose=0)
        middle = forecasts[..., self.quantiles.index(0.5)]
        inside = (truth >= forecasts[..., 0]) & (truth <= forecasts[..., -1])
        ends = f"quantiles {self.quantiles[0]:g} and {self.quantiles[-1]:g}"
        return {
            "mae": self._error(middle),
            f"share of the truth between {ends}": float(inside.mean()),
        }

    def _error(self, forecast):
        return float(np.mean(np.abs(forecast - self.test[1])))

    def baselines(self):
        from sklearn.linear_model import RidgeCV

        x, _ = self.test
        season = x[:, -self.season :, 0]
        repeated = np.tile(season, -(-self.horizon // self.season))[:, : self.horizon]
        past, future = self.training_part()
        two = -2 * self.season  # more steps do not improve it
        ridge = RidgeCV(RIDGE).fit(past[:, two:, 0] - self.mean, future)
        return {
            "last value repeated": self._error(x[:, -1:, 0]),
            "last season repeated": self._error(repeated),
            "linear model (ridge)": self._error(ridge.predict(x[:, two:, 0] - self.mean)),
        }

    def answer(self, model, path):
        rows = reading.one_series(path, self.data.feature_names)
        steps = deque(rows, maxlen=self.input_steps)
        if len(steps) < self.input_steps:
            raise ValueError(
                f"{path} must have at least {self.input_steps} rows of numbers, got {len(steps)}"
            )
        forecast = predictor(model)(reading.single(path, list(steps))[None])[0]
        for ahead, values in enumerate(forecast, start=1):
            pairs = zip(self.quantiles, values, strict=True)
            yield {"step": ahead, **{f"{q:g}": round(float(v), 3) for q, v in pairs}}

    def example(self):
        return as_csv(self.data.feature_names, self.data.x_train[-self.input_steps :])

    def draw(self, model, ax=None):
        """Draw one forecast of the test part, with its quantiles."""
        from lstm_zoo import plots

        x, truth = self.test
        day = len(x) // 2
        forecast = model.predict(x[day : day + 1], verbose=0)[0]
        shown = x[day, -2 * self.horizon :, 0]
        label = textwrap.fill(self.data.target, 26)
        return plots.plot_forecast(
            shown, truth[day], forecast, quantiles=self.quantiles, ylabel=label, ax=ax
        )


@register("forecasting a day")
class DailyForecasting(Forecasting):
    """Forecasts the next day from two weeks, with one day per step.

    The model reads the level of each time of day and its difference from a week before. It predicts
    this difference for the next day."""

    def prepare(self):
        super().prepare()
        self.metric = f"mean absolute percentage error of {self.data.target} over the test part (%)"

    def build(self, cell=None):
        day = self.horizon
        inputs = keras.Input((self.input_steps, 1), name="past")
        level = kl.Rescaling(1 / self.deviation, -self.mean / self.deviation, name="level")(inputs)
        week, before = self._last_weeks(level)
        change = kl.Subtract(name="change")([week, before])
        core = builders.build_forecaster(
            (7, 2 * day), day, scale_windows=False, **self.arguments(cell)
        )
        foretold = core(kl.Concatenate()([week, change]))
        a_week_ago = kl.Reshape((day, 1), name="a_week_ago")(kl.Cropping1D((0, 6))(week))
        return self._in_units(inputs, kl.Add(name="from_a_week_ago")([foretold, a_week_ago]))

    def _last_weeks(self, series):
        """The last two weeks of the past, each `(7, horizon)` with one day per row."""
        days = self.input_steps // self.horizon
        by_day = kl.Reshape((days, self.horizon), name="days")(series)
        cuts = {"week": (days - 7, 0), "week_before": (days - 14, 7)}
        return [kl.Cropping1D(cut, name=name)(by_day) for name, cut in cuts.items()]

    def _error(self, forecast):
        truth = self.test[1]
        return float(100 * np.mean(np.abs(forecast - truth) / truth))

    def scores(self, model):
        found = super().scores(model)
        return {"mape": found.pop("mae"), **found}


@register("forecasting a day by a hybrid")
class HybridForecasting(DailyForecasting):
    """Forecasts the next day by exponential smoothing; an LSTM predicts the uncertainty.

    The smoothing of the logarithm is fitted to the training part. It is a fixed layer and gives the
    middle quantile. The LSTM reads the last week as in `DailyForecasting` and predicts the
    distances of the other quantiles; it starts from the quantiles of the smoothing's errors. (If it
    corrected the middle too, the error on held-out weeks would be larger.) It trains on every
    window after the first two seasons. Windows with too few steps are extended at the front by
    repeating the first season, which does not change the smoothing.

    Source:
        Smyl 2020, A hybrid method of exponential smoothing and recurrent neural networks,
        https://doi.org/10.1016/j.ijforecast.2019.03.017.
    """

    @classmethod
    def network(cls, recipe):
        return "exponential smoothing, with intervals by an LSTM"

    @functools.cached_property
    def smoothing(self):
        """The smoothing matrix `(input_steps, horizon)` for logarithms."""
        seasons = self.horizon, self.season
        parameters = smoothing.fitted(self._log_of_training(), *seasons, self.horizon)
        return smoothing.matrix(parameters, self.input_steps, *seasons, self.horizon)

    def training_part(self):
        series, season = self.data.x_train, self.season
        before = np.tile(series[:season], (self.input_steps // season - 2, 1))
        return datasets.windows(np.concatenate([before, series]), self.input_steps, self.horizon)

    def _log_of_training(self):
        return np.log(self.data.x_train[:, 0].astype("float64"))

    def build(self, cell=None):
        day = self.horizon
        inputs = keras.Input((self.input_steps, 1), name="past")
        logarithm = kl.Reshape((self.input_steps,), name="logarithm")(ops.log(inputs))
        smoothed = kl.Dense(day, use_bias=False, trainable=False, name="smoothing")
        forecast = kl.Reshape((day, 1), name="smoothed")(smoothed(logarithm))
        smoothed.set_weights([self.smoothing])

        series = self._log_of_training()
        change = (series[self.season :] - series[: -self.season]).std()
        week, before = self._last_weeks(logarithm)
        level = kl.Rescaling(1 / series.std(), -series.mean() / series.std(), name="level")(week)
        changes = kl.Rescaling(1 / change, name="change")(kl.Subtract()([week, before]))
        core = builders.build_forecaster(
            (7, 2 * day), day, scale_windows=False, **self.arguments(cell)
        )
        errors = self.errors_of_smoothing
        head = core.get_layer("forecast")
        head.set_weights([np.zeros(head.kernel.shape), errors.ravel() / errors.std()])
        core = keras.Model(core.input, core.output, name="spreading")  # without an optimizer
        spread = core(kl.Concatenate()([level, changes]))
        scale = np.where(np.equal(self.quantiles, 0.5), 0, errors.std())
        spread = kl.Rescaling(scale.tolist(), name="spread")(spread)
        forecast = ops.exp(kl.Add(name="with_spread")([forecast, spread]))
        return keras.Model(inputs, forecast, name=self.recipe.name)

    @functools.cached_property
    def errors_of_smoothing(self):
        """The quantiles `(horizon, quantiles)` of its logarithmic errors on the training part."""
        past, future = self.training_part()
        errors = np.log(future) - np.log(past[..., 0]) @ self.smoothing
        quantiles = np.quantile(errors, self.quantiles, axis=0).T
        quantiles[:, self.quantiles.index(0.5)] = 0
        return quantiles

    def scores(self, model):
        x, _ = self.test
        usual = np.exp((np.log(x[..., 0]) @ self.smoothing)[..., None] + self.errors_of_smoothing)
        ours, theirs = map(self._interval_score, (model.predict(x, verbose=0), usual))
        what = "interval score relative to intervals from the quantiles of the smoothing's errors"
        return super().scores(model) | {what: ours / theirs}

    def _interval_score(self, forecasts):
        """The mean interval score: width, plus 2 / alpha times how far the truth is outside.

        Source:
            Gneiting & Raftery 2007, Strictly proper scoring rules, prediction, and estimation,
            https://doi.org/10.1198/016214506000001437.
        """
        low, high, truth = forecasts[..., 0], forecasts[..., -1], self.test[1]
        outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        rarely = self.quantiles[0] + 1 - self.quantiles[-1]
        return float(np.mean(high - low + 2 / rarely * outside))
