"""The registered tasks, by their name in a recipe."""

from lstm_zoo.presets.tasks.base import Task
from lstm_zoo.recipes import Recipe
from lstm_zoo.registry import Registry

TASKS: Registry[Task] = Registry("task", Task)
register = TASKS.register  # a decorator: @register("language model")


def class_of(recipe: Recipe) -> type[Task]:
    """The class of the recipe's task.

    Raises:
        ValueError: if `recipe` is not a `Recipe`, or if its task does not exist.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r:.80}")
    return TASKS.find(recipe.task)


def task_of(recipe: Recipe) -> Task:
    """The recipe's task, with its data loaded.

    Raises:
        ValueError: if `recipe` is not a `Recipe`, or if its task does not exist.

    >>> from lstm_zoo.presets import read_recipe
    >>> task_of(read_recipe("italy_power")).metric
    'test accuracy'
    """
    return class_of(recipe)(recipe)
