"""Measures the gradient of the loss at each step of a model's recurrent layers.

All derivatives are total, as in backpropagation through time: the derivative with respect to the
cell state c_t includes its effect through h_t.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks, display, naming
from lstm_zoo.backend import needs_tensorflow, tf
from lstm_zoo.inspection.finding import Inputs, checked_x, directions, layers_by_name
from lstm_zoo.inspection.recording import eager_loop, recorded


@dataclass(frozen=True, repr=False)
class GradientFlow:
    """The gradient of the loss at each step of a model's recurrent layers, from `gradient_flow`.

    Args:
        hidden: a dict from layer to `(batch, timesteps)`, the norms of dL/dh_t over the units; NaN
            at masked steps. A `Bidirectional` has two entries, "name/forward" and "name/backward".
            Index t is step t of the layer's input, for layers that read backwards too.
        cell: the same for dL/dc_t, for the layers with a cell state.
        backwards: names of the entries whose layer reads the sequence backwards.
    """

    hidden: dict[str, np.ndarray]
    cell: dict[str, np.ndarray]
    backwards: frozenset[str] = frozenset()

    def mean(self, layer: str | None = None, state: str = "hidden") -> np.ndarray:
        """The norms of a layer averaged over the batch, `(timesteps,)`.

        Args:
            layer: one of the names in `hidden`; the first if None.
            state: "hidden" or "cell".

        Returns:
            An array; NaN at steps that are masked in every sequence.

        Raises:
            ValueError: if the layer or state does not exist.
        """
        return _mean(self._norms(layer, state)[1])

    def horizon(self, layer: str | None = None, state: str = "hidden") -> int:
        """The number of steps back at which the mean norm has fallen to 1 % of the last step's.

        Sequences of unequal length are aligned at their last unmasked step.

        Args:
            layer, state: as in `mean`.

        Returns:
            The memory horizon in steps, an int; `timesteps` if the norm never falls that far.

        Raises:
            ValueError: if the layer or state does not exist.
        """
        name, norms = self._norms(layer, state)
        back = norms if name in self.backwards else norms[:, ::-1]
        lined_up = np.full_like(back, np.nan)
        for row, norm in zip(lined_up, back):
            norm = norm[~np.isnan(norm)]
            row[: len(norm)] = norm
        curve = _mean(lined_up)
        fallen = np.flatnonzero(curve <= 0.01 * curve[0])
        return int(fallen[0]) if len(fallen) else len(curve)

    def __repr__(self) -> str:
        reach = (f"{name!r} {self.horizon(name)}" for name in self.hidden)
        return f"GradientFlow(hidden state, memory horizon in steps: {', '.join(reach)})"

    def _repr_html_(self) -> str:
        rows = []
        for state, entries in (("hidden", self.hidden), ("cell", self.cell)):
            for name in entries:
                norms = self.mean(name, state)
                with np.errstate(divide="ignore"):
                    line = display.curve(np.log10(norms), f"log norm of {name}, {state} state")
                ends = (display.number(norms[0]), display.number(norms[-1]))
                rows.append((name, f"{state} state", *ends, self.horizon(name, state), line))
        head = ("layer", "state", "first norm", "last norm", "horizon (steps)", "log norm")
        return display.table("GradientFlow: gradient of the loss at each time step", head, rows)

    def _norms(self, layer, state):
        by_state = {"hidden": self.hidden, "cell": self.cell}
        entries = by_state[checks.one_of("state", state, by_state)]
        if not entries:
            raise ValueError('state must be "hidden": no layer here has a cell state, got "cell"')
        name = next(iter(entries)) if layer is None else checks.one_of("layer", layer, entries)
        return name, entries[name]


@needs_tensorflow
def gradient_flow(
    model: keras.Model,
    x: Inputs,
    y: npt.ArrayLike,
    loss: str | keras.losses.Loss | Callable | None = None,
) -> GradientFlow:
    """The norms of dL/dh_t and dL/dc_t at every step of every recurrent layer.

    If the norms shrink towards the past, the layer cannot learn from the past: the vanishing
    gradient problem (Hochreiter 1991; Bengio et al. 1994). The model runs without dropout. If the
    model calls a layer several times, the first call counts.

    Args:
        model: a `keras.Model` with recurrent layers that `trace` supports.
        x: the model's input, usually `(batch, timesteps, features)`.
        y: targets, one for each sample.
        loss: the loss L, averaged over the batch: a Keras loss, its name, or a function of y and
            the prediction. None uses the loss that the model was compiled with.

    Returns:
        A `GradientFlow`.

    Raises:
        ValueError: if `x` or `y` is empty, not finite, or of the wrong rank or length, if the model
            has no recurrent layer, if `loss` is None and the model is not compiled, or if Keras's
            backend is not TensorFlow.

    Example:
        >>> model = keras.Sequential([keras.layers.LSTM(8, name="memory"), keras.layers.Dense(1)])
        >>> flow = gradient_flow(model, np.ones((2, 20, 3)), np.ones((2, 1)), loss="mse")
        >>> flow.hidden["memory"].shape
        (2, 20)

    Sources:
        Bengio, Simard & Frasconi 1994, https://doi.org/10.1109/72.279181;
        Pascanu, Mikolov & Bengio 2013, https://proceedings.mlr.press/v28/pascanu13.html.
    """
    x, y = checked_x_and_y(model, x, y, loss)
    one_way = {
        name + ending: one
        for name, layer in layers_by_name(model).items()
        for ending, one in directions(layer).items()
    }
    with contextlib.ExitStack() as stack, tf.GradientTape(persistent=True) as tape:
        calls = {
            name: stack.enter_context(recorded(layer, eager_loop))
            for name, layer in one_way.items()
        }
        for layer in one_way.values():
            tape.watch([weight.value for weight in layer.weights])  # also for frozen layers
        value = loss_of(model, x, y, loss)
    norms: dict[str, dict[str, np.ndarray]] = {"hidden_state": {}, "cell_state": {}}
    for state, by_layer in norms.items():
        for name, seen in calls.items():
            if seen and state in seen[0].values[0]:
                by_layer[name] = _norms(tape, value, state, seen[0])
    backwards = frozenset(name for name, layer in one_way.items() if layer.go_backwards)
    return GradientFlow(norms["hidden_state"], norms["cell_state"], backwards)


def _mean(norms):
    """The mean over the batch, without a warning if all steps are masked."""
    counted = np.sum(~np.isnan(norms), axis=0)
    return np.where(counted, np.nansum(norms, axis=0) / np.maximum(counted, 1), np.nan)


def _norms(tape, loss, state, call):
    steps = [values[state] for values in call.values]
    gradients = tape.gradient(loss, steps, unconnected_gradients="zero")
    norms = np.linalg.norm(np.stack(gradients, axis=1).astype("float32"), axis=-1)
    return norms if call.mask is None else np.where(call.mask, norms, np.nan)


def checked_x_and_y(model, x, y, loss):
    """Check that a loss can be computed on `x` and `y`; returns arrays."""
    x = checked_x(model, x)
    y = naming.classes_of(model, "y", y, x)
    y = keras.tree.map_structure(lambda part: checks.finite("y", part), y)
    if not keras.tree.flatten(y):
        raise ValueError(f"y must not be empty, got {y!r}")
    samples, targets = (len(np.atleast_1d(keras.tree.flatten(part)[0])) for part in (x, y))
    if samples != targets:
        raise ValueError(
            f"x and y must have the same number of samples, got {samples} and {targets}"
        )
    if loss is None and not getattr(model, "compiled", False):
        raise ValueError("loss must be given if the model is not compiled, got None")
    return x, y


def loss_of(model, x, y, loss):
    """The loss of a model on a batch, without dropout; None uses the compiled loss."""
    prediction = model(x, training=False)
    if loss is None:
        return model.compute_loss(x=x, y=y, y_pred=prediction, training=False)
    y = tf.cast(y, prediction.dtype) if np.asarray(y).dtype.kind == "f" else tf.convert_to_tensor(y)
    return tf.reduce_mean(keras.losses.get(loss)(y, prediction))
