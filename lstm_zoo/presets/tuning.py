"""Search a recipe's space for settings that do better on data held out of the training part."""

import copy
import dataclasses
import pathlib
from typing import Any

import numpy as np

from lstm_zoo import checks
from lstm_zoo.presets.tasks import task_of
from lstm_zoo.presets.train import run
from lstm_zoo.recipes import Recipe, read_recipe
from lstm_zoo.training.searching import Search


def tune_recipe(
    recipe: str | Recipe,
    *,
    trials: int = 20,
    path: str | pathlib.Path | None = None,
    seed: int = 0,
) -> Recipe:
    """The best recipe found in `recipe.space`, as `lz.tune` gives it for a preset.

    The test part is never looked at.

    >>> import dataclasses
    >>> short = dataclasses.replace(
    ...     read_recipe("italy_power"),
    ...     training={"epochs": 1, "batch_size": 8, "learning_rate": 0.003},
    ...     space={"model.dropout": [0.2]},
    ... )
    >>> tune_recipe(short, trials=1).model["dropout"]
    0.2
    """
    recipe = read_recipe(recipe) if isinstance(recipe, str) else recipe
    trials, seed = checks.count("trials", trials), checks.count("seed", seed, least=0)
    task = task_of(recipe)
    if not recipe.space:
        raise ValueError(f"recipe must have a space to search, got none in {recipe.name!r}")
    for setting in recipe.space:
        checks.one_of("space", setting.split(".")[0], ["model", "training"])
    x, y = task.training_part()
    held_out = np.random.default_rng(seed).permutation(len(y)) < -(-len(y) // 5)

    def loss(settings):
        tried = copy.copy(task)
        tried.recipe = changed(recipe, settings)
        tried.training_part = lambda: (_rows(x, ~held_out), y[~held_out])
        model, _ = run(tried, seed)
        return model.evaluate(_rows(x, held_out), y[held_out], verbose=0, return_dict=True)["loss"]

    search = Search(recipe.space, of=recipe.name, path=path, seed=seed)
    search.run(loss, trials)
    return changed(recipe, search.best[0])


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
