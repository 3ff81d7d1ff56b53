"""A model that estimates numbers from a whole sequence."""

from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.builders.stack import compiled, dense, sequence_input, summary


def build_regressor(
    input_shape: tuple[int | None, int] | tuple[int | None],
    num_outputs: int = 1,
    *,
    lstm_units: int | Sequence[int] = (64, 32),
    dense_units: int | Sequence[int] = (32,),
    cell: str | type = "lstm",
    bidirectional: bool = False,
    pooling: str = "last",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_regularizer=None,
    recurrent_regularizer=None,
    bias_regularizer=None,
    mask_value: float | None = None,
    normalise=None,
    vocabulary_size: int | None = None,
    embedding_dim: int = 32,
    loss=None,
    metrics=None,
    optimizer: str | keras.optimizers.Optimizer | None = None,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    name: str | None = None,
) -> keras.Model:
    """A compiled model that estimates numbers from a whole sequence, by least squares.

    Args:
        input_shape: as in `build_classifier`.
        num_outputs: how many numbers to estimate, 1 or more. The targets should be of about unit
            size: take their mean off and divide by their standard deviation.
        lstm_units, dense_units, cell, bidirectional, pooling, dropout, recurrent_dropout,
        kernel_regularizer, recurrent_regularizer, bias_regularizer, mask_value, normalise,
        vocabulary_size, embedding_dim, optimizer, learning_rate, name: as in `build_classifier`.
        loss, metrics: as `keras.Model.compile` takes them; None takes the mean squared error and
            the mean absolute error.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_outputs)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_regressor((84, 1)).output_shape
        (None, 1)
    """
    num_outputs = checks.count("num_outputs", num_outputs)
    inputs, x = sequence_input(
        input_shape,
        mask_value=mask_value,
        vocabulary_size=vocabulary_size,
        embedding_dim=embedding_dim,
        normalise=normalise,
        cell=cell,
    )
    x = summary(
        x,
        lstm_units,
        cell,
        pooling,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        kernel_regularizer=kernel_regularizer,
        recurrent_regularizer=recurrent_regularizer,
        bias_regularizer=bias_regularizer,
    )
    x = dense(x, dense_units, dropout, kernel_regularizer)
    model = keras.Model(inputs, keras.layers.Dense(num_outputs, name="estimate")(x), name=name)
    return compiled(
        model,
        "mean_squared_error",
        ["mean_absolute_error"],
        loss=loss,
        metrics=metrics,
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
