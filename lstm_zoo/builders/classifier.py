"""A model that classifies a sequence."""

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
    """Build a model that classifies a sequence.

    Stacked recurrent layers read the sequence. Their hidden states are pooled into one vector, and
    Dense layers turn this vector into class probabilities.

    Args:
        num_classes: the number of classes, 2 or more. Labels are then integers from 0 to
            `num_classes - 1`; `lz.encode_labels` makes them from names, booleans or one-hot rows.
            Or pass a list of class names in the order of these integers, or all training labels as
            strings. The model then keeps the names: `lz.fit` takes labels as strings, and
            `lz.predict` returns names.
        pooling: "last" uses the last hidden state; "mean", "max" and "attention" combine the hidden
            states of all steps, "attention" by a mean with learned weights. Masked steps are
            ignored. None is "max" if `timesteps` is given, because the last state summarises long
            series poorly, and "last" if lengths vary, as in 0.1.0.
        output: "softmax" for a probability of each class; "sigmoid" for two classes and only the
            probability of class 1; "multilabel" for independent classes, with targets
            `(batch, num_classes)` of zeros and ones.
        normalise_summary: whether to scale the pooled vector to mean 0 and standard deviation 1
            (`keras.layers.LayerNormalization`); small data sets then need fewer training steps.
        loss, metrics: as for `keras.Model.compile`; None uses the cross-entropy that fits `output`,
            and the accuracy.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_classes)`, or to
        `(batch, 1)` with `output="sigmoid"`.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

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
        raise ValueError(f"num_classes must be 2 if output is 'sigmoid', got {num_classes}")
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
