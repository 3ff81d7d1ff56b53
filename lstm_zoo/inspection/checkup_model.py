"""Checks of a model's behaviour on its data: gates, units, memory, gradients, output."""

from __future__ import annotations

import inspect

import keras
import numpy as np

from lstm_zoo import display
from lstm_zoo.inspection.checkup_subject import Finding, check, deviation, evenly
from lstm_zoo.inspection.finding import directions
from lstm_zoo.inspection.gates import gate_summary
from lstm_zoo.inspection.jacobians import jacobian_norms

# Within 0.05 of 0 or 1 the sigmoid's slope is below 0.0475, a fifth of its maximum. Trained models
# have such gates (Karpathy et al. 2015), but not for four values in five.
NEAR, SATURATED = 0.05, 0.8
# Hidden states are between -1 and 1; units of an untrained LSTM have a deviation of 0.01 or more.
STILL, DEAD = 1e-3, 0.1
# A state counts as forgotten when this fraction is left, as in GradientFlow.horizon.
LEFT = 0.01
# Good models may not need the older half of a sequence, such as the presets speakers and digits.
SHORT = 0.5
# Below float32's relative precision of 1.2e-7 (here with a margin) the first step's gradient
# vanishes in the sum with the last step's; if it is 1000 times larger, clipping is needed.
VANISHED, EXPLODED = 1e-6, 1e3
# A forecast with a given R^2 has at least R^2 times the deviation of the truth; 0.05 means that
# the model has learned nothing.
CONSTANT = 0.05
# The forecast moves away from the last value less than a tenth as far as the truth.
SHIFTED, CONTINUES = 0.1, 0.5
# A softmax or sigmoid gives no value below 0 or above 1. The margin is for half precision.
NO_PROBABILITY, MARGIN = 0.01, 1e-2

PASCANU = "Pascanu et al. 2013, https://proceedings.mlr.press/v28/pascanu13.html"


@check
def saturated_gates(subject):
    for name, seen in subject.traces.items():
        gates = [value for key, value in seen.values.items() if key.endswith("_gate")]
        values = np.concatenate([gate[~np.isnan(gate)] for gate in gates] or [np.zeros(0)])
        if not values.size or values.min() < 0 or values.max() > 1:
            continue  # no gates, or exponential ones
        share = float(np.mean((values < NEAR) | (values > 1 - NEAR)))
        if share > SATURATED:
            yield Finding(
                "saturated gates",
                share,
                SATURATED,
                f"{share:.0%} of the gate values of {name} are within {NEAR} of 0 or 1, where "
                "gradients are close to zero.",
                'scale the inputs (normalise="running"), lower learning_rate, or set clipnorm=1.0',
                "Karpathy et al. 2015, https://arxiv.org/abs/1506.02078",
            )


@check
def dead_units(subject):
    for name, seen in subject.traces.items():
        counts = ~np.isnan(seen.hidden_state[..., 0])
        read, states = seen.inputs[counts], seen.hidden_state[counts]
        if len(states) < 2 or not np.std(read, axis=0).any():
            continue
        share = float(np.mean(np.std(states.astype("float64"), axis=0) < STILL))
        if share > DEAD:
            yield Finding(
                "dead units",
                share,
                DEAD,
                f"{share:.0%} of the units of {name} are constant for all inputs.",
                "lower learning_rate and train again from new weights, or use fewer lstm_units",
                "Karpathy et al. 2015, https://arxiv.org/abs/1506.02078",
            )


@check
def short_memory(subject):
    layers = list(subject.recurrent.values())
    if not layers or layers[-1].return_sequences:
        return  # with pooling or an output at every step, old inputs need not reach the last step
    traces = subject.traces
    one_way = {
        name + ending: one
        for name, layer in subject.recurrent.items()
        for ending, one in directions(layer).items()
    }
    horizons = [_horizon(one_way[name], seen) for name, seen in traces.items()]
    if not horizons or len(traces) < len(one_way):
        return
    lengths = [
        seen.timesteps if seen.mask is None else np.median(seen.mask.sum(1))
        for seen in traces.values()
    ]
    steps, length = max(horizons), float(max(lengths))
    both_ways = isinstance(layers[-1], keras.layers.Bidirectional)
    reach = (length - 1) / 2 if both_ways else length - 1  # from the nearer end
    needed = reach * SHORT
    if steps < needed:
        yield Finding(
            "short memory",
            steps,
            needed,
            f"After {steps:.3g} steps less than {LEFT:.0%} of every unit's state is left, but "
            f"sequences have {length:.0f} steps. Older inputs hardly affect the output.",
            'build the model with pooling="attention" or bidirectional=True, or shorten x: '
            "x[:, -50:]",
            "Gers et al. 2000, https://doi.org/10.1162/089976600300015015",
        )


def _horizon(layer, seen):
    """Steps until `LEFT` of the state is left, for the unit with the longest memory."""
    half_life = gate_summary(seen).half_life
    if half_life is not None:
        return float(half_life.max() * np.log2(1 / LEFT))
    few = evenly(len(seen.inputs), 4)
    norms = jacobian_norms(layer, seen.inputs[few]).hidden.mean(axis=0)
    back = norms if layer.go_backwards else norms[::-1]
    fallen = np.flatnonzero(back <= LEFT * back[0])
    return float(fallen[0]) if len(fallen) else float("inf")


@check
def gradients_through_time(subject):
    flow = subject.flow
    if flow is None:
        return
    ratios: dict[str, float] = {}
    for name, norms in (*flow.hidden.items(), *flow.cell.items()):  # by either state
        read = norms[:, ::-1] if name in flow.backwards else norms
        ends = [row[~np.isnan(row)][[0, -1]] for row in read if not np.isnan(row).all()]
        if ends and read.shape[1] > 1:
            first, last = np.mean(np.asarray(ends, "float64"), axis=0)
            if last > 0:
                ratios[name] = max(float(first / last), ratios.get(name, 0.0))
    if not ratios:
        return
    most = max(ratios, key=lambda name: ratios[name])
    first_layer = next(iter(subject.recurrent))
    into = [ratio for name, ratio in ratios.items() if name.split("/")[0] == first_layer]
    if ratios[most] > EXPLODED:
        yield Finding(
            "exploding gradients",
            ratios[most],
            EXPLODED,
            f"The gradient of the loss at the first step of {most} is {ratios[most]:.3g} times as "
            "large as at the last step.",
            "train with lz.fit(model, x, y, clipnorm=1.0), or lower learning_rate",
            PASCANU,
        )
    elif into and max(into) < VANISHED:
        yield Finding(
            "vanishing gradients",
            max(into),
            VANISHED,
            f"The gradient of the loss at the first step of {first_layer} is {max(into):.3g} times "
            "the one at the last step, so the model cannot learn from the first steps.",
            'build the model with pooling="attention" or bidirectional=True, or shorten x: '
            "x[:, -50:]",
            PASCANU,
        )


@check
def constant_output(subject):
    output, y = subject.prediction, subject.y
    labels = subject.labels
    if labels is None:
        output = subject.forecast
    elif y.shape != output.shape and output.shape[-1] > 1:
        y = np.eye(output.shape[-1])[y.reshape(output.shape[:-1]).astype(int)]
    else:
        y = y.reshape(output.shape)
    if output is None or len(y) < 2 or deviation(y) == 0:
        return
    ratio = deviation(output) / deviation(y)
    if ratio < CONSTANT:
        yield Finding(
            "constant output",
            ratio,
            CONSTANT,
            f"Predictions vary only {ratio:.3g} times as much as the targets: the model predicts "
            "nearly the same for every sample.",
            "train for more epochs, with learning_rate=1e-2 or 1e-4, on scaled inputs and targets",
            "Karpathy 2019, http://karpathy.github.io/2019/04/25/recipe/",
        )


@check
def no_probabilities(subject):
    model = subject.model
    own_loss = type(model).compute_loss is not keras.Model.compute_loss  # such as that of a CRF
    if own_loss or not _reads_probabilities(getattr(model, "loss", None)):
        return
    output = subject.prediction
    lost = (output < 0) | (output > 1 + MARGIN)
    if _ends_in_relu(subject.layers):
        lost |= output == 0
    share = float(np.mean(lost))
    if share > NO_PROBABILITY:
        activation = "softmax" if subject.labels is not None and output.shape[-1] > 1 else "sigmoid"
        yield Finding(
            "predictions are not probabilities",
            share,
            NO_PROBABILITY,
            f"{share:.0%} of the predictions are below 0, above 1 or cut to 0 by a relu. A "
            "cross-entropy takes the logarithm of probabilities, so it clips these values, and "
            "they have no gradient.",
            "build the output layer as "
            f'keras.layers.Dense({output.shape[-1]}, activation="{activation}"), or, if it gives '
            "logits, compile with a loss that has from_logits=True",
            "https://keras.io/api/losses/probabilistic_losses/",
        )


def _reads_probabilities(loss):
    """Whether a loss is one of Keras's cross-entropies and expects probabilities."""
    losses = keras.tree.flatten(loss)
    if len(losses) != 1 or not losses[0]:
        return False
    loss = getattr(losses[0], "loss", losses[0])  # of an `ObservedLoss`
    if isinstance(loss, keras.losses.Loss):
        return loss.get_config().get("from_logits") is False
    try:
        arguments = inspect.signature(keras.losses.get(loss)).parameters
    except (TypeError, ValueError):  # not a loss of Keras
        return False
    return "from_logits" in arguments and arguments["from_logits"].default is False


def _ends_in_relu(layers):
    """Whether the last activation in a model gives exact zeros."""
    last = [one for one in layers if hasattr(one, "activation") or type(one) is keras.layers.ReLU]
    return bool(last) and "relu" in getattr(
        getattr(last[-1], "activation", None), "__name__", "relu"
    )


@check
def shifted_forecast(subject):
    forecast, y = subject.forecast, subject.y
    if subject.labels is not None or forecast is None or len(y) < 3:
        return
    sequences = [a for a in subject.inputs().values() if a.ndim == 3]
    if not sequences or not 1 <= y.ndim <= 3:
        return
    targets = y.shape[2] if y.ndim == 3 else 1
    last = sequences[0][:, -1, :targets].astype("float64")
    shape = (len(y), -1, targets)
    ahead, said = (a.astype("float64").reshape(shape) for a in (y, forecast))
    if last.shape[1] < targets or not (last[:, 0].std() and ahead[:, 0, 0].std()):
        return
    if np.corrcoef(last[:, 0], ahead[:, 0, 0])[0, 1] < CONTINUES:
        return  # the targets are no continuation of the input
    moves = np.mean(np.abs(ahead - last[:, None]))
    ratio = float(np.mean(np.abs(said - last[:, None])) / moves) if moves else np.inf
    if ratio < SHIFTED:
        yield Finding(
            "forecast is the last value",
            ratio,
            SHIFTED,
            f"Forecasts move only {display.number(ratio)} times as far from the last value as the "
            "truth, so their plot is a shifted copy of the series.",
            "compare with lz.backtest(series, horizon=...): if the naive forecast is as good, "
            "there is nothing to learn; otherwise train longer, or forecast np.diff(series)",
            "Hyndman & Athanasopoulos 2021, https://otexts.com/fpp3/simple-methods.html",
        )
