"""Synthetic tasks from the literature that need a long memory.

Each function draws ``samples`` sequences and returns ``(x, y)``, ready for ``model.fit(x, y)``.
Every docstring gives the chance score, which the best model reaches without looking at x; an LSTM
has learned something only if it is clearly better. The same seed gives the same arrays.

>>> from lstm_zoo import tasks
>>> x, y = tasks.adding(1000, timesteps=50, seed=0)
>>> x.shape, y.shape
((1000, 50, 2), (1000, 1))
"""

import numpy as np

from lstm_zoo import checks
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["adding", "adding_1997", "copying", "delayed_echo", "parity", "temporal_order"]

Seed = int | np.random.Generator | None
Pair = tuple[np.ndarray, np.ndarray]


def adding(samples: int, timesteps: int = 100, *, seed: Seed = None) -> Pair:
    """Add the two marked numbers, one in each half of the sequence.

    From Hochreiter & Schmidhuber (1997), experiment 4, doi:10.1162/neco.1997.9.8.1735, in the form
    of Le, Jaitly & Hinton (2015), arXiv:1504.00941, and Arjovsky, Shah & Bengio (2016),
    arXiv:1511.06464: values from 0 to 1, equal lengths, and the plain sum as the target.

    Args:
        samples: number of sequences.
        timesteps: length of each sequence, at least 2.
        seed: whole number, ``numpy.random.Generator`` or None.

    Returns:
        A tuple `(x, y)`:

        - `x`: (samples, timesteps, 2) float32; feature 0 is uniform in [0, 1), feature 1 is the
          mark, 1 at two steps and 0 elsewhere.
        - `y`: (samples, 1) float32, the sum of the two marked values.

    Chance: a mean squared error of 1/6 = 0.167, from always answering 1.

    >>> x, y = adding(1, timesteps=6, seed=0)
    >>> bool(np.isclose((x[..., 0] * x[..., 1]).sum(), y).all())
    True
    """
    samples, timesteps = checks.count("samples", samples), checks.count("timesteps", timesteps, 2)
    rng = checks.generator("seed", seed)
    values = rng.random((samples, timesteps), dtype="float32")
    first = rng.integers(0, timesteps // 2, samples)
    second = rng.integers(timesteps // 2, timesteps, samples)
    rows = np.arange(samples)
    marks = np.zeros_like(values)
    marks[rows, first] = marks[rows, second] = 1
    y = values[rows, first] + values[rows, second]
    return np.stack([values, marks], axis=-1), y[:, None]


def adding_1997(samples: int, timesteps: int = 100, *, seed: Seed = None) -> Pair:
    """Add the two marked numbers, exactly as in Hochreiter & Schmidhuber (1997).

    Experiment 4 of doi:10.1162/neco.1997.9.8.1735: values from -1 to 1 and varying lengths. The
    first mark is among the first ten steps, the second in the first half of the rest, and both ends
    are marked -1. The paper calls the task solved when 2,000 sequences in a row are right to 0.04
    and the mean error is under 0.01. If the first step is chosen for a mark, its value is 0 and its
    mark stays -1, as at every first step.

    Args:
        samples: number of sequences.
        timesteps: the paper's T, at least 22; lengths vary from T to T + T / 10.
        seed: whole number, ``numpy.random.Generator`` or None.

    Returns:
        A tuple `(x, y)`:

        - `x`: (samples, timesteps + timesteps // 10, 2) float32; feature 0 is uniform in [-1, 1),
          feature 1 is the mark. Steps beyond a sequence's end are 0 in both features:
          ``mask_value=0.0`` or ``keras.layers.Masking()`` masks them.
        - `y`: (samples, 1) float32, 0.5 + (X1 + X2) / 4 with the two marked values X1 and X2.

    Chance: a mean squared error of 0.041, from always answering 0.5 (1/24, minus the effect of the
    zeros at the first step).

    >>> x, y = adding_1997(1, timesteps=40, seed=0)
    >>> x.shape, bool(np.isclose(x[0, x[0, :, 1] == 1, 0].sum() / 4 + 0.5, y[0, 0]))
    ((1, 44, 2), True)
    """
    samples, timesteps = checks.count("samples", samples), checks.count("timesteps", timesteps, 22)
    rng = checks.generator("seed", seed)
    longest, half = timesteps + timesteps // 10, timesteps // 2 - 1
    values = 2 * rng.random((samples, longest), dtype="float32") - 1
    lengths = rng.integers(timesteps, longest, samples, endpoint=True)
    first = rng.integers(0, 10, samples)
    # One of the first `half` unmarked steps: one of `half + 1` steps, without the first mark's.
    second = rng.integers(0, half, samples)
    second += second >= first
    rows = np.arange(samples)
    marks = np.zeros_like(values)
    marks[rows, first] = marks[rows, second] = 1
    values[(marks[:, 0] == 1), 0] = 0
    marks[:, 0] = marks[rows, lengths - 1] = -1
    y = 0.5 + (values[rows, first] + values[rows, second]) / 4
    there = np.arange(longest) < lengths[:, None]
    return np.stack([values * there, marks * there], axis=-1), y[:, None]


def copying(
    samples: int, timesteps: int = 120, *, symbols: int = 8, length: int = 10, seed: Seed = None
) -> Pair:
    """Read a string, wait, and repeat the string after a signal.

    From Arjovsky, Shah & Bengio (2016), arXiv:1511.06464, after the long-lag problems of Hochreiter
    & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735: the string, T - 1 blanks, the signal, and
    ``length`` blanks, where the paper's T is ``timesteps - 2 * length``.

    Args:
        samples: number of sequences.
        timesteps: length of each sequence, at least ``2 * length + 1``.
        symbols: size of the alphabet, at least 2.
        length: number of symbols to copy.
        seed: whole number, ``numpy.random.Generator`` or None.

    Returns:
        A tuple `(x, y)`:

        - `x`: (samples, timesteps, symbols + 2) float32, one-hot: the symbols, the blank, the
          signal.
        - `y`: (samples, timesteps) int32 classes, 0 to symbols: blank (class ``symbols``) except
          for the last ``length`` steps, which hold the string.

    Chance: a cross-entropy of ``length * log(symbols) / timesteps``, 0.173 nats per step with the
    defaults, from answering blanks, then random symbols; 1 / symbols of the string is then right.

    >>> x, y = copying(1, timesteps=9, symbols=3, length=2, seed=0)
    >>> x[0].argmax(-1).tolist(), y[0].tolist()
    ([2, 1, 3, 3, 3, 3, 4, 3, 3], [3, 3, 3, 3, 3, 3, 3, 2, 1])
    """
    samples, symbols = checks.count("samples", samples), checks.count("symbols", symbols, 2)
    length = checks.count("length", length)
    timesteps = checks.count("timesteps", timesteps, 2 * length + 1)
    rng = checks.generator("seed", seed)
    blank, signal = symbols, symbols + 1
    string = rng.integers(0, symbols, (samples, length))
    tokens = np.full((samples, timesteps), blank)
    tokens[:, :length] = string
    tokens[:, -length - 1] = signal
    y = np.full((samples, timesteps), blank, dtype="int32")
    y[:, -length:] = string
    return _one_hot(tokens, symbols + 2), y


def temporal_order(samples: int, timesteps: int = 100, *, seed: Seed = None) -> Pair:
    """Classify the order of two symbols, each an X or a Y, that appear among distractors.

    From Hochreiter & Schmidhuber (1997), experiment 6a, doi:10.1162/neco.1997.9.8.1735, with equal
    lengths instead of lengths from 100 to 110. The first symbol is at a random step between 1/10
    and 2/10 of the sequence, the second between 5/10 and 6/10.

    Args:
        samples: number of sequences.
        timesteps: length of each sequence, at least 10.
        seed: whole number, ``numpy.random.Generator`` or None.

    Returns:
        A tuple `(x, y)`:

        - `x`: (samples, timesteps, 8) float32, one-hot over E, B, a, b, c, d, X, Y: E first, B
          last, a to d elsewhere.
        - `y`: (samples,) int32 classes: 0 for X, X; 1 for X, Y; 2 for Y, X; 3 for Y, Y.

    Chance: an accuracy of 1/4.

    >>> x, y = temporal_order(1, timesteps=12, seed=0)
    >>> "".join("EBabcdXY"[i] for i in x[0].argmax(-1)), int(y[0])
    ('EcYbbaaYadcB', 3)
    """
    samples, timesteps = checks.count("samples", samples), checks.count("timesteps", timesteps, 10)
    rng = checks.generator("seed", seed)
    E, B, a, d, X = 0, 1, 2, 5, 6
    tokens = rng.integers(a, d + 1, (samples, timesteps))
    tokens[:, 0], tokens[:, -1] = E, B
    first = rng.integers(timesteps // 10, timesteps // 5 + 1, samples)
    second = rng.integers(timesteps // 2, timesteps * 6 // 10 + 1, samples)
    is_y = rng.integers(0, 2, (samples, 2))
    rows = np.arange(samples)
    tokens[rows, first] = X + is_y[:, 0]
    tokens[rows, second] = X + is_y[:, 1]
    return _one_hot(tokens, 8), (2 * is_y[:, 0] + is_y[:, 1]).astype("int32")


def delayed_echo(samples: int, timesteps: int = 50, *, delay: int = 10, seed: Seed = None) -> Pair:
    """Output at every step the input from ``delay`` steps ago.

    From Jaeger (2002), Short term memory in echo state networks, GMD Report 152, which measures how
    far back a network's state still holds its input.

    Args:
        samples: number of sequences.
        timesteps: length of each sequence, at least ``delay + 1``.
        delay: number of steps to remember a value.
        seed: whole number, ``numpy.random.Generator`` or None.

    Returns:
        A tuple `(x, y)`:

        - `x`: (samples, timesteps, 1) float32, uniform in [-1, 1).
        - `y`: (samples, timesteps, 1) float32, x shifted by ``delay`` steps, 0 before that.

    Chance: a mean squared error of ``(1 - delay / timesteps) / 3``, 0.267 with the defaults, from
    always answering 0.

    >>> x, y = delayed_echo(1, timesteps=5, delay=2, seed=0)
    >>> bool((y[0, 2:] == x[0, :3]).all()), y[0, :2, 0].tolist()
    (True, [0.0, 0.0])
    """
    samples, delay = checks.count("samples", samples), checks.count("delay", delay)
    timesteps = checks.count("timesteps", timesteps, delay + 1)
    rng = checks.generator("seed", seed)
    x = 2 * rng.random((samples, timesteps, 1), dtype="float32") - 1
    y = np.zeros_like(x)
    y[:, delay:] = x[:, :-delay]
    return x, y


def parity(samples: int, timesteps: int = 20, *, seed: Seed = None) -> Pair:
    """Tell whether the number of ones is odd; a single misread step flips the answer.

    From Bengio, Simard & Frasconi (1994), doi:10.1109/72.279181: a hard problem for gradient
    descent, because a single step carries no information about the answer.

    Args:
        samples: number of sequences.
        timesteps: length of each sequence, at least 1.
        seed: whole number, ``numpy.random.Generator`` or None.

    Returns:
        A tuple `(x, y)`:

        - `x`: (samples, timesteps, 1) float32, 1 or -1 with even odds.
        - `y`: (samples,) int32 classes: 1 if the number of ones is odd, else 0.

    Chance: an accuracy of 1/2.

    >>> x, y = parity(2, timesteps=5, seed=0)
    >>> x[..., 0].tolist(), y.tolist()
    ([[1.0, 1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, -1.0, -1.0, 1.0]], [1, 1])
    """
    samples, timesteps = checks.count("samples", samples), checks.count("timesteps", timesteps)
    rng = checks.generator("seed", seed)
    ones = rng.integers(0, 2, (samples, timesteps))
    return (2 * ones - 1)[..., None].astype("float32"), (ones.sum(axis=1) % 2).astype("int32")


def _one_hot(tokens, classes):
    return np.eye(classes, dtype="float32")[tokens]


_suggest(__name__)
