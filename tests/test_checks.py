"""Argument checks give consistent errors, and return valid values with the right type."""

import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import checks

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("whole", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_count_is_an_int_of_any_whole_number(whole):
    assert type(checks.count("units", whole)) is int
    assert checks.count("length", np.uint8(200)) * 2 == 400  # which overflows in uint8


def test_counts_is_a_tuple_of_ints():
    assert checks.counts("units", [np.int64(64), 32]) == (64, 32)
    assert checks.counts("units", ()) == ()


def test_numbers_of_numpy_are_numbers():
    assert checks.fraction("dropout", np.float32(0.5)) == 0.5
    assert checks.positive("clipnorm", np.float32(2)) == 2
    assert checks.number("mask_value", np.int64(-1)) == -1.0


@pytest.mark.parametrize(
    ("check", "value", "options", "sentence"),
    [
        (checks.count, True, {}, "a must be a whole number of at least 1, got True"),
        (checks.count, 2.0, {}, "a must be a whole number of at least 1, got 2.0"),
        (checks.count, None, {}, "a must be a whole number of at least 1, got None"),
        (checks.count, 1, {"least": 2}, "a must be a whole number of at least 2, got 1"),
        (checks.count, 5, {"least": 0, "below": 5}, "a must be a whole number from 0 to 4, got 5"),
        (checks.counts, 64, {}, "a must be a tuple such as (64, 32), got 64"),
        (checks.counts, (), {"least": 1}, "a must be a tuple such as (64, 32), got ()"),
        (checks.counts, (8, 0), {}, "a must be a whole number of at least 1, got 0"),
        (checks.fraction, 1.1, {}, "a must be a fraction from 0 to 1, got 1.1"),
        (checks.fraction, NAN, {}, "a must be a fraction from 0 to 1, got nan"),
        (checks.fraction, 1, {"below_one": True}, "a must be a fraction from 0 to below 1, got 1"),
        (checks.positive, 0, {}, "a must be a number above 0, got 0"),
        (checks.positive, INF, {}, "a must be a number above 0, got inf"),
        (checks.positive, NAN, {}, "a must be a number above 0, got nan"),
        (checks.number, NAN, {}, "a must be a finite number, got nan"),
        (checks.number, "0", {}, "a must be a finite number, got '0'"),
        (checks.array, [[1], [1, 2]], {}, "a must be an array of numbers with rows of equal"),
        (checks.array, ["one"], {}, "a must be an array of numbers, got dtype <U3"),
        (checks.array, [], {}, "a must not be empty, got shape (0,)"),
        (checks.finite, [1.0, NAN, INF], {}, "a must be finite, got 2 NaN or infinite values"),
        (checks.rising_fractions, 0.5, {}, "a must be rising fractions between 0 and 1, such as"),
        (checks.rising_fractions, (0.5, 0.5), {}, "a must be rising fractions between 0 and 1"),
        (checks.rising_fractions, (0.0, 0.5), {}, "a must be rising fractions between 0 and 1"),
    ],
)
def test_wrong_value_is_named_in_one_sentence(check, value, options, sentence):
    with pytest.raises(ValueError, match="^a must ") as raised:
        check("a", value, **options)
    assert str(raised.value).startswith(sentence)


def test_rank_and_shape_are_named():
    with pytest.raises(ValueError, match=r"^x must have 2 or 3 axes, got shape \(4,\)$"):
        checks.array("x", np.zeros(4), 2, 3)
    assert checks.shape("mask", [3, 5], (3, None)) == (3, 5)
    with pytest.raises(ValueError, match=r"^mask must be of shape \(3, any\), got \(4, 5\)$"):
        checks.shape("mask", (4, 5), (3, None))


@pytest.mark.parametrize("wrong", ["LSTM", "lstn", "Lstm"])
def test_unknown_name_suggests_the_nearest_in_any_case(wrong):
    with pytest.raises(ValueError, match=f"got '{wrong}'; did you mean 'lstm'\\?$"):
        checks.one_of("cell", wrong, ["simple_rnn", "lstm"])


@pytest.mark.parametrize("wrong", ["zzz", None, 3, ("x", "y")])
def test_name_without_a_near_match_lists_all_names(wrong):
    with pytest.raises(ValueError, match="^cell must be one of gru, lstm, got [^;]*$"):
        checks.one_of("cell", wrong, ["gru", "lstm"])


def test_masked_numbers_are_never_taken_for_data():
    masked = np.ma.masked_array(np.arange(1.0, 13), mask=np.arange(12) == 5)
    table = {"unique_id": ["a"] * 12, "ds": range(12), "y": masked}
    model = lz.build_regressor((4, 1), lstm_units=2, dense_units=())
    x = masked.reshape(3, 4, 1)
    for call in (
        lambda: lz.windows(masked, 3, 1),
        lambda: lz.windows([masked[:6], masked[:4]], 2, 1),
        lambda: lz.datasets.windows(masked, 3, 1),
        lambda: lz.pad([masked]),
        lambda: lz.batches_by_length([masked], [1]),
        lambda: lz.panel(table),
        lambda: lz.backtest(masked, 1, start=6),
        lambda: lz.fit(model, x, np.arange(3.0), verbose=0),
        lambda: lz.fit(model, x.filled(0.0), masked[4:7], verbose=0),
        lambda: lz.trace(model, x),
        lambda: lz.build_regressor((4, 1), lstm_units=2, normalise=x),
    ):
        with pytest.raises(
            ValueError, match="must not have masked numbers, got 1; fill them first, for example"
        ):
            call()
    whole = np.ma.masked_array(np.arange(12.0), mask=False)
    assert lz.windows(whole, 3, 1).count == 9
