"""Which inputs sway an output of a model, and by how much."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.backend import needs_tensorflow, tf
from lstm_zoo.inspection.finding import checked_x, every_layer, recurrent_layers
from lstm_zoo.inspection.watching import unchanged


@needs_tensorflow
def saliency(
    model: keras.Model,
    x: npt.ArrayLike,
    target: int | tuple[int, ...] | npt.ArrayLike | None = None,
    method: str = "gradient",
    baseline: npt.ArrayLike | None = None,
    steps: int = 32,
) -> np.ndarray:
    """How much each feature at each step sways one output of a model: dy/dx, plain or integrated.

    The gradient says what a small change of the input would do. Integrated gradients (Sundararajan
    et al. 2017) say what each input contributed: they are the input's difference from a baseline
    times the mean gradient on the way there, and add up to the output's difference.

    Args:
        model: a `keras.Model` with one input of real numbers and one output.
        x: `(batch, timesteps, features)`.
        target: which output y: its index, a tuple of indices if the model gives a sequence, or
            `(batch,)` an index for each sample. If None the largest output of each sample, which
            for a classifier is the class it predicts.
        method: "gradient" or "integrated".
        baseline: what "integrated" starts from, an array that broadcasts to `x`; zeros if None, and
            at steps that a `Masking` layer masks `x` itself, so that they stay masked.
        steps: points on the way from the baseline at which "integrated" takes the gradient.

    Returns:
        An array of the shape of `x`, float32.

    Raises:
        ValueError: if `x` is empty, not finite or of the wrong rank, if there is no such target or
            method, if no gradient reaches `x`, as behind an `Embedding`, or if Keras's backend is
            not TensorFlow.

    Example:
        >>> model = keras.Sequential([keras.layers.LSTM(8), keras.layers.Dense(3)])
        >>> saliency(model, np.ones((2, 20, 5)), target=1).shape
        (2, 20, 5)

    Source:
        Sundararajan, Taly & Yan 2017, https://proceedings.mlr.press/v70/sundararajan17a.html.
    """
    x = checked_x(model, x)
    if not isinstance(x, np.ndarray):
        raise ValueError(f"x must be one array, got a {type(x).__name__} of several")
    checks.one_of("method", method, ["gradient", "integrated"])
    steps = checks.count("steps", steps)
    x = x.astype("float32")
    layers = recurrent_layers(model).values()
    with unchanged(layers):
        chosen = _chosen_outputs(model(x, training=False), target)

    def slopes(at):
        with tf.GradientTape() as tape:
            tape.watch(at)
            outputs = tf.reshape(model(at, training=False), [len(x), -1])
            picked = tf.gather(outputs, chosen, batch_dims=1)
        return tape.gradient(picked, at)

    def gradient(at, slopes=slopes):
        with unchanged(layers):
            slope = slopes(tf.constant(at, "float32"))
        if slope is None:
            raise ValueError("x must reach the output by a differentiable way, got none")
        return slope.numpy()

    if method == "gradient":
        return gradient(x)
    start = _resting_input(model, x) if baseline is None else checks.finite("baseline", baseline)
    way = x - np.broadcast_to(start, x.shape).astype("float32")
    compiled = tf.function(slopes)
    points, weights = np.polynomial.legendre.leggauss(steps)  # on -1 to 1, the weights sum to 2
    means = (
        weight / 2 * gradient(x - way * (1 - point) / 2, compiled)
        for point, weight in zip(points, weights)
    )
    return (way * sum(means)).astype("float32")


def _resting_input(model, x):
    start = np.zeros_like(x)
    for layer in every_layer(model):
        if isinstance(layer, keras.layers.Masking):
            masked = np.all(x == layer.mask_value, axis=-1)
            start[masked] = x[masked]
    return start


def _chosen_outputs(output, target):
    """For each sample the index of one output, counted over all axes but the batch's."""
    if not tf.is_tensor(output):
        raise ValueError(f"model must have one output, got a {type(output).__name__} of several")
    samples, axes = len(output), tuple(output.shape[1:])
    if target is None:
        return np.argmax(np.reshape(output, [samples, -1]), axis=1)
    wanted = f"an index to outputs of shape {axes}, or one for each of the {samples} samples"
    try:
        if isinstance(target, tuple):
            return np.full(samples, np.ravel_multi_index(target, axes))
        target = np.broadcast_to(target, [samples])
        return np.ravel_multi_index([target], axes)
    except (ValueError, TypeError) as problem:
        raise ValueError(f"target must be {wanted}, got {target!r}") from problem
