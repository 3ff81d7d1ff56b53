import numpy as np
import pytest

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
        (lambda: lz.backtest(np.ones((9, 2)), 1, start=8), "series must have 1 axes"),
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
