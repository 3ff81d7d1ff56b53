"""Searching a recipe's space for settings that do better on data held out of the training part."""

import copy
import dataclasses
import pathlib
from typing import Any

import numpy as np

from lstm_zoo import checks
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.presets.recipe import Recipe, read_recipe
from lstm_zoo.presets.tasks import task_of
from lstm_zoo.presets.train import run


@needs_tensorflow
def tune(
    recipe: str | Recipe,
    *,
    trials: int = 20,
    path: str | pathlib.Path | None = None,
    seed: int = 0,
) -> Recipe:
    """The best recipe found by Optuna's search of `recipe.space`; the test part is never looked at.

    Args:
        recipe: the name of a preset, or a `Recipe`; its `space` lists values to choose from.
        trials: trainings in all, those of earlier calls with the same `path` included.
        path: a file in which the search is kept, so that it goes on where it was stopped.
        seed: of the search, of the fifth that is held out, and of each training.

    Returns:
        The recipe with the settings of the lowest loss on the held-out fifth.

    Raises:
        ValueError: the recipe has no space, or names a setting that it does not have.
        ImportError: Optuna is not installed.

    >>> import dataclasses
    >>> short = dataclasses.replace(
    ...     read_recipe("italy_power"),
    ...     training={"epochs": 1, "batch_size": 8, "learning_rate": 0.003},
    ...     space={"model.dropout": [0.2]},
    ... )
    >>> tune(short, trials=1).model["dropout"]
    0.2

    Source:
        Akiba et al. (2019), https://arxiv.org/abs/1907.10902.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    recipe = read_recipe(recipe) if isinstance(recipe, str) else recipe
    trials, seed = checks.count("trials", trials), checks.count("seed", seed, least=0)
    if not recipe.space:
        raise ValueError(f"recipe must have a space to search, got none in {recipe.name!r}")
    for setting in recipe.space:
        checks.one_of("space", setting.split(".")[0], ["model", "training"])
    task = task_of(recipe)
    x, y = task.training_part()
    held_out = np.random.default_rng(seed).permutation(len(y)) < -(-len(y) // 5)

    def loss(trial):
        chosen = {
            setting: values[trial.suggest_categorical(setting, list(range(len(values))))]
            for setting, values in recipe.space.items()
        }
        tried = copy.copy(task)
        tried.recipe = changed(recipe, chosen)
        tried.training_part = lambda: (_rows(x, ~held_out), y[~held_out])
        model, _ = run(tried, seed)
        return model.evaluate(_rows(x, held_out), y[held_out], verbose=0, return_dict=True)["loss"]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=recipe.name,
        storage=None if path is None else JournalStorage(JournalFileBackend(str(path))),
        sampler=optuna.samplers.TPESampler(seed=seed),
        load_if_exists=True,
    )
    study.optimize(loss, n_trials=max(trials - len(study.trials), 0))
    best = study.best_params
    return changed(recipe, {s: recipe.space[s][at] for s, at in best.items()})


def changed(recipe: Recipe, settings: dict) -> Recipe:
    """The recipe with other settings, such as `{"model.dropout": 0.2}`."""
    parts: dict[str, Any] = {"model": dict(recipe.model), "training": dict(recipe.training)}
    for setting, value in settings.items():
        part, name = setting.split(".")
        parts[part][name] = value
    return dataclasses.replace(recipe, **parts)


def _rows(x, chosen):
    if isinstance(x, dict):
        return {name: part[chosen] for name, part in x.items()}
    return x[chosen]
