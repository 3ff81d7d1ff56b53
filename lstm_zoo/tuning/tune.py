"""`tune` searches the arguments of a builder on your own data, or the recipe of a preset."""

import contextlib
import functools
import logging
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lstm_zoo import checks, naming
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.presets import Recipe
from lstm_zoo.presets.tuning import tune_recipe
from lstm_zoo.sequences.cutting import Windows
from lstm_zoo.training import fit
from lstm_zoo.training.searching import Search, checked_space
from lstm_zoo.tuning import arguments, parts
from lstm_zoo.tuning.result import Tuning

PATIENCE = 10  # epochs without a lower validation loss


@needs_tensorflow
def tune(
    build: Callable[..., keras.Model] | str | Recipe,
    data=None,
    *,
    space: Mapping[str, Sequence] | None = None,
    trials: int = 20,
    groups=None,
    folds: int = 4,
    gap: int | None = None,
    seeds: int = 3,
    epochs: int = 100,
    batch_size: int = 32,
    path: str | pathlib.Path | None = None,
    seed: int = 0,
    verbose: int = 1,
) -> Any:
    """Search a builder's arguments for settings that do better than its defaults on your data.

    One fifth of the data is held out of the search. At the end, the default and the best settings
    train again from several seeds and are compared on this part. The default wins unless the best
    settings are better by more than the standard error over the seeds. Ctrl-C ends the search.

    Args:
        build: a builder, or a `functools.partial` of a builder that fixes further arguments.
            Arguments that follow from the data (`input_shape`, `num_classes`, ...) are optional.
            For the name of a preset or a `lz.presets.Recipe`, the search uses its own `space` on
            its training part; then only `trials`, `path` and `seed` may be given.
        data: `(x, y)` as for `lz.fit`, strings included; or `lz.windows(...)`.
        space: a dict from an argument of the builder to a list of values, such as
            `{"dropout": [0.0, 0.2]}`. None searches `lstm_units`, `dropout`, `learning_rate` and
            `cell`.
        trials: number of settings to try, including earlier calls with the same `path`.
        groups: `(samples,)`, such as the patient of each sample; a group stays in one part.
        folds: number of parts to validate on in turn, for classes and groups. Other data are split
            in their order into consecutive parts to train on, to validate on and to hold out.
        gap: samples to leave out between these; None is `horizon - 1` for forecasters, else 0.
        seeds: number of trainings of the default and of the best settings to compare.
        epochs: largest number of epochs; training stops after 10 without a lower validation loss.
        batch_size: samples per step.
        path: a file that stores the search, so that the same call can resume it.
        seed: seed of the search, the folds and the trainings.
        verbose: 1 shows a progress bar, 0 nothing.

    Returns:
        A `Tuning`: `.best` holds the winning arguments ({} if the default wins), and `.build()`
        builds a new model with them. For a preset, its `Recipe` with the best settings.

    Raises:
        ValueError: if the builder does not have an argument, if the data can't be divided, or if
            the file holds another search; and as the builder and `lz.fit` do.
        ImportError: if Optuna is not installed (`pip install "lstm-zoo[tune]"`).

    Example:
        >>> import lstm_zoo as lz
        >>> x, y = np.random.default_rng(0).normal(size=(60, 5, 1)), np.arange(60) % 2
        >>> build = functools.partial(lz.build_classifier, lstm_units=2, dense_units=())
        >>> quick = {"trials": 2, "folds": 2, "seeds": 2, "epochs": 1, "verbose": 0}
        >>> found = tune(build, (x, y), space={"dropout": [0.0, 0.5]}, **quick)
        >>> len(found.trials), found.best in ({}, found.found)
        (2, True)

    Source:
        Akiba et al. 2019, https://arxiv.org/abs/1907.10902; on the part that is held out,
        Cawley & Talbot 2010, https://jmlr.org/papers/v11/cawley10a.html.
    """
    trials, seed = checks.count("trials", trials), checks.count("seed", seed, least=0)
    if not callable(build):
        _refuse_for_presets(build, data=data, space=space, groups=groups, gap=gap)
        return tune_recipe(build, trials=trials, path=path, seed=seed)
    folds, seeds = checks.count("folds", folds, least=2), checks.count("seeds", seeds, least=2)
    x, y = _checked(data)
    space = _space(build, space)
    divided = parts.parts_of(
        data if isinstance(data, Windows) else (x, y),
        classes=_has_classes(build, y),
        groups=groups,
        folds=folds,
        gap=_gap(build, y, gap),
        seed=seed,
    )
    runs = _Runs(build, y, divided, epochs, batch_size, seed)
    search = Search(space, of=f"{_name(build)} on {parts.count(y)} samples", path=path, seed=seed)
    return runs.tuned(search, trials, seeds, verbose)


class _Runs:
    """Trains a builder's model on the parts of a data set."""

    def __init__(self, build, y, divided, epochs, batch_size, seed):
        self.build, self.y, self.divided = build, y, divided
        self.options = {"epochs": epochs, "batch_size": batch_size}
        self.seed, self.bar, self.done = seed, None, 0

    def tuned(self, search, trials, seeds, verbose):
        """The `Tuning` of a search: the default, the trials, and both compared on unseen data."""
        if verbose:
            left = max(trials - len(search.trials), 0)
            total = (1 + left) * len(self.divided.pairs) + 2 * seeds
            self.bar = keras.utils.Progbar(total, unit_name="training")
        default, scores, epochs = self.searched({}), {}, {}
        interrupted = search.run(self.searched, trials)
        found, loss = search.best
        compared = {} if interrupted else {"default": {}, "found": found}
        try:
            for name, settings in compared.items():
                scores[name], epochs[name] = self.compared(settings, seeds)
        except KeyboardInterrupt:
            interrupted, scores = True, {}
        if interrupted and verbose:
            print()  # below the bar
        won = loss < default if interrupted else _better(scores)
        return Tuning(
            best=found if won else {},
            found=found,
            trials=search.trials,
            default=default,
            scores=scores,
            epochs=epochs.get("found" if won else "default", self.options["epochs"]),
            said=self.divided.said,
            build=functools.partial(self.model, found if won else {}),
        )

    def model(self, settings, x=None):
        """A new model with these settings."""
        x = self.divided.pairs[0][0][0] if x is None else x
        told = arguments.told_by(self.build, x, self.y)
        return self.build(**{**told, **settings})

    def searched(self, settings):
        """The mean validation loss of these settings."""
        return float(np.mean([self._trained(settings, *pair)[0] for pair in self.divided.pairs]))

    def compared(self, settings, seeds):
        """The scores on the held-out part, one for each seed, and the mean number of epochs."""
        scores, epochs = [], []
        for number in range(seeds):
            pair = self.divided.pairs[number % len(self.divided.pairs)]
            _, score, epoch = self._trained(settings, *pair, self.divided.held, 1 + number)
            scores.append(score)
            epochs.append(epoch)
        return scores, max(1, round(np.mean(epochs)))

    def _trained(self, settings, train, validation, held=None, more=0):
        """The validation loss, the scores on `held` and the best epoch of one training."""
        keras.utils.set_random_seed(self.seed + more)
        model = self.model(settings, train[0])
        stop = keras.callbacks.EarlyStopping(patience=PATIENCE)
        options = {**self.options, "seed": self.seed + more, "callbacks": stop, "verbose": 0}
        self.done += 1
        try:
            history = fit(model, *train, validation_data=validation, **options)
        except FloatingPointError:  # these settings do not train
            return math.inf, {"loss": math.inf}, 0
        if self.bar is not None:
            self.bar.update(self.done)
        epoch = int(np.argmin(history.history["val_loss"])) + 1
        return _scores(model, validation)["loss"], held and _scores(model, held), epoch


def _scores(model, part):
    """The loss (without regularization penalties) and the metrics of a model."""
    x = naming.numbers_of(model, "x", part[0])
    y = naming.classes_of(model, "y", part[1], x)
    with _without_warnings():
        found = model.evaluate(x, y, verbose=0, return_dict=True)
    found["loss"] -= float(sum(map(float, model.losses)))
    return found


@contextlib.contextmanager
def _without_warnings():
    """Context that hides TensorFlow's warnings about retracing, which each new model causes."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _better(scores):
    """Whether the found settings beat the default by more than the standard error."""
    gains = [
        before["loss"] - after["loss"] for before, after in zip(scores["default"], scores["found"])
    ]
    if not np.isfinite(gains).all():
        return np.nanmean(gains) > 0
    return bool(np.mean(gains) > np.std(gains, ddof=1) / math.sqrt(len(gains)))


def _refuse_for_presets(build, **arguments):
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{name} must be None for a preset; build must be a builder to tune on data, "
                f"got {build!r:.80}"
            )


def _checked(data):
    """Check the data; returns x and y with equal numbers of samples."""
    if isinstance(data, Windows):
        return data.arrays()
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(
            "data must be (x, y), or windows: lz.windows(frame, input_steps, horizon, "
            f"targets=...) cuts a series; got {type(data).__name__}"
        )
    x, y = data
    for part in x.values() if isinstance(x, dict) else [x]:
        if not hasattr(part, "__len__") or not hasattr(y, "__len__"):
            raise ValueError(f"x and y must be arrays or lists, got {type(part).__name__}")
        if len(part) != len(y):
            raise ValueError(
                f"x and y must have the same number of samples, got {len(part)} and {len(y)}"
            )
    return x, y


def _space(build, space):
    """The space to search, its names checked against the builder's arguments."""
    if space is None:
        return arguments.space_of(build)
    known = arguments.own(build)
    space = checked_space(space)
    placed = arguments.given(build).keys() - getattr(build, "keywords", {}).keys()
    takes_all = any(parameter.kind == parameter.VAR_KEYWORD for parameter in known.values())
    for name in space:
        if name in ("loss", "metrics"):
            raise ValueError(f"space must not have {name!r}, because trials are compared by loss")
        if name in placed:
            raise ValueError(f"space must not have {name!r}, which build fixes by position")
        if not takes_all:
            checks.one_of("space", name, known)
    return space


def _has_classes(build, y):
    return "num_classes" in arguments.own(build) and np.ndim(y[0]) == 0


def _gap(build, y, gap):
    if gap is not None:
        return checks.count("gap", gap, least=0)
    return np.shape(y)[1] - 1 if "horizon" in arguments.own(build) else 0


def _name(build):
    function = build.func if isinstance(build, functools.partial) else build
    return getattr(function, "__name__", type(function).__name__)
