import numpy as np
import pandas as pd
import pytest

import lstm_zoo as lz

HOURS = pd.date_range("2024-01-01", periods=30, freq="h")
FRAME = pd.DataFrame({"rain": np.arange(30.0), "load": 100.0 - np.arange(30)}, HOURS)


def test_windows_of_a_frame_are_those_of_its_columns_in_the_order_of_time():
    found = lz.windows(FRAME[::-1], 5, 2, targets="load", known_future=["rain"])
    values = FRAME[["load", "rain"]].to_numpy()
    expected = lz.windows(values, 5, 2, known_future=[1])
    for part, other in zip(found.arrays(), expected.arrays()):
        if isinstance(part, dict):
            for name in part:
                np.testing.assert_array_equal(part[name], other[name])
        else:
            np.testing.assert_array_equal(part, other)


def test_windows_of_a_frame_with_gaps_are_refused():
    with pytest.raises(ValueError, match="time must have every step of 1 hours, but 2024-01-01T04"):
        lz.windows(FRAME.drop(HOURS[3]), 5, 2, targets="load")
    with pytest.raises(ValueError, match="target must be .* mean 'load'"):
        lz.windows(FRAME, 5, 2, targets="lood")


def test_a_panel_of_one_series_takes_its_index_as_times():
    found = lz.panel(FRAME, unique_id=None, ds=None, y="load", past=["rain"])
    assert found.ids == ("load",)
    assert found.times[0].tolist() == HOURS.to_numpy().tolist()
    np.testing.assert_array_equal(found.series[0], FRAME[["load", "rain"]].to_numpy())
    masked = lz.panel(
        FRAME.drop(HOURS[3]), unique_id=None, ds=None, y="load", gaps="mask", mask_value=-9.0
    )
    assert masked.series[0][3].tolist() == [-9.0]


def test_a_multiindex_says_which_and_when():
    index = pd.MultiIndex.from_product([["b", "a"], HOURS], names=["site", "at"])
    frame = pd.DataFrame({"load": np.arange(60.0)}, index)
    found = lz.panel(frame, unique_id="site", ds=None, y="load")
    assert found.ids == ("a", "b")
    assert found.series[0][:, 0].tolist() == np.arange(30.0, 60.0).tolist()
