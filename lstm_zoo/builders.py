"""Whole models: recurrent layers that extract, Dense layers that select."""

import difflib

import keras
from keras import ops

from lstm_zoo.cells import LSTMCell
from lstm_zoo.layers import LSTM, PeepholeLSTM

CELLS = {
    "lstm": LSTM,
    "peephole": PeepholeLSTM,
    "gru": keras.layers.GRU,
    "simple_rnn": keras.layers.SimpleRNN,
}


def build_classifier(
    input_shape,
    num_classes,
    *,
    lstm_units=(64, 32),
    dense_units=(32,),
    cell="lstm",
    bidirectional=False,
    dropout=0.0,
    mask_value=None,
    learning_rate=1e-3,
    name=None,
):
    """A compiled model that tells which class a sequence belongs to.

    Stacked recurrent layers read the sequence; the last of them hands its last hidden state to the
    Dense layers; softmax gives class probabilities.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None where lengths vary.
        num_classes: 2 or more. Labels are integers from 0 to `num_classes - 1`.
        lstm_units: units of each recurrent layer, first to last; at least one.
        dense_units: units of each Dense layer between them and the output; may be empty.
        cell: "lstm", "peephole", "gru", "simple_rnn", or a cell class that takes `units`, such as
            `lstm_zoo.LSTMCell`.
        bidirectional: whether each recurrent layer reads the sequence from both ends.
        dropout: fraction of the values dropped in training after each recurrent and Dense layer.
        mask_value: steps at which every feature has this value are left out; None leaves none out.
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
    _check_count("num_classes", num_classes, least=2)
    head = [keras.layers.Dense(num_classes, activation="softmax", name="probabilities")]
    model = _stack(
        input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
    )
    return _compiled(model, learning_rate, "sparse_categorical_crossentropy", ["accuracy"])


def build_regressor(
    input_shape,
    num_outputs=1,
    *,
    lstm_units=(64, 32),
    dense_units=(32,),
    cell="lstm",
    bidirectional=False,
    dropout=0.0,
    mask_value=None,
    learning_rate=1e-3,
    name=None,
):
    """A compiled model that estimates numbers from a whole sequence, by least squares.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None where lengths vary.
        num_outputs: how many numbers to estimate, 1 or more.
        lstm_units, dense_units, cell, bidirectional, dropout, mask_value, learning_rate, name: as
            in `build_classifier`.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_outputs)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_regressor((84, 1)).output_shape
        (None, 1)
    """
    _check_count("num_outputs", num_outputs)
    head = [keras.layers.Dense(num_outputs, name="estimate")]
    model = _stack(
        input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
    )
    return _compiled(model, learning_rate, "mean_squared_error", ["mean_absolute_error"])


def build_forecaster(
    input_shape,
    horizon,
    *,
    quantiles=None,
    lstm_units=(64, 32),
    dense_units=(32,),
    cell="lstm",
    bidirectional=False,
    dropout=0.0,
    mask_value=None,
    learning_rate=1e-3,
    name=None,
):
    """A compiled model that continues a series for `horizon` steps, all of them at once.

    Args:
        input_shape: `(timesteps, features)` of the past that it sees.
        horizon: steps to forecast, 1 or more.
        quantiles: None for one forecast, trained on the mean absolute error; or rising fractions
            such as `(0.1, 0.5, 0.9)` for a forecast of each, trained on the quantile loss.
        lstm_units, dense_units, cell, bidirectional, dropout, mask_value, learning_rate, name: as
            in `build_classifier`.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, horizon)`, or to
        `(batch, horizon, len(quantiles))`. Targets are `(batch, horizon)` either way.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_forecaster((336, 1), horizon=48, quantiles=(0.1, 0.5, 0.9)).output_shape
        (None, 48, 3)
    """
    _check_count("horizon", horizon)
    if quantiles is None:
        head = [keras.layers.Dense(horizon, name="forecast")]
        loss, metrics = "mean_absolute_error", ["mean_absolute_error"]
    else:
        loss, metrics = QuantileLoss(quantiles), None
        head = [
            keras.layers.Dense(horizon * len(quantiles), name="forecast"),
            keras.layers.Reshape((horizon, len(quantiles)), name="quantiles"),
        ]
    model = _stack(
        input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
    )
    return _compiled(model, learning_rate, loss, metrics)


@keras.saving.register_keras_serializable(package="lstm_zoo")
class QuantileLoss(keras.losses.Loss):
    r"""Mean over the quantiles :math:`q` of :math:`\max(q e, (q - 1) e)`.

    :math:`e` is truth minus forecast. The true quantiles make it least (Koenker & Bassett 1978).

    Args:
        quantiles: rising fractions between 0 and 1.

    Call arguments:
        y_true: `(batch, horizon)`.
        y_pred: `(batch, horizon, len(quantiles))`.

    Raises:
        ValueError: if the quantiles do not rise, or are not between 0 and 1.

    Example:
        >>> float(QuantileLoss((0.5,))([[3.0]], [[[1.0]]]))  # half of the absolute error
        1.0

    Source:
        Koenker & Bassett 1978, Regression quantiles, https://doi.org/10.2307/1913643.
    """

    def __init__(self, quantiles, name="quantile_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantiles = tuple(float(q) for q in quantiles)
        rising = sorted(set(self.quantiles)) == list(self.quantiles)
        if not self.quantiles or not rising or not 0 < self.quantiles[0] <= self.quantiles[-1] < 1:
            raise ValueError(
                "quantiles must be rising fractions between 0 and 1, such as (0.1, 0.5, 0.9), "
                f"got {quantiles!r}"
            )

    def call(self, y_true, y_pred):
        error = ops.expand_dims(y_true, -1) - y_pred
        q = ops.convert_to_tensor(self.quantiles, dtype=error.dtype)
        return ops.mean(ops.maximum(q * error, (q - 1) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantiles": self.quantiles}


def _stack(
    input_shape, lstm_units, dense_units, cell, bidirectional, dropout, mask_value, head, name
):
    timesteps, features = _checked_shape(input_shape)
    lstm_units = _checked_units("lstm_units", lstm_units, least=1)
    dense_units = _checked_units("dense_units", dense_units, least=0)
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be a fraction from 0 to below 1, got {dropout!r}")

    inputs = x = keras.Input((timesteps, features), name="sequence")
    if mask_value is not None:
        x = keras.layers.Masking(mask_value, name="mask")(x)
    for number, units in enumerate(lstm_units, start=1):
        layer = _recurrent(cell, units, number < len(lstm_units), f"recurrent_{number}")
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=f"recurrent_{number}")
        x = layer(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"recurrent_{number}_dropout")(x)
    for number, units in enumerate(dense_units, start=1):
        x = keras.layers.Dense(units, activation="relu", name=f"dense_{number}")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dense_{number}_dropout")(x)
    for layer in head:
        x = layer(x)
    return keras.Model(inputs, x, name=name)


def _recurrent(cell, units, return_sequences, name):
    if isinstance(cell, str):
        if cell not in CELLS:
            nearest = difflib.get_close_matches(cell, CELLS, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"cell must be one of {', '.join(CELLS)} or a cell class, got {cell!r}; "
                f"did you mean {nearest!r}?"
            )
        return CELLS[cell](units, return_sequences=return_sequences, name=name)
    if isinstance(cell, type) and hasattr(cell, "call"):
        return keras.layers.RNN(cell(units), return_sequences=return_sequences, name=name)
    raise ValueError(
        f"cell must be one of {', '.join(CELLS)} or a cell class such as {LSTMCell.__name__}, "
        f"got {cell!r}"
    )


def _compiled(model, learning_rate, loss, metrics):
    if isinstance(learning_rate, (int, float)) and not learning_rate > 0:
        raise ValueError(f"learning_rate must be above 0, got {learning_rate!r}")
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=metrics)
    return model


def _checked_shape(input_shape):
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 2 or shape[1] is None:
        raise ValueError(f"input_shape must be (timesteps or None, features), got {input_shape!r}")
    if shape[0] is not None:
        _check_count("input_shape's timesteps", shape[0])
    _check_count("input_shape's features", shape[1])
    return shape


def _checked_units(argument, units, least):
    if not isinstance(units, (tuple, list)) or len(units) < least:
        raise ValueError(f"{argument} must be a tuple such as (64, 32), got {units!r}")
    for count in units:
        _check_count(argument, count)
    return tuple(units)


def _check_count(argument, count, least=1):
    whole = isinstance(count, int) and not isinstance(count, bool)
    if not whole or count < least:
        raise ValueError(f"{argument} must be an integer of at least {least}, got {count!r}")
