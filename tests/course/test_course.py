"""Every exercise takes right answers and refuses careless ones.

Each file of `answers_to_try/` holds `ANSWERS`: for each exercise a right answer and at least three
careless ones that a learner could well give. The right answer is None where only a long training
gives it; a long test in `tests/notebooks` then runs the solution of the notebook.
"""

import inspect
import itertools
import pathlib
import runpy

import numpy as np
import pytest

from lstm_zoo import course
from lstm_zoo.course import exercises

ANSWERS = {
    number: answers
    for path in sorted(pathlib.Path(__file__).parent.glob("answers_to_try/*.py"))
    for number, answers in runpy.run_path(str(path))["ANSWERS"].items()
}
RIGHT = {number: right for number, (right, _) in ANSWERS.items() if right is not None}
FUNCTIONS = [number for number, right in RIGHT.items() if inspect.isfunction(right)]
NUMBERS = [number for number, right in RIGHT.items() if isinstance(right, (int, float))]


@pytest.fixture(autouse=True)
def no_wrong_answers_yet(monkeypatch):
    monkeypatch.setattr(exercises, "_WRONG", type(exercises._WRONG)())


def each(numbers):
    return pytest.mark.parametrize("number", sorted(numbers))


def test_every_exercise_has_answers_to_try():
    assert set(ANSWERS) == set(exercises._CHECKS)


@each(RIGHT)
def test_right_answer_is_accepted(number, capsys):
    assert course.check(number, RIGHT[number])
    assert capsys.readouterr().out == "Right.\n"


@each(ANSWERS)
def test_careless_answers_are_refused_with_the_three_hints_in_turn(number, capsys):
    (_, careless), (_, hints) = ANSWERS[number], exercises._CHECKS[number]
    assert len(careless) >= 3
    for answer, hint in zip(careless, itertools.chain(hints, itertools.repeat(hints[-1]))):
        assert course.check(number, answer) is False
        assert capsys.readouterr().out.endswith(f": {hint}\n")


@each(ANSWERS)
def test_hints_are_three_sentences_and_the_first_two_do_not_give_a_number_away(number):
    hints = exercises._CHECKS[number][1]
    assert len(set(hints)) == len(hints) == 3
    assert all(hint.endswith((".", "?", "!", ")", "]")) for hint in hints)
    if number in NUMBERS and abs(RIGHT[number]) > 2:
        assert f"{RIGHT[number]:g}" not in " ".join(hints[:2]).replace(",", "").split()


def arrays_in(arguments):
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield from arrays_in(argument)
        elif isinstance(argument, np.ndarray):
            yield argument


def calls_of(number):
    """The arguments with which the check of an exercise calls a learner's function."""
    calls = []

    def recorded(*arguments):
        calls.append(arguments)
        return RIGHT[number](*arguments)

    assert exercises.check(number, recorded, verbose=0)
    return calls


def always_the_first_result(function):
    results = []

    def constant(*arguments):
        results.append(function(*arguments))
        return results[0]

    return constant


def with_the_first_argument_given(function, k):
    """`function`, which takes its argument `k` to be what it was in the first call."""
    first = []

    def ignores(*arguments):
        first.append(arguments[k])
        return function(*arguments[:k], first[0], *arguments[k + 1 :])

    return ignores


def changes_its_arguments(function):
    def spoils(*arguments):
        result = function(*arguments)
        for array in arrays_in(arguments):
            array[...] = 0
        return result

    return spoils


@each(FUNCTIONS)
def test_constant_function_is_refused(number):
    calls_of(number)
    assert not course.check(number, always_the_first_result(RIGHT[number]))


@each(FUNCTIONS)
def test_function_that_ignores_an_argument_is_refused(number):
    for k, argument in enumerate(calls_of(number)[0]):
        if not isinstance(argument, np.random.Generator):
            assert not course.check(number, with_the_first_argument_given(RIGHT[number], k)), k


@each(FUNCTIONS)
def test_function_that_changes_its_arguments_is_refused(number):
    if any(True for _ in arrays_in(calls_of(number)[0])):
        assert not course.check(number, changes_its_arguments(RIGHT[number]))


@each(NUMBERS)
def test_numbers_off_by_one_and_zero_are_refused(number):
    right = RIGHT[number]
    for answer in {right - 1, right + 1, -right, 0} - {right}:
        assert not course.check(number, answer), answer


def test_check_without_output_neither_prints_nor_counts_a_wrong_answer(capsys):
    for answer in (None, 1, 19712):
        course.check("00-1", answer, verbose=0)
    assert capsys.readouterr().out == ""
    assert not course.check("00-1", 4 * 64 * (12 + 64))  # without the biases
    first = exercises._CHECKS["00-1"][1][0]
    assert capsys.readouterr().out == f"Not yet. Hint 1 of 3: {first}\n"


@each(ANSWERS)
def test_answer_that_cannot_be_read_is_wrong_and_not_an_error(number, capsys):
    assert not course.check(number, object())
    assert "Not yet" in capsys.readouterr().out


@each(ANSWERS)
def test_empty_answer_gets_no_hint_yet(number, capsys):
    empty = [None, lambda *arguments: None] if number in FUNCTIONS else [None]
    for answer in empty:
        assert course.check(number, answer) is None
        assert capsys.readouterr().out.startswith("No answer yet: ")


def test_unknown_exercise_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="got '00-11'; did you mean '00-1'?"):
        course.check("00-11", 1)


def test_same_function_compares_shapes_numbers_and_arguments():
    x = np.array([1.0, -2.0])
    same = exercises.same_function
    assert same(lambda x: (x + x, 1), lambda x: [2 * x, 1], [(x,)])
    assert not same(lambda x: [x + x], lambda x: [2 * x, 1], [(x,)])
    assert not same(lambda x: np.abs(x), lambda x: x, [(x,)])
    assert not same(lambda x: x[None], lambda x: x, [(x,)])
    assert not same(lambda x: x.__iadd__(x), lambda x: 2 * x, [(x,)])
    assert same(lambda rng: rng.random(2), lambda rng: rng.random(2), [(np.random.default_rng(0),)])


def test_stored_results_are_rows_with_numbers_for_numbers():
    machine, rows = course.results("02_learning")
    assert "TensorFlow" in machine
    assert not machine.startswith("#")
    assert {row["network"] for row in rows} >= {"LSTM, forget bias 3"}
    assert all(isinstance(row["test_accuracy"], float) for row in rows)
    with pytest.raises(ValueError, match="name must be one of .*02_learning, .*, got '03'"):
        course.results("03")
