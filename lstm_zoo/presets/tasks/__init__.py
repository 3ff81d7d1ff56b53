"""The tasks of presets, with one file for each kind.

A task prepares the data of a recipe, builds and scores the model, computes baselines, predicts for
a user's file and draws a figure. A model takes raw data and predicts in the units of the data; it
contains the layers that prepare the input and scale the output.
"""

from lstm_zoo.presets.tasks.base import Task
from lstm_zoo.presets.tasks.registry import class_of, register, task_of
from lstm_zoo.registry import import_all

__all__ = ["Task", "class_of", "register", "task_of"]

import_all(__name__)
