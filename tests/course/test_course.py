import inspect

import pytest

from lstm_zoo import course
from lstm_zoo.course import exercises


def test_right_and_wrong_answers_are_told_apart(capsys):
    assert course.check("00-1", 19712)
    assert capsys.readouterr().out == "Right.\n"
    assert not course.check("00-1", 4 * 64 * (12 + 64))  # without the biases
    assert "Not yet. Four rows of equations" in capsys.readouterr().out


def test_answer_that_cannot_be_read_is_wrong_and_not_an_error(capsys):
    for number in exercises._CHECKS:
        assert not course.check(number, object())
        assert not course.check(number, None)
        assert "Not yet" in capsys.readouterr().out


def test_unknown_exercise_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="got '00-11'; did you mean '00-1'?"):
        course.check("00-11", 1)


def test_hint_does_not_hold_the_answer():
    """No check is a bare comparison with a number that its hint repeats."""
    for right, hint in exercises._CHECKS.values():
        assert hint.endswith((".", "?", "!"))
        assert inspect.getsource(right).split("return")[-1].strip() not in hint


def test_stored_results_are_rows_with_numbers_for_numbers():
    machine, rows = course.results("02_long_lag")
    assert "TensorFlow" in machine
    assert not machine.startswith("#")
    assert {row["network"] for row in rows} >= {"SimpleRNN", "LSTM"}
    assert all(isinstance(row["test_accuracy"], float) for row in rows)
    with pytest.raises(ValueError, match="name must be one of 02_long_lag, 08_ablation, got '03'"):
        course.results("03")
