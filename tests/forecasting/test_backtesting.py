import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.forecasting.theta import ThetaModel

import lstm_zoo as lz
from lstm_zoo.forecasting import forecasting_with

RNG = np.random.default_rng(0)


def test_every_forecast_knows_only_what_came_before():
    series = RNG.normal(size=50)
    seen = []

    def spy(past, horizon):
        seen.append(past)
        return np.zeros(horizon)

    found = lz.backtest(series, 4, {"spy": spy}, start=20, stride=7, baselines=["naive"])
    assert found.origins.tolist() == [20, 27, 34, 41]
    for t, past, truth in zip(found.origins, seen, found.truth):
        np.testing.assert_array_equal(past, series[:t])
        np.testing.assert_array_equal(truth, series[t : t + 4])
    errors = found.errors()["spy"]
    assert errors["mae"] == pytest.approx(np.abs(found.truth).mean())
    assert errors["rmse"] == pytest.approx(np.sqrt((found.truth**2).mean()))
    assert errors["mase"] == pytest.approx(errors["mae"] / np.abs(np.diff(series[:20])).mean())


def test_baselines_are_exact_where_they_should_be():
    season = np.tile([1.0, 5.0, 2.0, 8.0], 15)
    found = lz.backtest(season, 6, start=40, season=4).errors()
    assert found["seasonal naive"]["mae"] == 0
    line = 3.0 + 2.0 * np.arange(80)
    found = lz.backtest(line, 5, start=60, baselines=["naive", "linear"]).errors()
    assert found["naive"]["mae"] == 2 * np.mean([1, 2, 3, 4, 5])
    assert found["linear"]["mae"] < 0.2


def test_conformal_intervals_cover_what_they_say():
    """Of noise, whatever the forecast: the coverage is beta distributed about what was asked."""
    series = RNG.standard_t(3, size=6000)
    found = lz.backtest(series, 2, start=100, baselines=["naive"])
    for coverage in (0.5, 0.8, 0.95):
        intervals = found.intervals("naive", coverage)
        assert intervals.covered == pytest.approx(coverage, abs=0.03)
        assert (intervals.upper > intervals.lower).all()


def test_a_model_is_backtested_on_the_scale_of_the_series():
    model = lz.build_forecaster((6, 1), 3, quantiles=(0.1, 0.5, 0.9), lstm_units=3, dense_units=())
    series = 100 + 10 * RNG.normal(size=40)
    found = lz.backtest(
        series, 3, {"lstm": forecasting_with(model, 6, 100.0, 10.0)}, start=30, baselines=[]
    )
    x = ((series[24:30] - 100) / 10)[None, :, None].astype("float32")
    expected = model(x).numpy()[0, :, 1] * 10 + 100
    np.testing.assert_allclose(found.forecasts["lstm"][0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lz.backtest(np.ones(10), 5, start=8), "start . horizon = 13 timesteps, got 10"),
        (lambda: lz.backtest(np.ones((9, 2)), 1, start=8), "data must have 1 axes"),
        (lambda: lz.backtest(np.ones(40), 1, start=8, baselines=["nave"]), "'naive'"),
        (lambda: lz.backtest(np.ones(40), 1, start=8, season=5), "start must be .* at least 10"),
        (
            lambda: lz.backtest(np.ones(40), 2, {"a": lambda past, h: [1.0]}, start=8),
            "forecast of 'a' must be of shape",
        ),
        (
            lambda: lz.backtest(np.ones(30), 2, start=20).intervals("naive", 0.9),
            "coverage of 0.9 needs at least 18 origins, got 5",
        ),
    ],
)
def test_bad_backtest_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_results_say_in_a_line_what_they_hold():
    found = lz.backtest(np.arange(60.0), 2, start=20, baselines=["naive"])
    assert repr(found) == "Backtest(20 origins, 2 steps ahead; mean absolute error: naive 1.5)"
    assert repr(found.intervals("naive", 0.5)) == (
        "Intervals(10 origins, 2 steps ahead: 100% of the truth within, mean width 3)"
    )


DAYS = pd.date_range("2024-01-01", periods=84, freq="D")
WEEK = np.tile([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0], 12)
QUICK = {"steps": 4, "members": 1, "lstm_units": 4, "dense_units": (), "seed": 0, "verbose": 0}


def two_series(values):
    first = pd.DataFrame({"day": DAYS, "shop": "a", "sales": values, "open": np.arange(84) % 2})
    second = first.assign(shop="b", sales=100 * values)
    return pd.concat([first, second.iloc[20:]], ignore_index=True)


@pytest.fixture(scope="module")
def shops():
    table = two_series(WEEK + RNG.normal(size=84))
    options = {"id": "shop", "target": "sales", "known_future": ["open"], "baselines": ["naive"]}
    return table, options, lz.backtest(table, 7, **options, **QUICK)


def test_a_backtest_of_a_frame_has_a_row_for_each_origin_and_series(shops):
    table, _, found = shops
    assert found.ids == ["a", "b"] * 2
    assert found.origins.tolist() == [68, 48, 75, 55]
    frame = found.frame()
    assert list(frame.columns) == [
        *("shop", "day", "origin", "step", "truth", "naive", "lstm", "lstm q0.05", "lstm q0.95")
    ]
    merged = frame.merge(table, on=["shop", "day"])
    np.testing.assert_array_equal(merged["truth"], merged["sales"])
    assert len(merged) == 4 * 7


def test_errors_by_horizon_and_series_are_means_of_the_table(shops):
    _, _, found = shops
    frame = found.frame()
    error = (frame["lstm"] - frame["truth"]).abs()
    for k, mean in error.groupby(frame["step"]).mean().items():
        assert found.errors(by="horizon")["lstm"][k]["mae"] == pytest.approx(mean)
    for shop, mean in error.groupby(frame["shop"]).mean().items():
        assert found.errors(by="series")["lstm"][shop]["mae"] == pytest.approx(mean)
    inside = frame["truth"].between(frame["lstm q0.05"], frame["lstm q0.95"])
    assert found.coverage() == {"lstm": {0.9: pytest.approx(inside.mean())}}


def test_forecasts_before_a_change_of_the_series_stay_as_they_were(shops):
    """Bit for bit: neither training nor forecasts know what comes after an origin."""
    table, options, found = shops
    changed = table.copy()
    changed.loc[changed["day"] >= DAYS[75], "sales"] += 1000
    again = lz.backtest(changed, 7, **options, **QUICK)
    np.testing.assert_array_equal(again.bands["lstm"], found.bands["lstm"])
    assert (again.truth != found.truth).any()
    assert found.trained_until["lstm"] == [DAYS[67].to_datetime64()] * 2


def test_each_refit_starts_from_new_weights_and_knows_its_origin(shops):
    table, options, once = shops
    refit = lz.backtest(table, 7, **options, **QUICK, refit=True)
    assert refit.trained_until["lstm"] == [DAYS[67].to_datetime64(), DAYS[74].to_datetime64()]
    np.testing.assert_array_equal(refit.bands["lstm"][:2], once.bands["lstm"][:2])
    later = lz.backtest(table, 7, **options, **QUICK, start=75)
    np.testing.assert_array_equal(refit.bands["lstm"][2:], later.bands["lstm"])


def test_one_bar_shows_all_trainings_of_a_backtest(shops, capsys):
    table, options, _ = shops
    lz.backtest(table, 7, **options, **{**QUICK, "verbose": 1}, refit=True)
    said = capsys.readouterr().out
    assert "lstm: sales: daily from 'day', season 7" in said
    assert "200/200" in said
    assert "/100" not in said


def test_theta_is_fitted_to_all_of_the_past_at_each_origin():
    series = 100 + WEEK + np.arange(84) + RNG.normal(size=84)
    found = lz.backtest(series, 7, season=7, baselines=["theta", "exponential smoothing"])
    for t, forecast in zip(found.origins, found.forecasts["theta"]):
        expected = ThetaModel(series[:t], period=7).fit().forecast(7)
        np.testing.assert_allclose(forecast, expected)


def test_a_picture_has_the_truth_and_the_forecast_from_each_origin(shops):
    _, _, found = shops
    ax = lz.plots.plot_backtest(found, series="b")
    truth, forecast = ax.lines[:2]
    assert truth.get_xdata().tolist() == found.times[1].tolist()
    np.testing.assert_array_equal(truth.get_ydata(), found.truth[1])
    best = min(found.errors(), key=lambda name: found.errors()[name]["mae"])
    np.testing.assert_array_equal(forecast.get_ydata(), found.forecasts[best][1])
    assert ax.get_title().startswith(f"{best}: mean absolute error")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:1] == ["truth"]
    bands = lz.plots.plot_backtest(found, "lstm").get_legend().get_texts()
    assert [text.get_text() for text in bands] == ["truth", "median forecast", "5 to 95 %"]
    with pytest.raises(ValueError, match="series must be one of a, b, got 'c'"):
        lz.plots.plot_backtest(found, series="c")
    with pytest.raises(ValueError, match="name must be one of"):
        lz.plots.plot_backtest(found, "nave")


def test_models_of_all_kinds_stand_side_by_side():
    series = pd.Series(WEEK + RNG.normal(size=84), DAYS)
    trained = lz.build_forecaster((21, 1), 7, season=7, lstm_units=3)
    models = {
        "small": {"lstm_units": 2, "dense_units": ()},
        "trained": trained,
        "zero": lambda past, horizon: np.zeros(horizon),
    }
    options = {**QUICK, "steps": 1}
    del options["lstm_units"], options["dense_units"]
    found = lz.backtest(series, 7, models, baselines=["seasonal naive"], **options)
    assert set(found.forecasts) == {"seasonal naive", *models}
    np.testing.assert_allclose(  # an untrained model repeats the last season
        found.forecasts["trained"], found.forecasts["seasonal naive"], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gaps": "mask"}, "gaps must be 'refuse', 'fill' or 'join' to forecast"),
        ({"start": 90}, "data must have at least start . horizon = 97 timesteps, got 84"),
        ({"start": 30}, "at least 14 steps of each series at the first origin, got 10 of 'b'"),
        ({"models": {"a": 3}}, "models must be a dict of functions, models or arguments"),
        ({"models": {}, "lstm_units": 3}, "models must hold .* got lstm_units beside"),
    ],
)
def test_bad_backtest_of_a_frame_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        lz.backtest(two_series(WEEK), 7, id="shop", target="sales", verbose=0, **options)
