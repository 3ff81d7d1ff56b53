"""Functions that convert to float32 refuse numbers whose changes float32 would round away."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import precision
from lstm_zoo.forecasting import forecasting_with

LEVEL = 1e9 + np.arange(40.0)


def kept(values):
    """Whether float32 keeps nine tenths of the changes, by NumPy in long double."""
    exact = np.diff(np.asarray(values, "longdouble"), axis=0)
    rounded = np.diff(np.asarray(values, "float32").astype("longdouble"), axis=0)
    return np.sqrt(np.sum((exact - rounded) ** 2)) <= 0.1 * np.sqrt(np.sum(exact**2))


RNG = np.random.default_rng(0)
HOUR, SECOND = 1.7e9 + 3600.0 * np.arange(1000), 1.7e9 + np.arange(1000.0)


@pytest.mark.parametrize(
    "values",
    [
        *(LEVEL, HOUR, SECOND, 2**24 + np.arange(50), 20.0 + RNG.normal(size=99)),
        *(1e6 + 0.01 * RNG.normal(size=99), 1e6 + 10 * RNG.normal(size=99), 2.0**40 + LEVEL),
        *(np.exp(-np.arange(500.0)) + 5, np.sin(np.linspace(0, 6, 10**5)), np.arange(2**25, 2**26)),
        *(1e30 * RNG.normal(size=9), 1e-30 * RNG.normal(size=9), np.arange(9, dtype="int64")),
    ],
    ids=lambda values: f"{values.dtype}-{values.flat[0]:.3g}",
)
def test_changes_that_float32_keeps_are_accepted_and_others_refused(values):
    if kept(values):
        assert precision.single("x", values).dtype == "float32"
    else:
        with pytest.raises(ValueError, match=r"x must fit in float32, .* constant"):
            precision.single("x", values)


@pytest.mark.parametrize(
    "values",
    [
        np.full(20, 0.1) + 1e-17 * np.arange(20),
        1e9 + np.zeros(5),
        np.cumsum(np.full(9, 0.1)) - 0.1 * np.arange(1, 10) + 7,
        np.zeros((0, 2)),
        np.array([[3.14]]),
        np.array([1.0, np.nan, np.inf, 2.0]),
        np.array([True, False]),
        1e9 + np.arange(9, dtype="float32"),
    ],
    ids=repr,
)
def test_constants_and_float64_rounding_are_accepted(values):
    np.testing.assert_array_equal(precision.single("x", values), values.astype("float32"))


@pytest.mark.parametrize("values", [[1e39], [-1e39, 0.0], [1e-200, 2e-200], [2**60, 2**60 + 1]])
def test_numbers_beyond_float32_are_refused(values):
    with pytest.raises(ValueError, match="x must .* float32"):
        precision.single("x", np.array(values))


def test_each_feature_is_checked_separately():
    both = np.stack([1e9 * RNG.normal(size=40), LEVEL], axis=1)
    for x in (both, both[None], both[:, None]):
        with pytest.raises(ValueError, match="float32"):
            precision.single("x", x)
        precision.single("x", x[..., :1])


def test_a_long_array_is_checked_in_parts(monkeypatch):
    monkeypatch.setattr(precision, "_LOOK", 100)
    for rows in (99, 1000, 10**5):
        values = np.stack([np.arange(rows, dtype=float), 1e9 + np.arange(rows)], axis=1)
        with pytest.raises(ValueError, match="up to 1e.09 change by about 1 from"):
            precision.single("x", values)
        precision.single("x", values[:, :1])


def test_windows_keep_the_changes_or_refuse():
    """The differences are 1, as they are of the series in float64."""
    for series in (LEVEL, LEVEL.tolist(), [LEVEL - 1e9, LEVEL], LEVEL.astype("int64")):
        with pytest.raises(ValueError, match="series must fit in float32"):
            lz.windows(series, 5, 2)
    x, _ = lz.windows(LEVEL - 1e9, 5, 2).arrays()
    assert (np.diff(x[0, :, 0]) == 1).all()
    with pytest.raises(ValueError, match="series must .* float32"):
        lz.datasets.windows(LEVEL, 5, 2)
    with pytest.raises(ValueError, match="static must .* float32"):
        lz.windows([LEVEL - 1e9] * 3, 5, 2, static=[[1e9], [1e9 + 1], [1e9 + 2]])
    masked = np.where(np.arange(40) % 9 == 8, -9.0, LEVEL)  # the jumps to -9 hide nothing
    with pytest.raises(ValueError, match="series must .* float32"):
        lz.windows(masked, 5, 2, mask_value=-9.0)


def test_a_panel_keeps_double_precision_for_the_user_to_scale():
    many = lz.panel({"unique_id": ["a"] * 40, "ds": range(40), "y": LEVEL})
    assert (np.diff(many.series[0][:, 0]) == 1).all()
    with pytest.raises(ValueError, match="series must .* float32"):
        many.windows(5, 2)


def test_padding_and_batches_keep_the_changes_or_refuse():
    for sequences in ([LEVEL, LEVEL[:9] + 1e9], [[1e9], [1e9 + 1], [1e9 + 2]]):
        for call in (lz.pad, lambda s: lz.batches_by_length(s, np.zeros(len(s)))):
            with pytest.raises(ValueError, match="sequences must .* float32"):
                call(sequences)
    with pytest.raises(ValueError, match="value must fit in float32"):
        lz.pad([[1.0]], value=1e39)


def test_fit_keeps_the_changes_or_refuses():
    model = lz.build_regressor((5, 1), lstm_units=2, dense_units=())
    x = np.lib.stride_tricks.sliding_window_view(LEVEL, 5)[..., None]
    low, y = x - 1e9, np.arange(36.0)
    options = {"epochs": 1, "verbose": 0}
    for wrong_x, wrong_y, name in (
        (x, y, "x"),
        (x.astype("int64"), y, "x"),
        (low, 1e9 + y, "y"),
        (low, (1e9 + y).astype("int64")[:, None], "y"),
    ):
        with pytest.raises(ValueError, match=f"{name} must fit in float32"):
            lz.fit(model, wrong_x, wrong_y, **options)
        with pytest.raises(ValueError, match=f"validation {name} must fit in float32"):
            lz.fit(model, low, y, validation_data=(wrong_x, wrong_y), **options)
    losses = lz.fit(model, low, y, **options).history["loss"]
    assert np.isfinite(losses).all()


def test_tokens_are_whole_numbers_of_any_size_and_stay_as_they_are():
    layers = [keras.Input((3,), dtype="int64"), keras.layers.Hashing(5)]
    layers += [keras.layers.Embedding(5, 2), lz.LSTM(2), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("sgd", "mse")
    lz.fit(model, 2**40 + np.arange(12).reshape(4, 3), np.zeros(4), epochs=1, verbose=0)


def test_a_backtest_scales_in_double_precision_or_refuses():
    model = lz.build_forecaster((4, 1), 2, lstm_units=2, dense_units=())
    with pytest.raises(ValueError, match="the last steps, .* must fit in float32"):
        lz.backtest(LEVEL, 2, {"lstm": forecasting_with(model, 4)}, start=30, baselines=[])
    forecasts = [
        lz.backtest(
            LEVEL - less,
            2,
            {"lstm": forecasting_with(model, 4, 1e9 - less, 10.0)},
            start=30,
            baselines=[],
        ).forecasts["lstm"]
        + less
        for less in (0, 1e9)
    ]
    np.testing.assert_allclose(*forecasts, rtol=1e-15)
