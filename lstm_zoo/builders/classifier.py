"""A model that tells which class a sequence belongs to."""

from collections.abc import Sequence

import keras

from lstm_zoo import checks
from lstm_zoo.builders.stack import compiled, dense, sequence_input, summary

OUTPUTS = ("softmax", "sigmoid", "multilabel")


def build_classifier(
    input_shape: tuple[int | None, int] | tuple[int | None],
    num_classes: int,
    *,
    lstm_units: int | Sequence[int] = (64, 32),
    dense_units: int | Sequence[int] = (32,),
    cell: str | type = "lstm",
    bidirectional: bool = False,
    pooling: str | None = None,
    output: str = "softmax",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    kernel_regularizer=None,
    recurrent_regularizer=None,
    bias_regularizer=None,
    mask_value: float | None = None,
    normalise="running",
    normalise_summary: bool = True,
    vocabulary_size: int | None = None,
    embedding_dim: int = 32,
    loss=None,
    metrics=None,
    optimizer: str | keras.optimizers.Optimizer | None = None,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    name: str | None = None,
) -> keras.Model:
    """A compiled model that tells which class a sequence belongs to.

    Stacked recurrent layers read the sequence; what they give at all steps, or at the last, makes
    one vector; Dense layers turn it into class probabilities.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None where lengths vary. With
            `vocabulary_size`, `(timesteps or None,)`.
        num_classes: 2 or more. Labels are integers from 0 to `num_classes - 1`;
            `lz.encode_labels` makes them from names, booleans or one-hot rows.
        lstm_units: units of each recurrent layer, first to last; at least one; 16 means (16,).
        dense_units: units of each Dense layer between them and the output; may be empty.
        cell: a name from `lstm_zoo.layers.variants.names()`: "lstm", "peephole", "coupled", "gru",
            "simple_rnn", ...; or a class that takes `units`, of a cell or of a recurrent layer.
        bidirectional: whether each recurrent layer reads the sequence from both ends.
        pooling: "last" takes the last hidden state, "mean" and "max" those of the hidden states of
            all steps, "attention" a mean of them whose weights are learnt. Masked steps count for
            nothing. None takes "max" where `timesteps` is given, for the last state is a poor
            summary of a long series, and "last" where lengths vary, as in 0.1.0.
        output: "softmax"; "sigmoid" for two classes by the probability of class 1 alone; or
            "multilabel" for a probability of each class on its own, with targets
            `(batch, num_classes)` of zeros and ones.
        dropout: fraction of the values dropped in training after each recurrent and Dense layer.
        recurrent_dropout: fraction of the hidden state dropped within the recurrent layers, the
            same one at every step.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: of the recurrent layers, as in
            Keras: "l2" or a `keras.regularizers.Regularizer`; the first also of the Dense layers.
        mask_value: steps at which every feature has this value are left out; None leaves none out.
            A number: NaN equals nothing, itself included. With `vocabulary_size`, None or 0.
        normalise: how each feature is brought to mean 0 and deviation 1. "running" learns both as
            the model trains (`layers.RunningNormalization`), where the steps are not tokens and no
            feature is a time, as "gru_d" and "time_gap" read; training samples
            `(samples, timesteps, features)` give them before; None leaves the data as it is.
            Masked steps do not count. The default is None in the other builders.
        normalise_summary: whether the vector that `pooling` gives is brought to mean 0 and
            deviation 1 over its units (`keras.layers.LayerNormalization`): small sets are then
            learnt in fewer steps.
        vocabulary_size: None; or, where steps are whole numbers (words, characters), how many
            there are, 0 included. An Embedding then comes first.
        embedding_dim: features of a step behind the Embedding.
        loss, metrics: as `keras.Model.compile` takes them; None takes the cross-entropy that fits
            `output`, and the accuracy.
        optimizer: None takes Adam; a name or a `keras.optimizers.Optimizer`.
        learning_rate: a number or a `keras.optimizers.schedules.LearningRateSchedule`; None is
            0.003, and 0.001 in the other builders. Not to be given where `optimizer` is an object,
            which has its own.
        name: of the model.

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
    """
    num_classes = checks.count("num_classes", num_classes, least=2)
    output = checks.one_of("output", output, OUTPUTS)
    if output == "sigmoid" and num_classes != 2:
        raise ValueError(f"num_classes must be 2 where output is 'sigmoid', got {num_classes}")
    if pooling is None:
        timesteps = (
            input_shape[0] if isinstance(input_shape, (tuple, list)) and input_shape else None
        )
        pooling = "last" if timesteps is None else "max"
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
    if normalise_summary:
        x = keras.layers.LayerNormalization(name="normalise_summary")(x)
    x = dense(x, dense_units, dropout, kernel_regularizer)
    probabilities = keras.layers.Dense(
        1 if output == "sigmoid" else num_classes,
        activation="softmax" if output == "softmax" else "sigmoid",
        name="probabilities",
    )
    model = keras.Model(inputs, probabilities(x), name=name)
    softmax = output == "softmax"
    return compiled(
        model,
        "sparse_categorical_crossentropy" if softmax else "binary_crossentropy",
        ["accuracy" if softmax else "binary_accuracy"],
        loss=loss,
        metrics=metrics,
        optimizer=optimizer,
        learning_rate=learning_rate,
        own_rate=3e-3,
    )
