"""Exercises of the course, whose answers are checked without showing them."""

from collections.abc import Callable

import numpy as np

from lstm_zoo import checks

_CHECKS: dict[str, tuple[Callable, str]] = {}


def check(exercise: str, answer) -> bool:
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
    right, hint = _CHECKS[checks.one_of("exercise", exercise, sorted(_CHECKS))]
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


@_exercise("01-1", "W (features x units), U (units x units) and b (units).")
def _(answer):
    return answer == 12 * 32 + 32 * 32 + 32


@_exercise("01-2", "The smallest whole n with u ** n < 0.01, for 0.5 and for 0.9.")
def _(answer):
    return _near(answer, (7, 44), 0)


@_exercise("01-3", "Unit 1 reads the input alone, unit 2 reads what unit 1 was a step before.")
def _(answer):
    W, U, b = (np.asarray(weight, float) for weight in answer)
    x, h = np.linspace(-2, 2, 9), np.zeros(2)
    second = []
    for x_t in x:
        h = np.tanh([x_t] @ W + h @ U + b)
        second.append(h[1])
    return _near(second, np.tanh(np.tanh([0, *x[:-1]])), 1e-3)


@_exercise("01-4", "The state of step 20 itself can change, and each one after it.")
def _(answer):
    return answer == 31


# 02 the gradient problem


@_exercise("02-1", "The smallest whole n with 0.95 ** n < 0.01.")
def _(answer):
    return answer == 90


@_exercise(
    "02-2", "Where is s * (1 - s) largest for s from 0 to 1? It comes in at each of 10 steps."
)
def _(answer):
    return np.isclose(answer, 2.0**-20, rtol=1e-3, atol=0)


@_exercise("02-3", "Try numbers below 1 on the diagonal and one large number beside them.")
def _(answer):
    matrix = np.asarray(answer, float)
    grows = np.linalg.norm(matrix, ord=2) > 2
    return (
        matrix.shape == (2, 2) and grows and np.abs(np.linalg.matrix_power(matrix, 50)).max() < 1e-3
    )


@_exercise("02-4", "One length for all arrays together: the root of the sum of all squares.")
def _(answer):
    long, short = [np.array([[3.0, 0.0]]), np.array([4.0])], [np.array([0.3]), np.array([[0.4]])]
    clipped, kept = answer(long, 2.0), answer(short, 2.0)
    return (
        _near(clipped[0], [[1.2, 0.0]], 1e-6)
        and _near(clipped[1], [1.6], 1e-6)
        and _near(kept[0], [0.3], 1e-6)
        and _near(kept[1], [[0.4]], 1e-6)
    )


# 03 the architecture


@_exercise("03-1", "First c = f * c_before + i * g, then h = o * tanh(c); give [c, h].")
def _(answer):
    return _near(answer, [0.25, 0.2204], 0.006)


@_exercise("03-2", "Two of the four blocks learn nothing, each with W (32 x 12), U and b.")
def _(answer):
    return answer == 2 * (32 * 12 + 32 * 32 + 32)


@_exercise("03-4", "i is 1 - f in the equation of the cell state; return h, then c.")
def _(answer):
    z_f, z_g, z_o, c = np.random.default_rng(0).normal(size=(4, 6))
    f, g, o = 1 / (1 + np.exp(-z_f)), np.tanh(z_g), 1 / (1 + np.exp(-z_o))
    after = g + f * (c - g)
    return _near(answer(z_f, z_g, z_o, c), [o * np.tanh(after), after], 1e-6)


# 04 the gates


@_exercise("04-1", "Solve sigmoid(b_i) = 0.1 and sigmoid(b_f) = 0.9; give [b_i, b_f].")
def _(answer):
    return _near(1 / (1 + np.exp(-np.asarray(answer, float))), [0.1, 0.9], 0.002)


@_exercise("04-2", "0.999 ** steps = 1/2: take the logarithm of both sides.")
def _(answer):
    return _near(answer, 692.8, 1)


@_exercise("04-3", "Both buttons have to erase; only one of them writes, and what it writes is 1.")
def _(answer):
    W, b = (np.asarray(part, float) for part in answer)
    c = lit = 0.0
    for button in np.random.default_rng(0).integers(0, 4, 200):  # 2 and 3: neither is pressed
        i, f, g, _ = np.array([button == 0, button == 1], float) @ W + b
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        lit = {0: 1.0, 1: 0.0}.get(int(button), lit)
        if abs(c - lit) > 0.05:
            return False
    return True


# 05 step by step


@_exercise("05-1", "f and i are sigmoids of z_f and z_i, g is tanh of z_g; give [c, h].")
def _(answer):
    return _near(answer, [0.0596, 0.0435], 0.002)


@_exercise("05-2", "Look which of the six equations need only x_t and the states before the step.")
def _(answer):
    return set(answer) == set("ifgo")


# 06 backpropagation through time


@_exercise("06-1", "f ** 100 = 1/2 and f = 1 / (1 + exp(-bias)): solve for the bias.")
def _(answer):
    return _near(1 / (1 + np.exp(-np.asarray(answer, float))), 0.5**0.01, 5e-5)


@_exercise("06-2", "With segments of S steps the states of 400 / S + S steps are kept.")
def _(answer):
    return _near(answer, (20, 40), 0)


@_exercise("06-3", "The forget gate is used twice in c_t; then go through the sigmoid.")
def _(answer):
    rng = np.random.default_rng(0)
    dc, c_before, g, z = rng.normal(size=(4, 2, 3))

    def loss(z):
        f = 1 / (1 + np.exp(-z))
        return dc * (f * c_before + (1 - f) * np.tanh(g))

    slope = (loss(z + 1e-5) - loss(z - 1e-5)) / 2e-5
    return _near(answer(dc, c_before, np.tanh(g), 1 / (1 + np.exp(-z))), slope, 1e-8)


@_exercise("06-4", "The first output of a chunk reaches no step back, the last 19.")
def _(answer):
    return _near(answer, 9.5, 1e-9)


# 08 classification


@_exercise(
    "08-1", "4 (inputs + units + 1) units for an LSTM layer, (inputs + 1) units for a Dense."
)
def _(answer):
    return answer == 4 * 77 * 64 + 4 * 97 * 32 + 33 * 16 + 17 * 9


@_exercise("08-2", "The cross-entropy is -ln p of the true class, and p is 1/9.")
def _(answer):
    return _near(answer, np.log(9), 5e-3)


@_exercise("08-3", "Find the last True of every row of the mask, and index the steps with it.")
def _(answer):
    hidden = np.random.default_rng(0).normal(size=(3, 5, 2))
    mask = np.arange(5) < np.array([[2], [5], [1]])
    return _near(answer(hidden, mask), hidden[[0, 1, 2], [1, 4, 0]], 1e-9)
