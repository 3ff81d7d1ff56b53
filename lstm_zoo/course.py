"""Answers to the notebooks' exercises, checked without showing them."""

import difflib

import numpy as np

_CHECKS = {}


def check(exercise, answer):
    """Say whether the answer to an exercise of the course is right.

    Args:
        exercise: its number as it stands in the notebook, such as "01-2": the notebook, then the
            exercise.
        answer: what the exercise asks for; a number, an array or a function.

    Returns:
        True if it is right, False if not; the reason for a False is printed as a hint.

    Raises:
        ValueError: if there is no such exercise.

    Example:
        >>> check("00-1", 4 * (64 * 12 + 64 * 64 + 64))
        Right.
        True
    """
    if exercise not in _CHECKS:
        near = difflib.get_close_matches(str(exercise), _CHECKS, n=1, cutoff=0)
        raise ValueError(
            f"exercise must be one of {', '.join(sorted(_CHECKS))}, got {exercise!r}; "
            f"did you mean {near[0]!r}?"
        )
    right, hint = _CHECKS[exercise]
    try:
        good = bool(right(answer))
    except Exception as error:  # any shape or type may come; the learner is told what went wrong
        print(f"Not yet: the answer could not be checked ({error}). {hint}")
        return False
    print("Right." if good else f"Not yet. {hint}")
    return good


def _exercise(number, hint):
    """Register the function that tells whether an answer to exercise `number` is right."""

    def register(right):
        _CHECKS[number] = (right, hint)
        return right

    return register


def _near(answer, value, tolerance):
    return np.shape(answer) == np.shape(value) and np.allclose(answer, value, atol=tolerance)


# 00 quickstart


@_exercise(
    "00-1", "Four rows of equations, each with W (units x features), U (units x units) and b."
)
def _(answer):
    return answer == 4 * (64 * 12 + 64 * 64 + 64)


# 01 sequences and RNNs

# 02 the gradient problem

# 03 the architecture

# 04 the gates

# 05 step by step

# 06 backpropagation through time

# 08 classification
