"""A model that tells which class a sequence belongs to."""

from collections.abc import Sequence

import keras
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.classes import Classes, counted_and_named, probabilities
from lstm_zoo.builders.options import Options, TokenOptions, takes
from lstm_zoo.builders.stack import compiled, dense, sequence_input, summary

OUTPUTS = ("softmax", "sigmoid", "multilabel")


@takes(TokenOptions)
def build_classifier(
    input_shape: tuple[int | None, int] | tuple[int | None],
    num_classes: Classes,
    *,
    lstm_units: int | Sequence[int] = (64, 32),
    dense_units: int | Sequence[int] = (32,),
    bidirectional: bool = False,
    pooling: str | None = None,
    output: str = "softmax",
    normalise="running",
    normalise_summary: bool = True,
    **options: Unpack[TokenOptions],
) -> keras.Model:
    """A compiled model that tells which class a sequence belongs to.

    Stacked recurrent layers read the sequence; what they give at all steps, or at the last, makes
    one vector; Dense layers turn it into class probabilities.

    Args:
        num_classes: 2 or more. Labels are integers from 0 to `num_classes - 1`;
            `lz.encode_labels` makes them from names, booleans or one-hot rows. Or the names of the
            classes in the order of these integers, or all training labels as strings: then the
            model keeps the names, `lz.fit` takes labels as strings, and `lz.predict` gives names.
        pooling: "last" takes the last hidden state, "mean" and "max" those of the hidden states of
            all steps, "attention" a mean of them whose weights are learnt. Masked steps count for
            nothing. None takes "max" where `timesteps` is given, for the last state is a poor
            summary of a long series, and "last" where lengths vary, as in 0.1.0.
        output: "softmax"; "sigmoid" for two classes by the probability of class 1 alone; or
            "multilabel" for a probability of each class on its own, with targets
            `(batch, num_classes)` of zeros and ones.
        normalise_summary: whether the vector that `pooling` gives is brought to mean 0 and
            deviation 1 over its units (`keras.layers.LayerNormalization`): small sets are then
            learnt in fewer steps.
        loss, metrics: as `keras.Model.compile` takes them; None takes the cross-entropy that fits
            `output`, and the accuracy.
        Others: shared by builders, see lstm_zoo/builders/options.py; `help` describes them here.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_classes)`, with
        `output="sigmoid"` to `(batch, 1)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> model = build_classifier((None, 12), num_classes=9, mask_value=0.0)
        >>> model.output_shape
        (None, 9)
        >>> build_classifier((100,), 2, vocabulary_size=5000, output="sigmoid").output_shape
        (None, 1)
        >>> texts, labels = ["so good", "too bad"], ["good", "bad"]
        >>> build_classifier((None,), labels, vocabulary=texts).output_shape
        (None, 2)
    """
    num_classes, names = counted_and_named(num_classes)
    output = checks.one_of("output", output, OUTPUTS)
    if output == "sigmoid" and num_classes != 2:
        raise ValueError(f"num_classes must be 2 where output is 'sigmoid', got {num_classes}")
    shared = Options(**options)
    inputs, x = sequence_input(input_shape, shared, normalise=normalise)
    if pooling is None:
        pooling = "last" if inputs.shape[1] is None else "max"
    x = summary(x, lstm_units, shared, pooling=pooling, bidirectional=bidirectional)
    if normalise_summary:
        x = keras.layers.LayerNormalization(name="normalise_summary")(x)
    x = dense(x, dense_units, shared)
    exclusive = output == "softmax"
    width = 1 if output == "sigmoid" else num_classes
    x = probabilities(x, width, names, "softmax" if exclusive else "sigmoid")
    loss = "sparse_categorical_crossentropy" if exclusive else "binary_crossentropy"
    metric = "accuracy" if exclusive else "binary_accuracy"
    model = keras.Model(inputs, x, name=shared.name)
    return compiled(model, loss, [metric], shared, own_rate=3e-3)
