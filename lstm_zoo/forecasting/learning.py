"""Train a forecaster on series, and forecast with it from any of their steps."""

import math
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from lstm_zoo import checks, precision
from lstm_zoo.builders import build_forecaster
from lstm_zoo.forecasting.bands import widening
from lstm_zoo.training import fit

BATCH = 32  # windows a step
PATIENCE = 200  # steps without a better validation loss
PASS = 100  # steps, at most, from one validation to the next
MOST_PASSES = 400
MOST_TO_VALIDATE = 2048  # windows
_BEST = "best validation loss"
SHARE = 0.15  # of a series, to validate on


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to forecast, and how to train for it.

    `quantiles` has the median among them; `steps` is the most training steps; `options` are
    arguments of `build_forecaster`; `checkpoint_dir` is a folder to go on from.
    """

    horizon: int
    season: int
    input_steps: int
    num_targets: int
    known_future: tuple[int, ...]
    quantiles: tuple[float, ...]
    steps: int
    seed: int | None
    verbose: int
    options: Mapping[str, Any]
    checkpoint_dir: str | pathlib.Path | None = None

    def new_model(self, features: int, static: int) -> keras.Model:
        """An untrained model for series of so many features and static numbers."""
        if self.seed is not None:
            keras.utils.set_random_seed(self.seed)
        return build_forecaster(
            (self.input_steps, features),
            self.horizon,
            quantiles=self.quantiles,
            num_targets=self.num_targets,
            known_future=len(self.known_future),
            static=static,
            **{"season": self.season, **self.options},
        )


class Scales:
    """What brings inputs that the model does not scale by window to unit size, from known steps."""

    def __init__(self, parts):
        """From arrays `(rows, columns)`, or None for nothing to scale."""
        rows = np.concatenate(parts)
        self.mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        self.deviation = np.where(deviation > 0, deviation, 1.0)

    def __call__(self, values):
        return (values - self.mean) / self.deviation


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model, and what its forecasts need besides.

    `until` is how many steps of each series were known in training, validation included. `sizes`
    `(series, num_targets)` are the errors of the seasonal naive forecast one step ahead, and
    `widen` `(horizon, 1, quantiles)` is what each quantile is moved by, in these sizes.
    """

    model: keras.Model
    plan: Plan
    ahead: Scales | None
    static: Scales | None
    until: list[int]
    sizes: np.ndarray
    widen: np.ndarray

    def inputs(self, series, static, where):
        """What the model reads at each `(series, known steps)` of `where`.

        Args:
            series: of each `(timesteps, features)`; where features are known ahead, they go on for
                a horizon after the last of `where`.
            static: `(series, numbers)` or None.
            where: pairs of whole numbers.
        """
        plan = self.plan
        past = np.stack([series[k][t - plan.input_steps : t] for k, t in where])
        x: Any = {"sequence": precision.single("data", past)}
        if self.ahead is not None:
            known = list(plan.known_future)
            ahead = np.stack([series[k][t : t + plan.horizon, known] for k, t in where])
            x["known_future"] = self.ahead(ahead).astype("float32")
        if self.static is not None:
            x["static"] = self.static(static[[k for k, _ in where]]).astype("float32")
        return x if len(x) > 1 else x["sequence"]

    def _answers(self, x, first):
        """What the model answers from a window on, for some; without a function to trace."""
        some = keras.tree.map_structure(lambda part: part[first : first + BATCH * 8], x)
        return keras.ops.convert_to_numpy(self.model(some, training=False)).astype("float64")

    def targets(self, series, where):
        """What the model should answer, `(len(where), horizon, num_targets)`."""
        plan = self.plan
        each = [series[k][t : t + plan.horizon, : plan.num_targets] for k, t in where]
        return np.stack(each)

    def quantiles(self, series, static, where, widened=True):
        """Forecasts `(len(where), horizon, num_targets, quantiles)` at each place of `where`."""
        x = self.inputs(series, static, where)
        found = np.concatenate([self._answers(x, k) for k in range(0, len(where), BATCH * 8)])
        found = found.reshape(len(where), self.plan.horizon, self.plan.num_targets, -1)
        if found.shape[-1] == 1:  # of a model with one forecast
            found = np.repeat(found, len(self.plan.quantiles), axis=-1)
        if widened:
            found = found + self.sizes[[k for k, _ in where]][:, None, :, None] * self.widen
            found = np.sort(found, axis=-1)
        return found


def fitted(series, static, ids, plan: Plan, *, model=None) -> Fitted:
    """Train a new model of these series, the last steps of which are to validate on.

    Args:
        series: of each `(timesteps, features)`, the targets first; all of it is known.
        static: `(series, numbers)` or None.
        ids: of the series.
        plan: how to train.
        model: a trained model to take as it is; None trains a new one.

    Raises:
        ValueError: a series that is shorter than what the model reads, or too few steps in all.
    """
    lengths = [len(one) for one in series]
    _check_lengths(lengths, ids, plan)
    held = max(plan.horizon, int(SHARE * float(np.median(lengths))))
    training, validation = _places(lengths, held, plan)
    if not training and model is None:
        wanted = plan.input_steps + plan.horizon + held
        raise ValueError(
            f"data must have at least {wanted} steps to read {plan.input_steps}, forecast "
            f"{plan.horizon} and validate on {held}, got {max(lengths)}; give a smaller "
            "input_steps, horizon or season"
        )
    known = [one[: max(len(one) - held, 1)] for one in series]
    sizes = np.array([_size(one[:, : plan.num_targets], plan.season) for one in known])
    ahead = [one[:, list(plan.known_future)] for one in known]
    kept = Fitted(
        model or plan.new_model(series[0].shape[1], 0 if static is None else static.shape[1]),
        plan,
        Scales(ahead) if plan.known_future else None,
        None if static is None else Scales([static]),
        lengths,
        sizes,
        np.zeros((plan.horizon, 1, len(plan.quantiles))),
    )
    if model is None:
        _train(kept, series, static, training, validation)
    if not validation:
        return kept
    raw = kept.quantiles(series, static, validation, widened=False)
    of_each = sizes[[k for k, _ in validation]][:, None, :]
    widen = widening(raw, kept.targets(series, validation), of_each, plan.quantiles)
    return Fitted(**{**vars(kept), "widen": widen})


def _check_lengths(lengths, ids, plan):
    for name, length in zip(ids, lengths):
        if length < plan.input_steps:
            raise ValueError(
                f"data must have at least input_steps = {plan.input_steps} steps of each series to "
                f"forecast from, got {length} of {name!r}; leave it out, or give a smaller "
                "input_steps"
            )


def _places(lengths, held, plan):
    """Pairs of a series and known steps, to train on and to validate on. No target of the first is
    one of the second."""
    training, validation = [], []
    for k, length in enumerate(lengths):
        last = length - plan.horizon
        first = max(plan.input_steps, length - held)
        training += [(k, t) for t in range(plan.input_steps, last - held + 1)]
        validation += [(k, t) for t in range(first, last + 1)]
    rng = np.random.default_rng(plan.seed)
    return _some(training, plan.steps * BATCH, rng), _some(validation, MOST_TO_VALIDATE, rng)


def _some(places, most, rng):
    """At most so many of the places, in their order."""
    if len(places) <= most:
        return places
    return [places[k] for k in np.sort(rng.choice(len(places), most, replace=False))]


def _size(targets, season):
    """The mean error of the seasonal naive forecast of each target; 1 where there is none."""
    season = season if len(targets) > season else 1
    if len(targets) < 2:
        return np.ones(targets.shape[1])
    size = np.abs(targets[season:] - targets[:-season]).mean(axis=0)
    return np.where(size > 0, size, 1.0)


def _train(kept, series, static, training, validation):
    """Train the model of `kept`; the best weights by validation loss stay."""
    plan = kept.plan
    sets = []
    for places in (training, validation):
        if not places:
            sets.append(None)
            continue
        y = kept.targets(series, places)
        weight = np.broadcast_to(1 / kept.sizes[[k for k, _ in places]][:, None, :], y.shape)
        if plan.num_targets == 1:
            y, weight = y[..., 0], weight[..., 0]
        x = kept.inputs(series, static, places)
        sets.append((x, y.astype("float32"), weight.astype("float32")))
    (x, y, weight), validation_data = sets
    a_pass = min(math.ceil(len(y) / BATCH), PASS)
    passes = min(max(3, math.ceil(plan.steps / a_pass)), MOST_PASSES)
    patience = max(3, math.ceil(PATIENCE / a_pass))
    callbacks: list[Any] = [_Bar(passes)] if plan.verbose else []
    if validation_data is not None:
        callbacks.append(keras.callbacks.EarlyStopping(patience=patience))
    fit(
        *(kept.model, x, y),
        sample_weight=weight,
        validation_data=validation_data,
        epochs=passes,
        steps_per_epoch=a_pass,
        batch_size=BATCH,
        callbacks=callbacks,
        seed=plan.seed,
        checkpoint_dir=plan.checkpoint_dir,
        verbose=0,
    )


class _Bar(keras.callbacks.Callback):
    """One progress bar for the whole training, with the lowest validation loss so far."""

    def __init__(self, passes):
        super().__init__()
        self.bar, self.best = (
            keras.utils.Progbar(passes, unit_name="pass", stateful_metrics=[_BEST]),
            math.inf,
        )

    def on_epoch_end(self, epoch, logs=None):
        self.best = min(self.best, (logs or {}).get("val_loss", math.inf))
        self.bar.update(epoch + 1, [(_BEST, self.best)], finalize=False)

    def on_train_end(self, logs=None):
        self.bar.update(self.bar.target, finalize=True)


def asked_of(model, plan: Plan, features: int) -> Plan:
    """The plan for a model that is given: what the model reads and the quantiles it forecasts.

    Raises:
        ValueError: if the model reads or forecasts something else than the plan says.
    """
    several = isinstance(model.input, dict)
    steps, width = (model.input["sequence"] if several else model.input).shape[1:]
    of_model = getattr(model.loss, "quantiles", None)
    plan = replace(
        plan, input_steps=steps or plan.input_steps, quantiles=of_model or plan.quantiles
    )
    if 0.5 not in plan.quantiles:
        raise ValueError(f"model must forecast the median too, got quantiles {of_model}")
    shape = (plan.horizon, *([plan.num_targets] if plan.num_targets > 1 else []))
    checks.shape("model's input", (None, steps, width), (None, None, features))
    got = model.output_shape if of_model is None else model.output_shape[:-1]
    checks.shape("model's forecast", got[1:], shape)
    return plan
