"""Checks answers to the exercises of the course without showing the solutions.

The checks are in `lstm_zoo/course/answers`, with one file for each notebook.
"""

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps

import numpy as np

from lstm_zoo import checks

_CHECKS: dict[str, tuple[Callable, tuple[str, ...]]] = {}  # number: (check, hints)
_WRONG: Counter[str] = Counter()  # wrong answers to an exercise in this process


class _NoAnswer(Exception):
    """The learner's function is still empty."""


def check(exercise: str, answer, verbose: int = 1) -> bool | None:
    """Check the answer to an exercise of the course, and print whether it is right.

    Each wrong answer prints the next hint of the exercise: the first hint points in the right
    direction, the last one nearly gives the answer.

    Args:
        exercise: its number in the notebook, such as "01-2" (notebook 01, exercise 2).
        answer: a number, an array, a function, a class or a model, as the exercise asks. None, or a
            function that returns None, counts as no answer.
        verbose: 0 prints nothing and does not count wrong answers.

    Returns:
        True if the answer is right, False if not, or None if there is no answer yet; a notebook
        then displays nothing more.

    Raises:
        ValueError: if the exercise does not exist.

    Example:
        >>> check("00-1", 4 * (64 * 12 + 64 * 64 + 64))
        Right.
        True
    """
    right, hints = _CHECKS[checks.one_of("exercise", exercise, sorted(_CHECKS))]
    try:
        if answer is None:
            raise _NoAnswer
        good = bool(right(_not_empty(answer) if inspect.isroutine(answer) else answer))
        said = "Right." if good else "Not yet."
    except _NoAnswer:
        good, said = None, "No answer yet: write yours into this cell and run it again."
    except Exception as error:  # an answer may have any shape or type; tell what went wrong
        good, said = False, f"Not yet: the answer could not be checked ({error})."
    if verbose:
        if good is False:
            stage = min(_WRONG[exercise], len(hints) - 1)
            said += f" Hint {stage + 1} of {len(hints)}: {hints[stage]}"
            _WRONG[exercise] += 1
        print(said)
    return good


def exercise(number: str, *hints: str) -> Callable[[Callable], Callable]:
    """Decorator that registers the function that checks answers to exercise `number`.

    Args:
        number: such as "06-1".
        hints: three sentences. The first says where to look, the second how to begin, the third
            nearly gives the answer.
    """

    def register(right):
        _CHECKS[number] = (right, hints)
        return right

    return register


def near(answer, value, tolerance: float) -> bool:
    """Whether `answer` has the shape of `value` and differs by at most `tolerance` from it."""
    shape = np.shape(value)
    return np.shape(answer) == shape and np.allclose(answer, value, rtol=0, atol=tolerance)


def same_function(
    answer: Callable, reference: Callable, cases: Iterable[tuple], tolerance: float = 1e-6
) -> bool:
    """Whether `answer` returns what `reference` returns, and changes none of its arguments.

    Choose cases that differ in every argument and in the result, with negative numbers among
    them: then a function that ignores an argument or returns a constant is wrong in one of them.

    Args:
        answer: the learner's function.
        reference: the right function.
        cases: tuples of arguments. Both functions get their own copies, random generators too.
        tolerance: the largest difference of a number in the result.
    """
    for case in cases:
        given = copy.deepcopy(case)
        expected = reference(*copy.deepcopy(case))
        if not (_same(answer(*given), expected, tolerance) and _unchanged(given, case)):
            return False
    return True


def _same(answer, expected, tolerance) -> bool:
    """Whether arrays, or lists or tuples of arrays, have equal shapes and nearly equal numbers."""
    if isinstance(expected, (list, tuple)):
        return len(answer) == len(expected) and all(
            _same(one, other, tolerance) for one, other in zip(answer, expected)
        )
    return near(answer, expected, tolerance)


def _unchanged(given, case) -> bool:
    if isinstance(case, (list, tuple)):
        return len(given) == len(case) and all(map(_unchanged, given, case))
    return not isinstance(case, np.ndarray) or np.array_equal(given, case, equal_nan=True)


def _not_empty(function):
    @wraps(function)
    def call(*args):
        result = function(*args)
        if result is None:
            raise _NoAnswer
        return result

    return call
