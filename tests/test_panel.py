"""Real-world tables: times as text, gaps, ids and missing numbers."""

import datetime
import decimal

import keras
import numpy as np
import pytest

import lstm_zoo as lz

UTC = datetime.timezone.utc


def table(times, **columns):
    rows = len(times)
    return {"unique_id": ["a"] * rows, "ds": times, "y": np.arange(1.0, rows + 1), **columns}


def order(ds):
    """The rows of a table in the order that `panel` puts them in, from 1."""
    return lz.panel(table(ds), gaps="join").series[0][:, 0].tolist()


class Column:
    """What pandas and polars have in common: an array of objects, by `__array__`."""

    def __init__(self, values, dtype=object):
        self.values, self.dtype = values, dtype

    def __len__(self):
        return len(self.values)

    def __repr__(self):
        return f"Column({self.values})"

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, self.dtype)


class NAType:
    """Like pandas.NA, which is neither true nor false."""

    def __repr__(self):
        return "NA"

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize(
    "ds",
    [
        ["31/01/2020", "01/02/2020"],
        ["2020-1-9", "2020-1-10"],
        ["9", "10"],
        ["Mar 2020", "Apr 2020"],
        ["20200131", "20200201"],
        ["2020-02-30"],
        ["2020-01-01T25:00"],
        ["9:00", "10:00"],
        [""],
    ],
)
def test_text_that_is_no_iso_date_is_refused_and_never_sorted_by_its_letters(ds):
    with pytest.raises(ValueError, match=r"ds must be (numbers, dates, or text in ISO|dates of)"):
        lz.panel(table(ds))


def test_iso_text_is_sorted_as_python_sorts_its_dates():
    ds = ["2020-03-01", "2019-12-31 23:59", "2020-03-01T00:00:00.5", "2020-02-29 07:00:01"]
    dates = [datetime.datetime.fromisoformat(text.replace(".5", ".500000")) for text in ds]
    assert order(ds) == [1.0 + k for k in np.argsort(dates)]
    [times] = lz.panel(table(ds), gaps="join").times
    assert times.tolist() == sorted(dates)


def test_times_with_zones_are_sorted_by_the_moment_they_mean():
    ds = ["2020-01-01 12:00+02:00", "2020-01-01 11:30Z", "2020-01-01 05:30-0600"]
    assert order([*ds[:2], "2020-01-01 05:00-0600"]) == [1, 3, 2]
    with pytest.raises(ValueError, match="must not occur twice"):
        lz.panel(table(ds))
    zones = [UTC, datetime.timezone(datetime.timedelta(hours=2))]
    aware = [datetime.datetime(2020, 1, 1, 12, tzinfo=zone) for zone in zones]
    assert order(aware) == [2, 1]
    for mixed in (["2020-01-01 11:30Z", "2020-01-01 12:00"], [aware[0], datetime.datetime.now()]):
        with pytest.raises(ValueError, match="time zone in every row or in none"):
            lz.panel(table(mixed))


@pytest.mark.parametrize(
    "ds",
    [
        [datetime.date(2020, 1, 10), datetime.date(2020, 1, 9)],
        [datetime.date(2020, 1, 10), datetime.datetime(2020, 1, 9, 3)],
        np.array(["2020-01-10", "2020-01-09"], "M8[ns]"),
        Column(["2020-01-10", "2020-01-09"]),
        Column([10, 9]),
        [10, 9.5],
        np.array([10, 9], "uint8"),
        np.array([10, 9], "m8[h]"),
    ],
    ids=repr,
)
def test_dates_and_numbers_of_any_type_are_sorted_as_they_are(ds):
    assert order(ds) == [2, 1]


@pytest.mark.parametrize("gone", [None, float("nan"), np.datetime64("NaT"), NAType()], ids=repr)
@pytest.mark.parametrize("name", ["unique_id", "ds", "y"])
def test_a_missing_value_is_refused_with_its_column_and_row(name, gone):
    right = {"unique_id": "a", "ds": 1, "y": 2.0}
    rows = table([1, 2], unique_id=["a", "b"], y=[1.0, 2.0])
    rows[name] = Column([right[name], gone])
    with pytest.raises(ValueError, match=f"{name} must not be missing, got .* in row 1"):
        lz.panel(rows)


def test_columns_of_several_kinds_are_refused():
    for name, column, kinds in (
        ("unique_id", ["a", 1], "numbers, text"),
        ("unique_id", Column(["a", 1]), "numbers, text"),
        ("ds", ["2020-01-01", 3], "numbers, text"),
        ("ds", Column([datetime.date(2020, 1, 1), "2020-01-02"]), "dates, text"),
        ("ds", Column([np.datetime64("2020-01-01"), 3.0]), "dates, numbers"),
        ("y", Column([decimal.Decimal(1), 2.0]), "Decimal, numbers"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be of one kind, got {kinds}"):
            lz.panel(table([1, 2], **{name: column}))


def test_ids_that_are_large_whole_numbers_stay_apart():
    many = lz.panel(table([1, 1], unique_id=[2**53 + 1, 2**53]))
    assert many.ids == (2**53, 2**53 + 1)


HOURS = ["2020-01-01 00", "2020-01-01 01", "2020-01-01 04", "2020-01-01 05"]


def test_missing_hours_are_named_and_never_joined_silently():
    message = (
        "ds must have every step of 1 hours, but 2020-01-01T04 follows 2020-01-01T01 in 'a'; 2 "
        "steps are missing in all: gaps='fill' .* gaps='mask' .* gaps='join'"
    )
    with pytest.raises(ValueError, match=message):
        lz.panel(table(HOURS[::-1]))


def test_gaps_are_filled_masked_or_joined():
    def series(**options):
        many = lz.panel(table(HOURS, p=[5, 6, 7, 8]), past=["p"], **options)
        return many.series[0].tolist(), many.times[0].astype(str).tolist()

    every = [f"2020-01-01T{hour:02}" for hour in range(6)]
    filled = [[1, 5], [2, 6], [2, 6], [2, 6], [3, 7], [4, 8]]
    assert series(gaps="fill") == (filled, every)
    masked = [*filled[:2], [-9, -9], [-9, -9], *filled[4:]]
    assert series(gaps="mask", mask_value=-9.0) == (masked, every)
    joined = [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert series(gaps="join") == (joined, [every[k] for k in (0, 1, 4, 5)])


@pytest.mark.parametrize(
    ("ds", "missing"),
    [
        (["2020-01-31", "2020-02-29", "2020-03-31", "2020-05-31"], ["2020-04-30"]),
        (["2020-01-01", "2020-02-01", "2020-04-01"], ["2020-03-01"]),
        (["2020-01", "2020-02", "2020-04"], ["2020-03"]),
        (["2019-03-15 06", "2019-06-15 06", "2019-12-15 06"], ["2019-09-15T06"]),
        (["2019", "2020", "2022"], ["2021"]),
        (["2020-02-28", "2020-02-29", "2020-03-02"], ["2020-03-01"]),
        (["2020-01-06", "2020-01-13", "2020-01-27"], ["2020-01-20"]),
        ([0.1, 0.2, 0.3, 0.5], [0.4]),
        (np.array([3, 0, 1], "uint8"), [2]),
        (np.array([0, 30, 90], "m8[m]"), [np.timedelta64(60, "m")]),
    ],
)
def test_the_step_is_found_of_days_weeks_months_years_and_numbers(ds, missing):
    many = lz.panel(table(ds), gaps="mask", mask_value=-1.0)
    found = many.times[0][many.series[0][:, 0] == -1]
    if found.dtype.kind == "M":
        found = found.astype(str)
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, missing)
    else:
        assert found.tolist() == np.array(missing).tolist()
    lz.panel(table(many.times[0]))  # has no gap any more


def test_times_that_are_no_whole_steps_apart_are_refused_unless_joined():
    with pytest.raises(ValueError, match="whole steps of 2 apart, but 7 follows 4 in 'a'; gaps='j"):
        lz.panel(table([0, 2, 4, 7]), gaps="fill")
    assert order([0, 2, 4, 7]) == [1, 2, 3, 4]


def test_no_window_forecasts_a_masked_step_and_what_is_before_is_masked_for_the_builder():
    rng = np.random.default_rng(0)
    hours = np.sort(rng.choice(60, 40, replace=False))
    y = rng.normal(size=40)
    many = lz.panel(table(hours, y=y), gaps="mask", mask_value=-9.0)
    data = many.windows(4, 2)
    at = {int(hour): value for hour, value in zip(hours, y)}
    expected = [
        ([at.get(t + k, -9.0) for k in range(4)], [at[t + 4], at[t + 5]])
        for t in range(hours[0], hours[-1] - 4)
        if {t + 4, t + 5} <= at.keys() and any(t + k in at for k in range(4))
    ]
    x, targets = data.arrays()
    assert data.count == len(expected) < len(many.series[0]) - 5
    np.testing.assert_allclose(x[..., 0], [past for past, _ in expected], rtol=1e-6)
    np.testing.assert_allclose(targets, [ahead for _, ahead in expected], rtol=1e-6)
    model = lz.build_forecaster((None, 1), 2, lstm_units=3, dense_units=(), mask_value=-9.0)
    row = next(k for k in range(len(x)) if (x[k, 1:3] == -9).any() and x[k, 0] != -9)
    alone = x[row][x[row, :, 0] != -9][None]
    np.testing.assert_allclose(model(x[row : row + 1]), model(alone), atol=1e-6)
    keras.backend.clear_session()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gaps": "fil"}, "gaps must be one of .* did you mean 'fill'"),
        ({"gaps": "mask"}, "mask_value must be a finite number, got None"),
        ({"mask_value": 0.0}, "mask_value must be None unless gaps is 'mask', got 0.0"),
        ({"gaps": "mask", "mask_value": 2.0}, "mask_value must not fill a true step, got 2.0"),
        ({"past": ["y"]}, "column must be named once, got 'y' twice"),
        ({"past": ["label"]}, "label must be numbers, got 'x' in row 0"),
    ],
)
def test_wrong_options_of_panel_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        lz.panel(table([1, 2, 4], label=["x", "y", "z"]), **options)


def test_windows_that_are_all_missing_ahead_are_refused():
    with pytest.raises(ValueError, match="series must have 2 steps ahead of one window at least"):
        lz.windows([1.0, 2.0, -9.0, 3.0, -9.0], 2, 2, mask_value=-9.0)


def test_columns_whose_rows_are_labelled_otherwise_are_refused():
    class Labels:
        def __init__(self, labels):
            self.labels = labels

        def equals(self, other):
            return self.labels == other.labels

    def column(values, labels):
        found = Column(values)
        found.index = Labels(labels)
        return found

    rows = {"unique_id": ["a", "a"], "ds": column([1, 2], [0, 1])}
    lz.panel(rows | {"y": column([1.0, 2.0], [0, 1])})
    with pytest.raises(ValueError, match="y must have the rows of ds, got another index"):
        lz.panel(rows | {"y": column([1.0, 2.0], [1, 0])})


@pytest.mark.parametrize("gaps", ["fill", "mask"])
def test_more_missing_steps_than_memory_holds_are_refused(gaps):
    table = {"unique_id": ["a"] * 3, "ds": [0, 1, 10**12], "y": [1.0, 2.0, 3.0]}
    with pytest.raises(ValueError, match="ds must lack at most 10000000 steps .* step is 1"):
        lz.panel(table, gaps=gaps, mask_value=-999.0 if gaps == "mask" else None)
