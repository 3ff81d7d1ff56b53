"""LSTM-FCN: an LSTM beside convolutions (Karim et al. 2018)."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops
from typing_extensions import Unpack

from lstm_zoo import checks
from lstm_zoo.builders.classes import Classes, counted_and_named, probabilities
from lstm_zoo.builders.options import CompileOptions, Options, takes
from lstm_zoo.builders.stack import (
    compiled,
    normalised,
    numbers_of_units,
    recurrent,
    sequence_input,
)
from lstm_zoo.layers import BatchNormalization, MeanOverTime


@takes(CompileOptions)
def build_lstm_fcn(
    input_shape: tuple[int | None, int],
    num_classes: Classes,
    *,
    lstm_units: int | Sequence[int] = 8,
    filters: int | Sequence[int] = (128, 256, 128),
    kernel_sizes: int | Sequence[int] = (8, 5, 3),
    dimension_shuffle: bool = True,
    cell: str | type = "lstm",
    dropout: float = 0.8,
    noise: float = 0.0,
    differences: bool = False,
    mask_value: float | None = None,
    normalise=None,
    **options: Unpack[CompileOptions],
) -> keras.Model:
    """A compiled classifier with two branches: convolutions over time, and a small LSTM.

    Unlike the paper's, the convolutions have no biases: the batch normalization behind each would
    subtract them again.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None without `dimension_shuffle`.
        num_classes: 2 or more; labels are integers from 0 on. Or the names of the classes, or all
            training labels as strings, as `build_classifier` takes them.
        lstm_units: units of each layer of the recurrent branch; 8 means (8,).
        filters, kernel_sizes: of the convolutions, as many of one as of the other.
        dimension_shuffle: whether the recurrent branch reads the features one after another, each
            with all its timesteps, as in the paper, and not the timesteps one after another.
        dropout: of the recurrent branch.
        noise: standard deviation of the Gaussian noise that training adds to what both branches
            read, behind `normalise`; against overfitting small sets.
        differences: whether both branches also read how much each feature has changed since the
            step before (0 at the first), scaled as the features are; not with `mask_value`.
        mask_value: steps at which every feature has this value are left out, of the convolutions
            and of their mean too; not with `dimension_shuffle`. None leaves none out.
        loss, metrics: as `keras.Model.compile` takes them; None takes the cross-entropy and the
            accuracy.
        Others: shared by builders, see lstm_zoo/builders/options.py; `help` describes them here.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_classes)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_lstm_fcn((150, 1), 2).output_shape
        (None, 2)

    Source:
        Karim et al. 2018, LSTM fully convolutional networks for time series classification,
        https://doi.org/10.1109/ACCESS.2017.2779939.
    """
    num_classes, names = counted_and_named(num_classes)
    filters, kernel_sizes = _checked_convolutions(filters, kernel_sizes)
    noise = checks.number("noise", noise)
    if noise < 0:
        raise ValueError(f"noise must be at least 0, got {noise!r}")
    shared = Options(cell=cell, dropout=dropout, mask_value=mask_value, **options)
    inputs, x = sequence_input(input_shape, shared, normalise=normalise)
    if dimension_shuffle and (x.shape[1] is None or mask_value is not None):
        wrong = "timesteps is None" if x.shape[1] is None else "mask_value is given"
        raise ValueError(f"dimension_shuffle must be False where {wrong}")
    if differences and mask_value is not None:
        raise ValueError(f"mask_value must be None where differences is true, got {mask_value!r}")
    if differences:
        x = _with_differences(inputs, x, normalise, cell)
    if noise:
        x = keras.layers.GaussianNoise(noise, name="noise")(x)
    mask = None if mask_value is None else ops.any(ops.not_equal(inputs, mask_value), axis=-1)
    y = _convolved(x, mask, filters, kernel_sizes)
    if dimension_shuffle:
        x = keras.layers.Permute((2, 1), name="dimension_shuffle")(x)
    x = recurrent(x, lstm_units, shared, return_sequences=False)
    x = keras.layers.Concatenate(name="both")([x, y])
    x = probabilities(x, num_classes, names)
    model = keras.Model(inputs, x, name=shared.name)
    return compiled(model, "sparse_categorical_crossentropy", ["accuracy"], shared)


def _checked_convolutions(filters, kernel_sizes):
    filters = numbers_of_units("filters", filters, least=1)
    kernel_sizes = numbers_of_units("kernel_sizes", kernel_sizes, least=1)
    if len(filters) != len(kernel_sizes):
        raise ValueError(
            f"kernel_sizes must be as many as filters, {len(filters)}, got {len(kernel_sizes)}"
        )
    return filters, kernel_sizes


def _with_differences(inputs, x, normalise, cell):
    """The features beside how much each has changed since the step before, scaled alike."""
    samples = normalise
    if not (normalise is None or isinstance(normalise, str)):
        samples = np.asarray(normalise)
        samples = np.diff(samples, axis=1, prepend=samples[:, :1])
    change = ops.pad(inputs[:, 1:] - inputs[:, :-1], [[0, 0], [1, 0], [0, 0]])
    change = normalised(change, samples, cell, name="normalise_differences")
    return keras.layers.Concatenate(name="and_differences")([x, change])


def _convolved(x, mask, filters, kernel_sizes):
    """The branch of convolutions: one vector a sequence."""
    x = _only(x, mask)
    for number, (width, size) in enumerate(zip(filters, kernel_sizes), start=1):
        x = keras.layers.Conv1D(
            width,
            size,
            padding="same",
            # The normalisation would subtract a bias again. The bias's gradient would be rounding
            # error alone, which Adam turns into steps that differ from one machine to the next.
            use_bias=False,
            kernel_initializer="he_uniform",
            name=f"convolution_{number}",
        )(x)
        x = BatchNormalization(name=f"normalised_{number}")(x, mask=mask)
        x = _only(keras.layers.Activation("relu", name=f"activation_{number}")(x), mask)
    return MeanOverTime(name="mean")(x, mask=mask)  # Keras's divides by 0 where all is masked


def _only(x, mask):
    """Zeros at the steps that are masked, so that a convolution adds nothing of them."""
    return x if mask is None else x * ops.cast(mask, x.dtype)[..., None]
