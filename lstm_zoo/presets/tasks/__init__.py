"""The tasks that presets are trained for: one file for each kind.

A task prepares the data of a recipe, builds the model, scores it, names its baselines, answers a
user's file and draws a figure. A model takes raw data and answers in the units of the data: the
layers that prepare the input and scale the output are inside it.
"""

import importlib
import pkgutil

from lstm_zoo.presets.tasks.base import Task
from lstm_zoo.presets.tasks.registry import class_of, register, task_of

__all__ = ["Task", "class_of", "register", "task_of"]


def import_all():
    """Import every module of this folder, so that each registers its tasks."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


import_all()
