import keras
import numpy as np
import pandas as pd
import pytest

import lstm_zoo as lz

RNG = np.random.default_rng(0)
MONTHS = pd.date_range("2010-01-31", periods=96, freq="ME")
SALES = 100 + np.arange(96) + 10 * np.sin(np.arange(96) * np.pi / 6) + RNG.normal(size=96)
QUICK = {"steps": 4, "members": 1, "lstm_units": 4, "dense_units": (), "seed": 0, "verbose": 0}


@pytest.fixture(scope="module")
def monthly():
    return lz.forecast(pd.Series(SALES, MONTHS, name="sales"), 6, **QUICK)


def test_dates_go_on_at_the_ends_of_months(monthly):
    frame = monthly.frame()
    assert list(frame.columns) == ["time", "forecast", "q0.05", "q0.95"]
    expected = pd.date_range("2018-01-31", periods=6, freq="ME")
    assert frame["time"].tolist() == expected.tolist()
    assert monthly.season == 12
    assert monthly.input_steps == 32  # three seasons, but at most a third of the series
    assert monthly.trained_until == [MONTHS[-1].to_datetime64()]


def test_a_forecast_is_what_the_model_predicts_of_the_last_steps(monthly):
    x = SALES[-monthly.input_steps :].astype("float32")[None, :, None]
    predicted = monthly.model.predict(x, verbose=0)[0]
    np.testing.assert_allclose(monthly.values[0, :, 0], predicted[:, 1], rtol=1e-5)
    low, _, high = monthly.bands[0, :, 0].T
    assert (low < monthly.values[0, :, 0]).all()
    assert (monthly.values[0, :, 0] < high).all()
    moved = predicted[:, 0] - low, high - predicted[:, 2]
    np.testing.assert_allclose(moved, np.full((2, 6), moved[0][0]), rtol=1e-3)


def test_every_step_ahead_sees_the_newest_value(monthly):
    x = SALES[-monthly.input_steps :].astype("float32")[None, :, None]
    changed = x.copy()
    changed[0, -1] += 5
    assert (monthly.model(changed) != monthly.model(x)).numpy().all()


def test_an_array_a_series_and_frames_of_the_same_numbers_have_the_same_forecast(monthly):
    frame = pd.DataFrame({"sales": SALES}, MONTHS)
    column = pd.DataFrame({"when": MONTHS, "sales": SALES})
    text = {"when": MONTHS.strftime("%Y-%m-%d").tolist(), "sales": SALES.tolist()}
    shuffled = column.sample(frac=1, random_state=0)
    assert lz.forecast(frame, 6, **QUICK).frame().equals(monthly.frame())
    for data in (column, shuffled, text):
        found = lz.forecast(data, 6, **QUICK)
        np.testing.assert_array_equal(found.values, monthly.values)
        assert pd.to_datetime(found.frame()["when"]).tolist() == monthly.frame()["time"].tolist()
    array = lz.forecast(SALES, 6, season=12, **QUICK)
    np.testing.assert_array_equal(array.values, monthly.values)
    assert array.frame()["step"].tolist() == list(range(96, 102))


def test_a_trained_model_is_taken_as_it_is(monthly):
    data = pd.Series(SALES, MONTHS, name="sales")
    again = lz.forecast(data, 6, model=monthly.model, verbose=0)
    assert again.model is monthly.model
    np.testing.assert_array_equal(again.values, monthly.values)
    with pytest.raises(ValueError, match=r"model's forecast must be of shape \(5,\), got \(6,\)"):
        lz.forecast(data, 5, model=monthly.model, verbose=0)


def test_a_picture_has_dates_bands_and_the_last_seasons(monthly):
    ax = lz.plots.plot_forecast(monthly)
    known, ahead = ax.lines[:2]
    assert known.get_xdata().tolist() == MONTHS[-24:].to_numpy().tolist()
    np.testing.assert_array_equal(known.get_ydata(), SALES[-24:])
    np.testing.assert_array_equal(ahead.get_ydata(), monthly.values[0, :, 0])
    assert ax.get_ylabel() == "sales"
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "5 to 95 %"
    with pytest.raises(ValueError, match="series must be one of sales, got 'b'"):
        lz.plots.plot_forecast(monthly, series="b")


def test_a_table_says_what_was_forecast(monthly):
    said = repr(monthly).splitlines()
    assert said[0] == (
        "Forecast of 1 series, 6 steps ahead (season 12, reads 32 steps, trained until 2017-12-31)"
    )
    assert len(said) == 8


@pytest.mark.parametrize(
    ("start", "freq", "zone", "season"),
    [
        ("2024-03-29", "h", "Europe/Berlin", 24),
        ("2024-03-01", "D", "Europe/Berlin", 7),
        ("2023-12-01", "h", None, 24),
    ],
)
def test_dates_go_on_over_a_change_of_the_clock(start, freq, zone, season):
    """Of Berlin's clocks, on 31 March 2024: hours are 60 minutes, days start at midnight."""
    index = pd.date_range(start, periods=60, freq=freq, tz=zone)
    known, ahead = index[:50], index[50:]
    found = lz.forecast(pd.Series(SALES[:50], known), 10, **QUICK)
    assert found.season == season
    assert found.frame()["time"].tolist() == ahead.tolist()


def long_table(**columns):
    parts = []
    for name, size in (("a", 1.0), ("b", 1000.0)):
        values = {"when": MONTHS, "shop": name, "sales": size * SALES, "stock": -size * SALES}
        parts.append(pd.DataFrame({**values, "open": np.arange(96) % 2, "area": size, **columns}))
    return pd.concat(parts, ignore_index=True)


def test_many_series_targets_and_covariates_come_back_with_their_names():
    future = pd.DataFrame(
        {"when": [*pd.date_range("2018-01-31", periods=4, freq="ME")] * 2, "open": [0, 1] * 4}
    )
    future["shop"] = ["a"] * 4 + ["b"] * 4
    columns = {"target": ["sales", "stock"], "known_future": ["open"], "static": ["area"]}
    found = lz.forecast(long_table(), 4, id="shop", future=future, **columns, **QUICK)
    frame = found.frame()
    assert list(frame.columns[:4]) == ["shop", "when", "target", "forecast"]
    assert len(frame) == 2 * 2 * 4
    assert found.values.shape == (2, 4, 2)
    assert found.model.input["known_future"].shape == (None, 4, 1)
    late = future.iloc[[0, 1, 3, 4, 5, 6, 7]]
    with pytest.raises(ValueError, match="open for each step ahead, but lacks 2018-03-31.* of 'a'"):
        lz.forecast(long_table(), 4, id="shop", future=late, **columns, **QUICK)


def test_series_of_all_sizes_learn_alike():
    """A thousand times the numbers, a thousand times the forecast."""
    found = lz.forecast(long_table(), 4, id="shop", target="sales", **QUICK)
    np.testing.assert_allclose(found.bands[1], 1000 * found.bands[0], rtol=1e-3)


def test_the_mean_of_members_is_one_model_that_can_be_saved(tmp_path):
    data = pd.Series(SALES, MONTHS, name="sales")
    found = lz.forecast(data, 6, **{**QUICK, "members": 2})
    x = SALES[-found.input_steps :].astype("float32")[None, :, None]
    answers = found.model.get_layer("sum_of_2").input
    apart = keras.Model(found.model.input, answers)(x)
    assert (apart[0] != apart[1]).numpy().any()
    np.testing.assert_allclose(found.model(x), np.mean(apart, axis=0), rtol=1e-6)
    again = lz.load(lz.save(found.model, tmp_path / "model.keras"))
    np.testing.assert_array_equal(again(x), found.model(x))
    loaded = lz.forecast(data, 6, model=again, verbose=0)
    np.testing.assert_array_equal(loaded.bands, found.bands)


def shops_ahead(size):
    """Two shops with a known and a static column of some size, and the known one ahead."""
    table = long_table(open=size * (np.arange(96) % 2) + 7 * size, area=3 * size)
    table.loc[table["shop"] == "b", "area"] = 5 * size
    ahead = [*pd.date_range("2018-01-31", periods=4, freq="ME")]
    future = pd.DataFrame({"when": ahead * 2, "shop": ["a"] * 4 + ["b"] * 4})
    return table, future.assign(open=[7 * size, 8 * size] * 4)


def test_known_and_static_columns_are_scaled_in_the_model_and_saved_with_it(tmp_path):
    columns = {"id": "shop", "target": "sales", "known_future": ["open"], "static": ["area"]}
    table, future = shops_ahead(1.0)
    found = lz.forecast(table, 4, future=future, **columns, **QUICK)
    large, later = shops_ahead(1e5)
    other = lz.forecast(large, 4, future=later, **columns, **QUICK)
    np.testing.assert_allclose(other.bands, found.bands, rtol=1e-3)
    loaded = lz.load(lz.save(found.model, tmp_path / "model.keras"))
    short = table[table["when"] > MONTHS[30]]  # whose known column has another mean
    again = lz.forecast(short, 4, future=future, model=loaded, **columns, verbose=0)
    x = {
        "sequence": np.stack([one[-found.input_steps :] for one in found.series.series]),
        "known_future": future["open"].to_numpy().reshape(2, 4, 1),
        "static": found.series.static,
    }
    expected = loaded({name: part.astype("float32") for name, part in x.items()}).numpy()
    np.testing.assert_allclose(again.values[..., 0], expected[..., 1], rtol=1e-5)


def test_a_straight_line_goes_on():
    """By the linear map that training starts from; as many steps as quantiles, one window."""
    found = lz.forecast(5 + 2.0 * np.arange(60), 3, season=1, **QUICK)
    np.testing.assert_allclose(found.values[0, :, 0], [125, 127, 129], rtol=1e-2)


@pytest.mark.parametrize(("mask", "season"), [("1111100", 5), ("1111110", 6)])
def test_joined_days_go_on_on_the_weekdays_that_the_data_have(mask, season):
    days = np.busday_offset("2024-03-01", np.arange(44), weekmask=mask)
    holiday = np.delete(days[:40], 17)  # is no weekday that the data lack
    data = pd.DataFrame({"day": holiday, "sales": SALES[:39]})
    found = lz.forecast(data, 4, gaps="join", **QUICK)
    assert found.season == season
    assert found.frame()["day"].tolist() == pd.DatetimeIndex(days[40:]).tolist()


class Column:
    """A column of polars, as far as it is read: an array by `__array__`."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.values.dtype)


class Polars:
    """A frame of polars, as far as it is read: names, and columns by name."""

    def __init__(self, **columns):
        self.columns = list(columns)
        self.parts = {name: Column(values) for name, values in columns.items()}

    def __getitem__(self, name):
        return self.parts[name]


def test_a_frame_of_another_package_is_read_by_its_columns(monthly):
    found = lz.forecast(Polars(when=MONTHS.to_numpy(), sales=SALES), 6, **QUICK)
    np.testing.assert_array_equal(found.values, monthly.values)
    assert found.frame()["when"].tolist() == monthly.frame()["time"].tolist()


def test_a_constant_series_is_forecast_to_stay():
    found = lz.forecast(np.full(40, 7.0), 3, season=1, **QUICK)
    np.testing.assert_allclose(found.bands, np.full((1, 3, 1, 3), 7.0), rtol=1e-3)


def changed(row, column, value):
    table = long_table().astype({"sales": object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (changed(5, "sales", None), {}, "sales must not be missing, got .* in row 5"),
        (changed(5, "sales", np.nan), {}, "sales must not be missing, got nan in row 5"),
        (changed(5, "sales", "much"), {}, "sales must be of one kind, .* 'much' in row 5"),
        (changed(5, "sales", np.inf), {}, "sales must be finite, got inf in row 5"),
        (changed(5, "when", MONTHS[4]), {}, "when must not occur twice .* 'a': 2010-05-31"),
        (long_table().drop(5), {}, "when must have every step of 1 months, .* in 'a'"),
        (long_table(), {"gaps": "mask"}, "gaps must be 'refuse', 'fill' or 'join' to forecast"),
        (long_table(), {"members": 0}, "members must be"),
        (long_table(), {"id": None}, "when must not occur twice"),
        (long_table(), {"target": "sale"}, "target must be one of .* did you mean 'sales'"),
        (long_table(), {"target": None}, "target must name .* sales, stock, open, area"),
        (long_table(), {"target": "shop"}, "column must be named once, got 'shop' twice"),
        (long_table(), {"target": "sales", "past": ["stok"]}, "past .* mean 'stock'"),
        (long_table(), {"horizon": 96}, "horizon must be below the 96 steps of the data"),
        (long_table(), {"known_future": ["open"]}, "future must have open for the 3 steps ahead"),
        (long_table(), {"input_steps": 90}, "data must have at least .* validate on 14, got 96"),
        (long_table().drop(range(70)), {"input_steps": 30}, "input_steps = 30 .* got 26 of 'a'"),
        (SALES, {"id": None, "target": None}, "season must be given where the times do not"),
        (SALES[:1], {"id": None, "target": None, "season": 1}, "horizon must be below the 1 steps"),
    ],
)
def test_bad_data_is_named_with_its_column_and_first_row(data, options, message):
    options = {"horizon": 3, "target": "sales", "id": "shop", **QUICK, **options}
    with pytest.raises(ValueError, match=message):
        lz.forecast(data, **options)


def test_times_in_two_zones_are_put_in_order_by_the_moment_they_mean():
    hours = pd.date_range("2024-01-01", periods=48, freq="h", tz="UTC")
    zones = ["Asia/Tokyo", "Europe/Berlin"]
    mixed = [hour.tz_convert(zones[k % 2]) for k, hour in enumerate(hours)]
    found = lz.forecast(pd.DataFrame({"ds": mixed, "y": SALES[:48]}), 2, input_steps=24, **QUICK)
    assert found.times[0].astype("M8[h]").tolist() == [
        np.datetime64("2024-01-03T00").item(),
        np.datetime64("2024-01-03T01").item(),
    ]
    mixed[7] = mixed[7].tz_localize(None)
    with pytest.raises(ValueError, match="ds must have a time zone in every row or in none"):
        lz.forecast(pd.DataFrame({"ds": mixed, "y": SALES[:48]}), 2, **QUICK)
