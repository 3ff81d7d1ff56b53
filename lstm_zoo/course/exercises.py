"""Checks answers to the exercises of the course without showing the solutions.

The checks are in `lstm_zoo/course/answers`, with one file for each notebook.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np

from lstm_zoo import checks

_CHECKS: dict[str, tuple[Callable, str]] = {}


class _NoAnswer(Exception):
    """The learner's function is still empty."""


def check(exercise: str, answer) -> bool | None:
    """Check the answer to an exercise of the course, and print whether it is right.

    Args:
        exercise: its number in the notebook, such as "01-2" (notebook 01, exercise 2).
        answer: a number, an array or a function, as the exercise asks. None, or a function that
            returns None, counts as no answer.

    Returns:
        True if the answer is right, False if not (a hint says why), or None if there is no answer
        yet; a notebook then displays nothing more.

    Raises:
        ValueError: if the exercise does not exist.

    Example:
        >>> check("00-1", 4 * (64 * 12 + 64 * 64 + 64))
        Right.
        True
    """
    right, hint = _CHECKS[checks.one_of("exercise", exercise, sorted(_CHECKS))]
    try:
        if answer is None:
            raise _NoAnswer
        good = bool(right(_not_empty(answer) if callable(answer) else answer))
    except _NoAnswer:
        print("No answer yet: write yours into this cell and run it again.")
        return None
    except Exception as error:  # an answer may have any shape or type; tell what went wrong
        print(f"Not yet: the answer could not be checked ({error}). {hint}")
        return False
    print("Right." if good else f"Not yet. {hint}")
    return good


def exercise(number: str, hint: str) -> Callable[[Callable], Callable]:
    """Decorator that registers the function that checks answers to exercise `number`."""

    def register(right):
        _CHECKS[number] = (right, hint)
        return right

    return register


def near(answer, value, tolerance: float) -> bool:
    """Whether `answer` has the shape of `value` and differs by at most `tolerance` from it."""
    shape = np.shape(value)
    return np.shape(answer) == shape and np.allclose(answer, value, rtol=0, atol=tolerance)


def _not_empty(function):
    @wraps(function)
    def call(*args):
        result = function(*args)
        if result is None:
            raise _NoAnswer
        return result

    return call
