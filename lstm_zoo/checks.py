"""Argument checks with consistent messages, shared by all public functions.

Each check takes the name and the value of an argument and returns the value with the right type.
"""

import difflib
import numbers
import operator
import pathlib

import numpy as np


def count(argument, value, least=1, below=None):
    """Check a whole number of at least `least` and, if given, less than `below`; returns an int.

    NumPy's integers are accepted, True is not.

    >>> count("units", np.int64(8))
    8
    """
    try:
        whole = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        whole = None
    if whole is None or whole < least or (below is not None and whole >= below):
        wanted = f"of at least {least}" if below is None else f"from {least} to {below - 1}"
        raise ValueError(f"{argument} must be a whole number {wanted}, got {value!r}")
    return whole


def listing(argument, value):
    """Check an iterable; returns a list.

    >>> listing("names", ("a", "b"))
    ['a', 'b']
    """
    try:
        return list(value)
    except TypeError:
        raise ValueError(f"{argument} must be a list, got {value!r:.80}") from None


def counts(argument, value, least=0):
    """Check a tuple or list of at least `least` whole numbers; returns a tuple.

    >>> counts("lstm_units", [64, 32])
    (64, 32)
    """
    if not isinstance(value, (tuple, list)) or len(value) < least:
        raise ValueError(f"{argument} must be a tuple such as (64, 32), got {value!r}")
    return tuple(count(argument, one) for one in value)


def fraction(argument, value, below_one=False):
    """Check a number from 0 to 1, or from 0 to below 1; returns a float."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0 <= value <= 1 or (below_one and value == 1):
        wanted = "0 to below 1" if below_one else "0 to 1"
        raise ValueError(f"{argument} must be a fraction from {wanted}, got {value!r}")
    return float(value)


def positive(argument, value):
    """Check a finite number above 0; returns it unchanged."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0 < value < float("inf"):
        raise ValueError(f"{argument} must be a number above 0, got {value!r}")
    return value


def number(argument, value):
    """Check a finite number; returns a float."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not np.isfinite(value):
        raise ValueError(f"{argument} must be a finite number, got {value!r}")
    return float(value)


def rising_fractions(argument, values):
    """Check increasing fractions between 0 and 1; returns a tuple of floats.

    >>> rising_fractions("quantiles", [0.1, 0.9])
    (0.1, 0.9)
    """
    wrong = ValueError(
        f"{argument} must be rising fractions between 0 and 1, such as (0.1, 0.5, 0.9), "
        f"got {values!r}"
    )
    try:
        fractions = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise wrong from None
    rising = sorted(set(fractions)) == list(fractions)
    if not fractions or not rising or not 0 < fractions[0] <= fractions[-1] < 1:
        raise wrong
    return fractions


def generator(argument, value):
    """A `numpy.random.Generator` from a seed, a generator, or None for a new random one."""
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{argument} must be a whole number of at least 0, a numpy.random.Generator or None, "
            f"got {value!r:.80}"
        ) from None


def text(argument, value):
    """Check a string; returns it unchanged."""
    if not isinstance(value, str):
        raise ValueError(f"{argument} must be a string, got {value!r:.80}")
    return value


def path(argument, value):
    """Check the path of a file or folder; returns a `pathlib.Path`."""
    try:
        return pathlib.Path(value)
    except TypeError:
        raise ValueError(f"{argument} must be a path, got {value!r:.80}") from None


def model(argument, value, *kinds, built=False):
    """Check a `keras.Model` or a layer of one of `kinds`; `built` requires a known output."""
    import keras

    if not isinstance(value, (keras.Model, *kinds)):
        raise ValueError(f"{argument} must be a keras.Model, got {value!r:.80}")
    if built and getattr(value, "output_shape", None) is None:
        raise ValueError(
            f"{argument} must be built: start it with a keras.Input, got {value!r:.80}"
        )
    return value


def of_keras(argument, value):
    """Resolve a name, a configuration or an object with Keras's `initializers.get` and the like.

    The last word of the argument's name selects `initializers`, `optimizers`, ...

    >>> of_keras("bias_initializer", "zeros").get_config()
    {}
    """
    import keras

    kind = argument.split("_")[-1]
    try:
        return getattr(keras, f"{kind}s").get(value)
    except Exception as problem:  # Keras may raise any exception for a bad configuration
        raise ValueError(
            f"{argument} must be an object from keras.{kind}s or its name, got {value!r:.80}"
        ) from problem


def one_of(argument, value, known):
    """Check that a name is in `known`; the error suggests the nearest known name.

    >>> one_of("cell", "lstn", ["lstm", "gru"])
    Traceback (most recent call last):
    ValueError: cell must be one of lstm, gru, got 'lstn'; did you mean 'lstm'?
    """
    known = list(known)
    if isinstance(value, str) and value in known:
        return value
    raise ValueError(
        f"{argument} must be one of {listed(known)}, got {value!r}{near(value, known)}"
    )


def listed(names):
    """The names separated by commas, for a sentence.

    >>> listed(["lstm", "gru"])
    'lstm, gru'
    """
    return ", ".join(map(str, names))


def span(counts):
    """The range of whole numbers, for a sentence; a single number if all are equal.

    >>> span([3, 8, 5])
    '3 to 8'
    """
    counts = list(counts)
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def near(wrong, right):
    """The question "did you mean ...?" with the nearest right name, ignoring case; or "".

    >>> near("LSTM", ["simple_rnn", "lstm"])
    "; did you mean 'lstm'?"
    """
    by_lower = {str(name).lower(): name for name in right}
    found = difflib.get_close_matches(str(wrong).lower(), by_lower, n=1, cutoff=0.4)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


def unmasked(argument, value):
    """Refuse a NumPy array with masked numbers, because values below the mask are not data.

    >>> unmasked("x", np.ma.masked_array([1.0, 2.0], mask=[False, True]))
    Traceback (most recent call last):
    ValueError: x must not have masked numbers, got 1; fill them first, for example x.filled(0.0)
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"{argument} must not have masked numbers, got {np.ma.count_masked(value)}; fill them "
            f"first, for example {argument}.filled(0.0)"
        )
    return value


def array(argument, value, *ranks):
    """Check a non-empty array of numbers whose number of axes is one of `ranks`, if given."""
    unmasked(argument, value)
    try:
        result = np.asarray(value)
    except (TypeError, ValueError) as problem:
        raise ValueError(
            f"{argument} must be an array of numbers with rows of equal length, got {value!r:.80}"
        ) from problem
    if result.dtype.kind not in "biuf" and result.dtype.name != "bfloat16":
        raise ValueError(f"{argument} must be an array of numbers, got dtype {result.dtype}")
    if ranks and result.ndim not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise ValueError(f"{argument} must have {wanted} axes, got shape {result.shape}")
    if result.size == 0:
        raise ValueError(f"{argument} must not be empty, got shape {result.shape}")
    return result


def finite(argument, value, *ranks):
    """Check an array as `array` does, and refuse NaN and infinity.

    >>> finite("x", [1.0, float("nan")])
    Traceback (most recent call last):
    ValueError: x must be finite, got 1 NaN or infinite values
    """
    result = array(argument, value, *ranks)
    wrong = result.size - np.count_nonzero(np.isfinite(result))
    if wrong:
        raise ValueError(f"{argument} must be finite, got {wrong} NaN or infinite values")
    return result


def shape(argument, got, wanted):
    """Check that a shape fits `wanted`; None and axis names in `wanted` fit any size.

    >>> shape("mask", (3, 5), (3, None))
    (3, 5)
    """
    got = tuple(got)
    fits = len(got) == len(wanted) and all(
        isinstance(w, (str, type(None))) or s is None or s == w for s, w in zip(got, wanted)
    )
    if not fits:
        sizes = ", ".join("any" if w is None else str(w) for w in wanted)
        comma = "," if len(wanted) == 1 else ""
        raise ValueError(f"{argument} must be of shape ({sizes}{comma}), got {got}")
    return got
