"""LSTM-FCN: an LSTM in parallel with convolutions (Karim et al. 2018)."""

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
    """Build a classifier with two branches: convolutions over time, and a small LSTM.

    Unlike in the paper, the convolutions have no biases, because the batch normalization after each
    convolution would subtract them again.

    Args:
        input_shape: `(timesteps, features)`; `timesteps` may be None without `dimension_shuffle`.
        num_classes: the number of classes, 2 or more; labels are integers that start at 0. Or a
            list of class names, or all training labels as strings, as for `build_classifier`.
        lstm_units: units of each layer of the recurrent branch; 8 means (8,).
        filters, kernel_sizes: one value for each convolution, in two tuples of equal length.
        dimension_shuffle: whether the recurrent branch reads one feature (with all its timesteps)
            per step, as in the paper, instead of one timestep per step.
        dropout: dropout rate of the recurrent branch.
        noise: standard deviation of Gaussian noise that training adds to the input of both branches
            after `normalise`; it reduces overfitting on small data sets.
        differences: whether both branches also read the change of each feature since the previous
            step (0 at the first step), scaled like the features; not with `mask_value`.
        mask_value: both branches, convolutions included, ignore steps at which every feature has
            this value; not with `dimension_shuffle`. None masks no steps.
        loss, metrics: as for `keras.Model.compile`; None uses the cross-entropy and the accuracy.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to `(batch, num_classes)`.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

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
        raise ValueError(f"dimension_shuffle must be False if {wrong}")
    if differences and mask_value is not None:
        raise ValueError(f"mask_value must be None if differences is true, got {mask_value!r}")
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
            f"kernel_sizes must have as many values as filters, {len(filters)}, "
            f"got {len(kernel_sizes)}"
        )
    return filters, kernel_sizes


def _with_differences(inputs, x, normalise, cell):
    """The features joined with their changes since the previous step, scaled alike."""
    samples = normalise
    if not (normalise is None or isinstance(normalise, str)):
        samples = np.asarray(normalise)
        samples = np.diff(samples, axis=1, prepend=samples[:, :1])
    change = ops.pad(inputs[:, 1:] - inputs[:, :-1], [[0, 0], [1, 0], [0, 0]])
    change = normalised(change, samples, cell, name="normalise_differences")
    return keras.layers.Concatenate(name="and_differences")([x, change])


def _convolved(x, mask, filters, kernel_sizes):
    """The convolutional branch: one vector per sequence."""
    x = _only(x, mask)
    for number, (width, size) in enumerate(zip(filters, kernel_sizes), start=1):
        x = keras.layers.Conv1D(
            width,
            size,
            padding="same",
            # Batch normalization would subtract a bias again. The bias's gradient would be pure
            # rounding error, which Adam turns into steps that differ between machines.
            use_bias=False,
            kernel_initializer="he_uniform",
            name=f"convolution_{number}",
        )(x)
        x = BatchNormalization(name=f"normalised_{number}")(x, mask=mask)
        x = _only(keras.layers.Activation("relu", name=f"activation_{number}")(x), mask)
    return MeanOverTime(name="mean")(x, mask=mask)  # Keras's divides by 0 if all steps are masked


def _only(x, mask):
    """Sets masked steps to zero, so that they add nothing to a convolution."""
    return x if mask is None else x * ops.cast(mask, x.dtype)[..., None]
