"""The checks of answers: one file for each notebook, one entry for each exercise."""

from lstm_zoo.registry import import_all

import_all(__name__)
