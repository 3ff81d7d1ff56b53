"""`fit`: trains a model on a CPU, a GPU or several replicas, and resumes interrupted runs."""

from lstm_zoo.files import replacing
from lstm_zoo.saving import load, save
from lstm_zoo.spelling import suggest as _suggest
from lstm_zoo.training.data import check_data
from lstm_zoo.training.fitting import fit

__all__ = ["check_data", "fit", "load", "replacing", "save"]

_suggest(__name__)
