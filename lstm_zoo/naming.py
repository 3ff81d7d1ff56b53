"""Translates between words or class names and the numbers of a model that stores them."""

import itertools
import warnings

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.labels import numbered
from lstm_zoo.layer_tree import every_layer
from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.texts import Vocabulary, filled, holds_texts, rows_of_words

__all__ = ["class_names", "predict", "vocabulary"]

_MANY = 100  # calls with one sequence each, after which `predict` names a faster way
_calls = itertools.count(1)


def vocabulary(model: keras.Model) -> Vocabulary | None:
    """The vocabulary that a model was built with, or None.

    Example:
        >>> import lstm_zoo as lz
        >>> vocabulary(lz.build_tagger((None,), 3, vocabulary=["the cat sat"])).tokens
        ('', '[unknown]', 'the', 'cat', 'sat')
    """
    for layer in every_layer(checks.model("model", model, keras.layers.Layer)):
        if isinstance(found := getattr(layer, "vocabulary", None), Vocabulary):
            return found
    return None


def class_names(model: keras.Model) -> tuple[str, ...] | None:
    """The names of the classes that a model was built with, or None.

    Example:
        >>> import lstm_zoo as lz
        >>> class_names(lz.build_classifier((9, 2), ["walk", "run"]))
        ('walk', 'run')
    """
    layer = naming_layer(checks.model("model", model, keras.layers.Layer))
    return None if layer is None else layer.class_names


def predict(model: keras.Model, data, *, probabilities: bool = False, batch_size: int = 32):
    """Predict the name of each sequence's class, or of each step's class.

    Args:
        model: a `keras.Model`. Without class names, the result is that of `model.predict`.
        data: a list of texts or of lists of words, if the model was built with `vocabulary=`;
            otherwise the input of `model.predict`.
        probabilities: whether to return class probabilities instead of names.
        batch_size: sequences per batch.

    Returns:
        For a classifier, a list with one name per sequence, or one list of names per sequence with
        `output="multilabel"`. For a tagger, a list of names per sequence, one for each word or each
        unmasked step. With `probabilities`, an array `(samples, classes)`, or for a tagger a list
        of arrays `(timesteps, classes)`.

    Raises:
        ValueError: if `data` does not fit the model (the message names the first such row), or if
            `probabilities` is true for a CRF, which only predicts the likeliest tags.

    Example:
        >>> import lstm_zoo as lz
        >>> sentences, tags = ["the cat sat", "a dog"], [["DET", "NOUN", "VERB"], ["DET", "NOUN"]]
        >>> model = lz.build_tagger((None,), tags, vocabulary=sentences, lstm_units=4)
        >>> [len(row) for row in predict(model, sentences)]
        [3, 2]
    """
    layer = naming_layer(checks.model("model", model, built=True))
    batch_size = checks.count("batch_size", batch_size)
    if probabilities and getattr(model, "scores_whole_sequences", False):
        raise ValueError(
            "probabilities must be False for a CRF, which only predicts the likeliest tags"
        )
    x = numbers_of(model, "data", data)
    if not isinstance(x, dict) and len(model.inputs) == 1:
        x = checks.finite("data", x, len(model.inputs[0].shape))
        checks.shape("data", x.shape, ("samples", *model.inputs[0].shape[1:]))
    if len(keras.tree.flatten(x)[0]) == 1 and next(_calls) == _MANY:
        warnings.warn(
            f"predict was called {_MANY} times with one sequence: it is made for many at once. "
            "Call it with all sequences, or use answer = lz.predictor(model), which gives the "
            "numbers of model.predict(x) up to 300 times faster",
            stacklevel=2,
        )
    outputs = model.predict(x, batch_size=batch_size, verbose=0)
    if (layer is None and not probabilities) or not isinstance(outputs, np.ndarray):
        return outputs
    by_step = outputs.ndim == 3
    said = outputs if probabilities else layer.named(outputs)
    if by_step:
        counted = steps_that_count(model, x)
        rows = said if counted is None else [row[mask] for row, mask in zip(said, counted)]
        return list(rows) if probabilities else [row.tolist() for row in rows]
    return said if isinstance(said, list) or probabilities else said.tolist()


def naming_layer(model):
    """The layer of a model that stores the class names, or None."""
    named = [one for one in every_layer(model) if getattr(one, "class_names", None)]
    return named[-1] if named and hasattr(named[-1], "named") else None


def steps_that_count(model, x):
    """Which steps of a model's only input its first layer leaves unmasked; None for all."""
    for layer in every_layer(model):
        masks = isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False)
        if masks and not isinstance(x, (dict, list, tuple)):
            x = x.astype(layer.compute_dtype) if x.dtype.kind == "f" else x
            return keras.ops.convert_to_numpy(layer.compute_mask(x))
    return None


def numbers_of(model, name, x):
    """Encode and pad texts for a model; anything else is returned unchanged.

    Args:
        model: a model or layer.
        name: the name of `x` in an error message.
        x: texts, lists of words, or any other input of the model.

    Raises:
        ValueError: if a row is empty, too long, or not a text (the message names the row), or if
            the model has no vocabulary.
    """
    known = vocabulary(model)
    if known is None:
        if holds_texts(x) and not _reads_strings(model):
            raise ValueError(
                f"{name} must hold numbers, got texts, because the model has no vocabulary; build "
                "it with vocabulary=texts, the training texts"
            )
        return x
    checks.model("model", model, keras.layers.Layer, built=True)
    if not holds_texts(x):
        if len(model.inputs) == 1:
            _refuse_other_numbers(name, x, known)
        return x
    numbers, lengths = known.encode(x, name)
    most = model.inputs[0].shape[1]
    if most is None:
        return numbers
    if lengths.max() > most:
        row = int(np.argmax(lengths > most))
        raise ValueError(
            f"{name} must have at most {most} words in each row to fit the model's input, got "
            f"{lengths[row]} in row {row}; build the model with input_shape=(None,) for any number"
        )
    return np.pad(numbers, [(0, 0), (0, most - numbers.shape[1])])


def _refuse_other_numbers(name, x, known):
    """Refuse input that is neither texts nor word numbers."""
    try:
        array = np.asarray(x)
    except ValueError:  # rows of unequal length
        array = np.array(None)
    whole = array.dtype.kind in "iu" and array.size
    if not whole or array.min() < 0 or array.max() >= len(known):
        raise ValueError(
            f"{name} must be a list of texts, a list of lists of words, or an array of whole "
            f"numbers from 0 to {len(known) - 1} from lz.encode_texts, got {x!r:.80}"
        )


def classes_of(model, name, y, x):
    """Encode labels or tags that are strings; anything else is returned unchanged.

    Args:
        model: a model.
        name: the name of `y` in an error message.
        y: strings, a list of strings per sequence, or any other targets of the model.
        x: the encoded input of the model.

    Raises:
        ValueError: if a label is unknown to the model, or a row does not have one tag per word (the
            message names the row), or if the model has no class names.
    """
    if not holds_texts(y):
        return y
    if isinstance(y, str):
        raise ValueError(f"{name} must be a list of labels, got {y!r:.80}")
    names = class_names(model)
    if names is None:
        raise ValueError(
            f"{name} must hold numbers, got names, because the model has no class names; build it "
            f"with num_classes={name} or with a list of class names, or call lz.encode_labels"
        )
    checks.model("model", model, built=True)
    by_step = len(model.outputs[0].shape) == 3
    first = next(iter(y))
    if isinstance(first, str) and by_step:
        raise ValueError(f"{name} must have a list of tags in each row, got {first!r:.80} in row 0")
    if isinstance(first, str):
        return np.array(numbered(name, [[label] for label in y], names), "int32")[:, 0]
    rows = numbered(name, rows_of_words(name, y), names)
    if by_step:
        if len(model.inputs) > 1:
            raise ValueError(
                f"{name} must hold numbers if a model has several inputs; lz.encode_tags makes them"
            )
        return _one_a_step(model, name, rows, checks.array("x", x))
    if not naming_layer(model).several:
        raise ValueError(f"{name} must have one label in each row, got {first!r:.80} in row 0")
    return np.array([np.isin(range(len(names)), row) for row in rows], "int32")


def by_class(model, name, weights):
    """A dict from class to weight, with class numbers instead of names."""
    names = class_names(model) or ()
    for key in weights:
        if isinstance(key, str) and key not in names:
            known = f", {checks.listed(names)}" if names else " by number, as it has no class names"
            raise ValueError(
                f"{name} must name classes of the model{known}, got {key!r}"
                f"{checks.near(key, names)}"
            )
    return {names.index(k) if isinstance(k, str) else k: v for k, v in weights.items()}


def _one_a_step(model, name, rows, x):
    """The rows padded; raises an error unless they have a tag for each step of `x`."""
    counted = steps_that_count(model, x)
    lengths = [x.shape[1]] * len(x) if counted is None else counted.sum(axis=1)
    for number, (row, length) in enumerate(zip(rows, lengths)):
        if len(row) != length:
            raise ValueError(
                f"{name} must have one tag per word or step, got {len(row)} tags for {length} "
                f"in row {number}"
            )
    return filled(rows, x.shape[1])


def _reads_strings(model):
    """Whether a model's input is strings, as for `keras.layers.TextVectorization`."""
    return any(one.dtype == "string" for one in getattr(model, "inputs", None) or ())


_suggest(__name__)
