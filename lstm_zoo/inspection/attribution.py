"""Measures how much each input influences an output of a model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, naming
from lstm_zoo.backend import needs_tensorflow, tf
from lstm_zoo.inspection.finding import Inputs, checked_x, layers_by_name
from lstm_zoo.inspection.recording import mapped_outputs, unchanged
from lstm_zoo.layer_tree import every_layer


@needs_tensorflow
def saliency(
    model: keras.Model,
    x: Inputs,
    target: int | str | tuple[int, ...] | npt.ArrayLike | None = None,
    method: str = "gradient",
    baseline: Inputs | None = None,
    steps: int = 32,
) -> Any:  # an array, or the structure of x
    """How much each feature at each step influences one output: dy/dx, plain or integrated.

    The gradient measures the effect of a small change of the input. Integrated gradients
    (Sundararajan et al. 2017) measure what each input contributes to the output: the input's
    difference from a baseline times the mean gradient between the two. The contributions add up to
    the output for the input minus the output for the baseline.

    Tokens have no gradient. If an `Embedding` reads the input, the saliency of a token is the norm
    of the gradient of its embedding (Li et al. 2016); with "integrated" it is the sum of the
    contributions of its embedding's numbers.

    Args:
        model: a `keras.Model` with one output.
        x: the model's input: `(batch, timesteps, features)`, `(batch, timesteps)` tokens, texts if
            the model has a vocabulary, or a list or a dict of several inputs.
        target: the output y to explain: its index or class name, a tuple of indices if the output
            is a sequence, or `(batch,)` with an index for each sample. None uses the largest output
            of each sample, which is the predicted class of a classifier.
        method: "gradient" or "integrated".
        baseline: where "integrated" starts: an array that broadcasts to `x` (tokens for tokens),
            or a list or dict like `x` for several inputs. None uses zeros (zero embeddings for
            tokens), except at steps that a `Masking` layer masks, which stay masked.
        steps: number of points between the baseline and `x` at which "integrated" takes the
            gradient.

    Returns:
        A float32 array with the shape of `x` (of its tokens, if `x` holds texts); for
            several inputs a list or a dict like `x`.

    Raises:
        ValueError: if `x` is empty, not finite or of the wrong rank, if its arrays differ in
            length, if the target or method does not exist, if no gradient reaches an input, or if
            Keras's backend is not TensorFlow.

    Example:
        >>> model = keras.Sequential([keras.layers.LSTM(8), keras.layers.Dense(3)])
        >>> saliency(model, np.ones((2, 20, 5)), target=1).shape
        (2, 20, 5)
        >>> model = keras.Sequential([keras.layers.Embedding(9, 4), keras.layers.LSTM(8)])
        >>> saliency(model, [[3, 5, 7, 1]], target=1).shape
        (1, 4)

    Sources:
        Sundararajan, Taly & Yan 2017, https://proceedings.mlr.press/v70/sundararajan17a.html;
        Li et al. 2016, https://aclanthology.org/N16-1082.
    """
    given = checked_x(model, x)
    checks.one_of("method", method, ["gradient", "integrated"])
    steps = checks.count("steps", steps)
    inputs = _ModelInputs(model, given)
    inputs.choose(_number_of(model, target))
    if method == "gradient":
        sizes = [
            slope if not inputs.is_token(n) else np.sqrt(np.sum(slope**2, axis=-1))
            for n, slope in enumerate(inputs.slopes(1.0))
        ]
    else:
        inputs.start_from(baseline)
        points, weights = np.polynomial.legendre.leggauss(steps)  # on -1 to 1, weights sum to 2
        means = [
            [weight / 2 * slope for slope in inputs.slopes((1 + point) / 2, True)]
            for point, weight in zip(points, weights)
        ]
        sizes = [
            (way * sum(mean)).sum(axis=-1) if inputs.is_token(n) else way * sum(mean)
            for n, (way, *mean) in enumerate(zip(inputs.ways(), *means))
        ]
    sizes = [size.astype("float32") for size in sizes]
    return keras.tree.pack_sequence_as(given, sizes)


def _number_of(model, target):
    """The index of an output, given the index or the class name."""
    names = naming.class_names(model)
    if names is None or not isinstance(target, str):
        return target
    return names.index(checks.one_of("target", target, names))


class _ModelInputs:
    """The inputs of a model: real numbers, or tokens, which are represented by their embeddings."""

    def __init__(self, model, given):
        self.model, self.given = model, given
        self.recurrent = layers_by_name(model).values()
        every = every_layer(model)
        self.embeddings = [one for one in every if isinstance(one, keras.layers.Embedding)]
        self.names, self.tensors = [], []
        for name, array, side in _named(model, given):
            self.names.append(name)
            self.tensors.append(tf.constant(array, _read_as(array, side, bool(self.embeddings))))
        self.starts = [np.zeros(tensor.shape, "float32") for tensor in self.tensors]
        self.chosen: Any = None
        self._compiled = tf.function(self._gradients)
        self.vectors: dict[int, list] = {}  # input index -> (layer, its embeddings, baseline)

    def is_token(self, n):
        """Whether an Embedding reads an input."""
        return n in self.vectors

    def choose(self, target):
        """Record the output to explain for each sample, and which inputs are tokens."""

        def note(layer, tokens, vectors):
            n = self._number(tokens)
            if n is not None:
                start = np.zeros(vectors.shape, "float32")
                self.vectors.setdefault(n, []).append((layer, _float32(vectors), start))
            return vectors

        with unchanged(self.recurrent), mapped_outputs(self.embeddings, note):
            output = self.model(self._packed(self.tensors), training=False)
        for n, tensor in enumerate(self.tensors):
            if not (self.is_token(n) or tensor.dtype.is_floating):
                self._refuse(n)
        self.chosen = _chosen_outputs(output, target)

    def start_from(self, baseline):
        """Set the baseline, where the path to the inputs starts."""
        if baseline is None:
            self.starts = [
                start if self.is_token(n) else _resting_input(self.model, tensor.numpy())
                for n, (tensor, start) in enumerate(zip(self.tensors, self.starts))
            ]
            return
        arrays = [
            array for _, array, _ in _named(self.model, checked_baseline(self.given, baseline))
        ]
        for n, (array, tensor) in enumerate(zip(arrays, self.tensors)):
            array = np.broadcast_to(array, tensor.shape)
            if not self.is_token(n):
                self.starts[n] = array.astype("float32")
                continue
            tokens = tf.constant(array, tensor.dtype)
            self.vectors[n] = [(one, v, _float32(one(tokens))) for one, v, _ in self.vectors[n]]

    def ways(self):
        """The differences between the inputs (embeddings for tokens) and the baseline."""
        return [
            np.concatenate([v - start for _, v, start in self.vectors[n]], axis=-1)
            if self.is_token(n)
            else tensor.numpy() - self.starts[n]
            for n, tensor in enumerate(self.tensors)
        ]

    def slopes(self, portion, compiled=False):
        """The gradient with respect to each input or embedding, at a point on the path."""
        at = [
            tensor
            if self.is_token(n)
            else tf.constant(start + np.float32(portion) * (tensor.numpy() - start))
            for n, (tensor, start) in enumerate(zip(self.tensors, self.starts))
        ]
        # Only eager calls know which tokens an Embedding reads.
        run = self._compiled if compiled and not self.vectors else self._gradients
        with unchanged(self.recurrent):
            found = run(at, tf.constant(portion, "float32"))
        for n, gradients in enumerate(found):
            if any(gradient is None for gradient in gradients):
                self._refuse(n)
        return [
            np.concatenate([_float32(one) for one in gradients], axis=-1) for gradients in found
        ]

    def _gradients(self, at, portion):
        calls: dict[int, list] = {n: [] for n in self.vectors}

        def move(layer, tokens, vectors):
            n = self._number(tokens)
            if n is None:
                return vectors
            start = tf.cast(self.vectors[n][len(calls[n])][2], vectors.dtype)
            vectors = start + tf.cast(portion, vectors.dtype) * (vectors - start)
            tape.watch(vectors)
            calls[n].append(vectors)
            return vectors

        with tf.GradientTape() as tape:
            tape.watch([array for n, array in enumerate(at) if not self.is_token(n)])
            with mapped_outputs(self.embeddings, move):
                outputs = self.model(self._packed(at), training=False)
            outputs = tf.reshape(outputs, [len(self.chosen), -1])
            picked = tf.gather(outputs, self.chosen, batch_dims=1)
        places = [calls[n] if self.is_token(n) else [array] for n, array in enumerate(at)]
        return tape.gradient(picked, places)

    def _packed(self, arrays):
        return keras.tree.pack_sequence_as(self.given, arrays)

    def _number(self, tokens):
        """The index of the input that an Embedding reads; None if it is not an input or unknown."""
        if not tf.executing_eagerly():
            return None
        for n, tensor in enumerate(self.tensors):
            if tokens is tensor:
                return n
        for n, tensor in enumerate(self.tensors):
            same = tuple(np.shape(tokens)) == tuple(tensor.shape)
            if same and np.array_equal(np.asarray(tokens), tensor.numpy()):
                return n
        return None

    def _refuse(self, n):
        raise ValueError(
            f"{self.names[n]} must reach the output by differentiable operations or through an "
            "Embedding, got no gradient"
        )


def checked_baseline(given, baseline):
    """A baseline with an array for each input."""
    if isinstance(given, np.ndarray):
        return checks.finite("baseline", baseline)
    try:
        keras.tree.assert_same_structure(given, baseline)
    except (ValueError, TypeError) as problem:
        raise ValueError(
            f"baseline must be None or have the structure of x, got a {type(baseline).__name__}"
        ) from problem
    return keras.tree.map_structure(lambda array: checks.finite("baseline", array), baseline)


def _named(model, given):
    """The name of each array in x, the array, and the matching input of the model if known."""
    sides = list(getattr(model, "inputs", None) or ())
    if isinstance(given, dict):
        known = {side.name: side for side in sides}
        known |= model.input if sides and isinstance(model.input, dict) else {}
        return [(f"x[{key!r}]", given[key], known.get(key)) for key in sorted(given)]
    arrays = list(given) if isinstance(given, (list, tuple)) else [given]
    sides = sides if len(sides) == len(arrays) else [None] * len(arrays)
    one = not isinstance(given, (list, tuple))
    return [("x" if one else f"x[{n}]", *both) for n, both in enumerate(zip(arrays, sides))]


def _read_as(array, side, embeds):
    """The dtype in which to pass an array to a model: integers only if they may be tokens."""
    if side is not None:
        return side.dtype if "int" in side.dtype else "float32"
    return "int32" if embeds and np.asarray(array).dtype.kind in "iu" else "float32"


def _float32(tensor):
    return np.asarray(keras.ops.cast(tensor, "float32"))


def _resting_input(model, x):
    start = np.zeros(x.shape, "float32")
    for layer in every_layer(model):
        if isinstance(layer, keras.layers.Masking) and x.ndim == 3:
            masked = np.all(x == layer.mask_value, axis=-1)
            start[masked] = x[masked]
    return start


def _chosen_outputs(output, target):
    """The index of one output for each sample, counted over all axes except the batch."""
    if not tf.is_tensor(output):
        raise ValueError(f"model must have one output, got a {type(output).__name__} of several")
    samples, axes = len(output), tuple(output.shape[1:])
    if target is None:
        return np.argmax(np.reshape(output, [samples, -1]), axis=1)
    wanted = f"an index into outputs of shape {axes}, or one for each of the {samples} samples"
    try:
        if isinstance(target, tuple):
            return np.full(samples, np.ravel_multi_index(target, axes))
        target = np.broadcast_to(target, [samples])
        return np.ravel_multi_index([target], axes)
    except (ValueError, TypeError) as problem:
        raise ValueError(f"target must be {wanted}, got {target!r}") from problem
