"""CSV files as people have them: separators, decimal commas, dates, zones, empty cells."""

import pandas
import pytest

from lstm_zoo.tables import read_table


@pytest.fixture
def table(tmp_path):
    def read(text, **options):
        path = tmp_path / "file.csv"
        path.write_text(text)
        return read_table(path, **options)

    return read


def test_semicolons_and_decimal_commas_are_found_and_said(table):
    found = table("day;sales;price\n2020-01-30;1,5;10\n2020-01-31;-2,25;11\n")
    assert found.frame["sales"].tolist() == [1.5, -2.25]
    assert found.frame["price"].tolist() == [10, 11]
    assert found.time == "day"
    assert found.frame["day"].tolist() == [
        pandas.Timestamp(2020, 1, 30),
        pandas.Timestamp(2020, 1, 31),
    ]
    assert "separator ';'" in found.said[0]
    assert "decimal comma" in found.said


@pytest.mark.parametrize("sep", [",", "\t", "|"])
def test_other_separators_are_found(table, sep):
    assert table(f"a{sep}b\n1.5{sep}2\n").frame.iloc[0].tolist() == [1.5, 2]


def test_a_file_that_pandas_wrote_with_its_index_reads_as_before(table, tmp_path):
    path = tmp_path / "pandas.csv"
    pandas.DataFrame({"sales": [1.0, 2.0]}).to_csv(path)
    counted = read_table(path)
    assert list(counted.frame.columns) == ["sales"]
    assert any("counts the rows" in line for line in counted.said)
    dates = pandas.date_range("2020-01-01", periods=2)
    pandas.DataFrame({"sales": [1.0, 2.0]}, dates).to_csv(path)
    dated = read_table(path)
    assert dated.time == "index"
    assert dated.frame["index"].tolist() == dates.tolist()


def test_days_before_months_are_read_only_if_the_format_is_given(table):
    text = "day,sales\n1.2.2020,1\n2.2.2020,2\n"
    with pytest.raises(
        ValueError, match="column 'day' .* got '1.2.2020' in line 2; give time_form"
    ):
        table(text)
    found = table(text, time_format="%d.%m.%Y")
    assert found.frame["day"].dt.month.tolist() == [2, 2]


def test_times_of_two_offsets_need_the_name_of_a_zone(table):
    text = "time,load\n2020-03-29T00:00+01:00,1\n2020-03-30T00:00+02:00,2\n"
    with pytest.raises(ValueError, match="one zone, got .* in line 2 and .* line 3; give timezone"):
        table(text)
    found = table(text, timezone="Europe/Berlin").frame["time"]
    assert found.dt.hour.tolist() == [0, 0]
    assert str(found.dt.tz) == "Europe/Berlin"


def test_times_with_and_without_a_zone_are_refused(table):
    text = "time,load\n2020-03-29T00:00,1\n2020-03-30T00:00+02:00,2\n"
    with pytest.raises(ValueError, match="column 'time' .* of one zone, got .* in line 3"):
        table(text, timezone="Europe/Berlin")


EMPTY = "day,sales\n2020-01-01,5\n2020-01-02,\n2020-01-03,7\n"


def test_empty_cells_are_refused_by_column_and_line_or_filled_as_told(table):
    with pytest.raises(
        ValueError, match="column 'sales' .* has 1 empty cells, the first in line 3"
    ):
        table(EMPTY)
    previous = table(EMPTY, empty="previous")
    assert previous.frame["sales"].tolist() == [5, 5, 7]
    assert any("the first in line 3, filled" in line for line in previous.said)
    assert table(EMPTY, empty="0").frame["sales"].tolist() == [5, 0, 7]


def test_an_empty_time_or_line_is_never_filled(table):
    with pytest.raises(ValueError, match="column 'day' .* the first in line 3"):
        table("day,sales\n2020-01-01,5\n,6\n", empty="previous")
    with pytest.raises(ValueError, match="column 'day' .* the first in line 3"):
        table("day,sales\n2020-01-01,5\n\n2020-01-02,6\n", empty="0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day,sales\n2020-01-01,many\n", "column 'sales' .* got 'many' in line 2"),
        ("day,sales\n2020-01-01,inf\n", "column 'sales' .* got 'inf' in line 2"),
        ("day,sales\n2020-01-01,1,5\n", "must have 2 cells in each line"),
        ("day;sales\n2020-01-01;1,5\n2020-01-02;1.5\n", "decimal .* got '1,5' in column 'sales'"),
        ("day;sales\n2020-01-01;1.234,5\n", "column 'sales' .* got '1.234,5' in line 2"),
        ("a,a\n1,2\n", "must have each column once, got 'a' twice"),
        ("a,b\n", "must hold rows"),
        ("", "must name the columns"),
        ("a,b\n2020-01-01,2020-01-01\n", "time must be one of a, b"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(table, text, message):
    with pytest.raises(ValueError, match=message):
        table(text)


def test_a_misspelt_column_is_answered_with_the_nearest(table):
    with pytest.raises(ValueError, match="did you mean 'sales'"):
        table("day,sales\n2020-01-01,1\n", numbers=("sale",))


def test_columns_that_are_not_asked_for_may_hold_anything(table):
    found = table("day,sales,note\n2020-01-01,1,\n2020-01-02,2,7 less\n", numbers=("sales",))
    assert found.frame["sales"].tolist() == [1, 2]
