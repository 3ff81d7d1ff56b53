"""Train a forecaster on series, and forecast with it from any of their steps."""

import math
import pathlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from lstm_zoo import checks, precision
from lstm_zoo.builders import build_forecaster
from lstm_zoo.forecasting.bands import widening
from lstm_zoo.forecasting.members import mean_of
from lstm_zoo.forecasting.start import linear_start
from lstm_zoo.layers import SeasonalLinear
from lstm_zoo.training import fit

BATCH = 32  # windows a step
PATIENCE = 200  # steps without a better validation loss
PASS = 100  # steps, at most, from one validation to the next
MOST_PASSES = 400
MOST_TO_VALIDATE = 2048  # windows
SHARE = 0.15  # of a series, to validate on
SUSPECTED = (  # where series repeat themselves; these windows are split by time
    "feature .* almost gives away the target",
    ".* of the validation samples .* the validation score is too good",
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to forecast, and how to train for it.

    `quantiles` has the median among them; `steps` is the most training steps of each of `members`;
    `options` are arguments of `build_forecaster`; `checkpoint_dir` is a folder to go on from.
    """

    horizon: int
    season: int
    input_steps: int
    num_targets: int
    known_future: tuple[int, ...]
    quantiles: tuple[float, ...]
    steps: int
    members: int
    seed: int | None
    options: Mapping[str, Any]
    checkpoint_dir: str | pathlib.Path | None = None

    def new_model(self, features: int, static: int, member: int) -> keras.Model:
        """An untrained model for series of so many features and static numbers."""
        if self.seed is not None:
            keras.utils.set_random_seed(self.seed_of(member))
        return build_forecaster(
            (self.input_steps, features),
            self.horizon,
            quantiles=self.quantiles,
            num_targets=self.num_targets,
            known_future=len(self.known_future),
            static=static,
            **{"season": self.season, **self.options},
        )

    def seed_of(self, member):
        """The seed of one of the members; of no other member of another seed."""
        return None if self.seed is None else self.seed * self.members + member

    def checkpoints_of(self, member):
        """The folder for checkpoints of one of the members."""
        if self.checkpoint_dir is None:
            return None
        return pathlib.Path(self.checkpoint_dir) / f"member_{member + 1}"


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model, and what its forecasts need besides.

    `until` is how many steps of each series were known in training, validation included. `sizes`
    `(series, num_targets)` are the errors of the seasonal naive forecast one step ahead, and
    `widen` `(horizon, 1, quantiles)` is what each quantile is moved by, in these sizes.
    """

    model: keras.Model
    plan: Plan
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
        if plan.known_future:
            known = list(plan.known_future)
            ahead = np.stack([series[k][t : t + plan.horizon, known] for k, t in where])
            x["known_future"] = precision.single("known_future", ahead)
        if static is not None:
            x["static"] = precision.single("static", static[[k for k, _ in where]])
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


def fitted(series, static, ids, plan: Plan, progress, *, model=None) -> Fitted:
    """Train a new model of these series, the last steps of which are to validate on.

    Args:
        series: of each `(timesteps, features)`, the targets first; all of it is known.
        static: `(series, numbers)` or None.
        ids: of the series.
        plan: how to train.
        progress: the `Progress` that shows it.
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
    widen = np.zeros((plan.horizon, 1, len(plan.quantiles)))
    kept = Fitted(model, plan, lengths, sizes, widen)
    if model is None:
        kept = replace(kept, model=_trained(kept, series, static, training, validation, progress))
    if not validation:
        return kept
    raw = kept.quantiles(series, static, validation, widened=False)
    of_each = sizes[[k for k, _ in validation]][:, None, :]
    widen = widening(raw, kept.targets(series, validation), of_each, plan.quantiles)
    return replace(kept, widen=widen)


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


def _trained(kept, series, static, training, validation, progress):
    """A model trained by the plan of `kept`: the mean of its members."""
    plan = kept.plan
    sets = [_set(kept, series, static, places) for places in (training, validation)]
    members = []
    for member in range(plan.members):
        model = plan.new_model(series[0].shape[1], 0 if static is None else static.shape[1], member)
        for layer in model.layers:
            if isinstance(layer, SeasonalLinear):
                some = [_windows(kept, series, places) for places in (training, validation)]
                layer.kernel.assign(linear_start(layer.season, *some))
        _train(model, *sets, plan, member, progress)
        members.append(model)
    return members[0] if plan.members == 1 else mean_of(members)


def _set(kept, series, static, places):
    """Inputs, targets and weights to train or validate on: an error counts as a multiple of that of
    the seasonal naive forecast."""
    y = kept.targets(series, places)
    weight = np.broadcast_to(1 / kept.sizes[[k for k, _ in places]][:, None, :], y.shape)
    if kept.plan.num_targets == 1:
        y, weight = y[..., 0], weight[..., 0]
    return kept.inputs(series, static, places), y.astype("float32"), weight.astype("float32")


def _windows(kept, series, places):
    """Past, future and sizes of some places, as `linear_start` takes them."""
    places = places[:: -(-len(places) // MOST_TO_VALIDATE)]
    plan = kept.plan
    past = [series[k][t - plan.input_steps : t, : plan.num_targets] for k, t in places]
    sizes = kept.sizes[[k for k, _ in places]][:, None, :]
    return np.stack(past), kept.targets(series, places), sizes


def _train(model, training, validation, plan, member, progress):
    """Train one model; the best weights by validation loss stay."""
    x, y, weight = training
    a_pass = min(math.ceil(len(y) / BATCH), PASS)
    passes = min(max(3, math.ceil(plan.steps / a_pass)), MOST_PASSES)
    patience = max(3, math.ceil(PATIENCE / a_pass))
    with warnings.catch_warnings():
        for words in SUSPECTED:
            warnings.filterwarnings("ignore", words)
        fit(
            *(model, x, y),
            sample_weight=weight,
            validation_data=validation,
            epochs=passes,
            steps_per_epoch=a_pass,
            batch_size=BATCH,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=patience),
                *progress.of_training(passes),
            ],
            seed=plan.seed_of(member),
            checkpoint_dir=plan.checkpoints_of(member),
            verbose=0,
        )


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
