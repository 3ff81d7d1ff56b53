"""Which tasks there are, by the name that a recipe gives."""

from collections.abc import Callable

from lstm_zoo import checks
from lstm_zoo.presets.recipe import Recipe
from lstm_zoo.presets.tasks.base import Task

_TASKS: dict[str, type[Task]] = {}


def register(name: str) -> Callable[[type[Task]], type[Task]]:
    """Give a task the name by which recipes ask for it.

    Args:
        name: such as "language model", not taken by another class.

    Returns:
        A decorator for a subclass of `Task`.

    Raises:
        ValueError: if the name is no text or taken, or the class is no `Task`.

    >>> from lstm_zoo.presets.tasks.regression import Regression
    >>> @register("softness")
    ... class Softness(Regression):
    ...     target = "softness"
    >>> del _TASKS["softness"]
    """
    checks.text("name", name)

    def decorate(task_class):
        if not (isinstance(task_class, type) and issubclass(task_class, Task)):
            raise ValueError(f"a registered task must be a subclass of Task, got {task_class!r}")
        other = _TASKS.get(name)
        if other is not None and other.__qualname__ != task_class.__qualname__:
            raise ValueError(f"name must not be taken, got {name!r}, which is {other.__name__}")
        _TASKS[name] = task_class
        return task_class

    return decorate


def class_of(recipe: Recipe) -> type[Task]:
    """The class of the recipe's task.

    Raises:
        ValueError: `recipe` is no `Recipe`, or no task has the name that it gives.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r:.80}")
    return _TASKS[checks.one_of("task", recipe.task, sorted(_TASKS))]


def task_of(recipe: Recipe) -> Task:
    """The recipe's task, with its data loaded.

    Raises:
        ValueError: `recipe` is no `Recipe`, or no task has the name that it gives.

    >>> from lstm_zoo.presets import read_recipe
    >>> task_of(read_recipe("italy_power")).metric
    'test accuracy'
    """
    return class_of(recipe)(recipe)
