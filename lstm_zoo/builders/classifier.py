"""A model that tells which class a sequence belongs to."""

from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.builders.stack import compiled, stack


def build_classifier(
    input_shape: tuple[int | None, int],
    num_classes: int,
    *,
    lstm_units: Sequence[int] = (64, 32),
    dense_units: Sequence[int] = (32,),
    cell: str | type = "lstm",
    bidirectional: bool = False,
    dropout: float = 0.0,
    mask_value: float | None = None,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
    name: str | None = None,
) -> keras.Model:
    """A compiled model that tells which class a sequence belongs to.

    Stacked recurrent layers read the sequence; the last of them hands its last hidden state to the
    Dense layers; softmax gives class probabilities.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None where lengths vary.
        num_classes: 2 or more. Labels are integers from 0 to `num_classes - 1`.
        lstm_units: units of each recurrent layer, first to last; at least one.
        dense_units: units of each Dense layer between them and the output; may be empty.
        cell: a name from `lstm_zoo.layers.names()`: "lstm", "peephole", "coupled", "gru",
            "simple_rnn", ...; or a class that takes `units`, of a cell or of a recurrent layer.
        bidirectional: whether each recurrent layer reads the sequence from both ends.
        dropout: fraction of the values dropped in training after each recurrent and Dense layer.
        mask_value: steps at which every feature has this value are left out; None leaves none out.
            A number: NaN equals nothing, itself included.
        learning_rate: of Adam; a number or a `keras.optimizers.schedules.LearningRateSchedule`.
        name: of the model.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_classes)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> model = build_classifier((None, 12), num_classes=9, mask_value=0.0)
        >>> model.output_shape
        (None, 9)
    """
    num_classes = checks.count("num_classes", num_classes, least=2)
    head = [keras.layers.Dense(num_classes, activation="softmax", name="probabilities")]
    model = stack(
        input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
    )
    return compiled(model, learning_rate, "sparse_categorical_crossentropy", ["accuracy"])
