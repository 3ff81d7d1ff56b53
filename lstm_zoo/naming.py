"""The words and class names that a model keeps: put in for texts and labels, and given back."""

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.labels import numbered
from lstm_zoo.layer_tree import every_layer
from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.texts import Vocabulary, filled, holds_texts, rows_of_words

__all__ = ["class_names", "predict", "vocabulary"]


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
        model: a `keras.Model`. One without class names gives numbers, as `model.predict` does.
        data: a list of texts or of lists of words, if the model was built with `vocabulary=`; else
            what `model.predict` takes.
        probabilities: whether to give the probabilities of the classes in place of names.
        batch_size: sequences to read at once.

    Returns:
        For a classifier a list of names; for one of `output="multilabel"` a list of names for each
        sequence; for a tagger a list of names for each sequence, one a word, or a step that is not
        masked. With `probabilities` an array `(samples, classes)`, of a tagger a list of arrays
        `(timesteps, classes)`.

    Raises:
        ValueError: if `data` is not what the model takes, naming the first row, or if probabilities
            are asked of a CRF, which gives the likeliest tags alone.

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
            "probabilities must be False for a CRF, which gives the likeliest tags alone"
        )
    x = numbers_of(model, "data", data)
    if not isinstance(x, dict) and len(model.inputs) == 1:
        x = checks.finite("data", x, len(model.inputs[0].shape))
        checks.shape("data", x.shape, ("samples", *model.inputs[0].shape[1:]))
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
    """The layer of a model that knows the names of its classes, or None."""
    named = [one for one in every_layer(model) if getattr(one, "class_names", None)]
    return named[-1] if named and hasattr(named[-1], "named") else None


def steps_that_count(model, x):
    """Which steps of the one input of a model its first layer does not mask, or None for all."""
    for layer in every_layer(model):
        masks = isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False)
        if masks and not isinstance(x, (dict, list, tuple)):
            x = x.astype(layer.compute_dtype) if x.dtype.kind == "f" else x
            return keras.ops.convert_to_numpy(layer.compute_mask(x))
    return None


def numbers_of(model, name, x):
    """Texts as the numbers that a model reads, padded; anything else as it is.

    Args:
        model: a model or layer.
        name: what an error calls `x`.
        x: texts, lists of words, or what a model takes otherwise.

    Raises:
        ValueError: naming the first row that is empty, no text or too long; or if the model has
            no vocabulary.
    """
    known = vocabulary(model)
    if known is None:
        if holds_texts(x) and not _reads_strings(model):
            raise ValueError(
                f"{name} holds texts, and the model has no vocabulary: build it with "
                "vocabulary=texts, the texts to train on"
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
            f"{name} must have at most {most} words in each row, as the model's input, got "
            f"{lengths[row]} in row {row}; input_shape=(None,) takes any number"
        )
    return np.pad(numbers, [(0, 0), (0, most - numbers.shape[1])])


def _refuse_other_numbers(name, x, known):
    """Refuse what is neither texts nor the numbers of words."""
    try:
        array = np.asarray(x)
    except ValueError:  # rows of unequal length
        array = np.array(None)
    whole = array.dtype.kind in "iu" and array.size
    if not whole or array.min() < 0 or array.max() >= len(known):
        raise ValueError(
            f"{name} must be a list of texts or of lists of words, or an array of whole numbers "
            f"from 0 to {len(known) - 1} that lz.encode_texts made, got {x!r:.80}"
        )


def classes_of(model, name, y, x):
    """Labels or tags that are strings as the numbers of their classes; anything else as it is.

    Args:
        model: a model.
        name: what an error calls `y`.
        y: strings, a list of them for each sequence, or what a model is trained on otherwise.
        x: what the model reads, as numbers.

    Raises:
        ValueError: naming the first label that the model does not know, or the first row that has
            not a tag for each word; or if the model has no class names.
    """
    if not holds_texts(y):
        return y
    if isinstance(y, str):
        raise ValueError(f"{name} must be a list of labels, got {y!r:.80}")
    names = class_names(model)
    if names is None:
        raise ValueError(
            f"{name} holds names, and the model has none: build it with num_classes={name}, the "
            "labels themselves, or the names of the classes"
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
                f"{name} must hold numbers where a model has several inputs; lz.encode_tags makes "
                "them"
            )
        return _one_a_step(model, name, rows, checks.array("x", x))
    if not naming_layer(model).several:
        raise ValueError(f"{name} must have one label in each row, got {first!r:.80} in row 0")
    return np.array([np.isin(range(len(names)), row) for row in rows], "int32")


def by_class(model, name, weights):
    """A dict from class to weight, with the numbers of classes in place of their names."""
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
    """The rows filled up, refused unless they have a tag for each step of `x`."""
    counted = steps_that_count(model, x)
    lengths = [x.shape[1]] * len(x) if counted is None else counted.sum(axis=1)
    for number, (row, length) in enumerate(zip(rows, lengths)):
        if len(row) != length:
            raise ValueError(
                f"{name} must have a tag for each word or step, got {len(row)} tags for {length} "
                f"in row {number}"
            )
    return filled(rows, x.shape[1])


def _reads_strings(model):
    """Whether a model's input is strings, as that of a `keras.layers.TextVectorization`."""
    return any(one.dtype == "string" for one in getattr(model, "inputs", None) or ())


_suggest(__name__)
