import inspect
import pathlib
import runpy

import pytest

from lstm_zoo import course
from lstm_zoo.course import exercises

ANSWERS = runpy.run_path(str(pathlib.Path(__file__).with_name("answers_to_try.py")))["ANSWERS"]


def each_exercise(test):
    return pytest.mark.parametrize("number", sorted(exercises._CHECKS))(test)


@each_exercise
def test_right_answer_is_accepted(number, capsys):
    assert course.check(number, ANSWERS[number][0])
    assert capsys.readouterr().out == "Right.\n"


@each_exercise
def test_plausible_wrong_answers_are_refused_with_a_hint(number, capsys):
    _, wrong = ANSWERS[number]
    assert len(wrong) >= 2
    for answer in wrong:
        assert not course.check(number, answer)
        assert capsys.readouterr().out.endswith(f"{exercises._CHECKS[number][1]}\n")


def test_hint_says_what_to_do_next(capsys):
    assert not course.check("00-1", 4 * 64 * (12 + 64))  # without the biases
    assert "Not yet. Four rows of equations" in capsys.readouterr().out


@each_exercise
def test_answer_that_cannot_be_read_is_wrong_and_not_an_error(number, capsys):
    assert not course.check(number, object())
    assert "Not yet" in capsys.readouterr().out


@each_exercise
def test_empty_answer_gets_no_hint_yet(number, capsys):
    empty = [None, lambda *arguments: None] if callable(ANSWERS[number][0]) else [None]
    for answer in empty:
        assert course.check(number, answer) is None
        assert capsys.readouterr().out.startswith("No answer yet: ")


def test_unknown_exercise_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="got '00-11'; did you mean '00-1'?"):
        course.check("00-11", 1)


@each_exercise
def test_hint_does_not_hold_the_answer(number):
    """No check is a bare comparison with a number that its hint repeats."""
    right, hint = exercises._CHECKS[number]
    assert hint.endswith((".", "?", "!"))
    assert inspect.getsource(right).split("return")[-1].strip() not in hint


def test_stored_results_are_rows_with_numbers_for_numbers():
    machine, rows = course.results("02_learning")
    assert "TensorFlow" in machine
    assert not machine.startswith("#")
    assert {row["network"] for row in rows} >= {"LSTM, forget bias 3"}
    assert all(isinstance(row["test_accuracy"], float) for row in rows)
    with pytest.raises(ValueError, match="name must be one of .*02_learning, .*, got '03'"):
        course.results("03")
