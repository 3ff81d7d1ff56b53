"""Exercises of the course, whose answers are checked without showing them.

What makes an answer right stands in `lstm_zoo/course/answers`, a file for each notebook.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np

from lstm_zoo import checks

_CHECKS: dict[str, tuple[Callable, str]] = {}


class _NoAnswer(Exception):
    """A function that the exercise asks for is still empty."""


def check(exercise: str, answer) -> bool | None:
    """Say whether the answer to an exercise of the course is right.

    Args:
        exercise: its number as it stands in the notebook, such as "01-2": the notebook, then the
            exercise.
        answer: what the exercise asks for; a number, an array or a function. None, or a function
            that returns None, stands for no answer.

    Returns:
        True if it is right, False if not (a hint says why), None if there is no answer yet: then a
        notebook shows nothing more.

    Raises:
        ValueError: if there is no such exercise.

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
    except Exception as error:  # any shape or type may come; the learner is told what went wrong
        print(f"Not yet: the answer could not be checked ({error}). {hint}")
        return False
    print("Right." if good else f"Not yet. {hint}")
    return good


def exercise(number: str, hint: str) -> Callable[[Callable], Callable]:
    """Register the function that tells whether an answer to exercise `number` is right."""

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
