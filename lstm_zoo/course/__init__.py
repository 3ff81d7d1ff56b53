"""Helpers for the notebooks: they check answers without showing them, and load stored results."""

from lstm_zoo.course import answers  # noqa: F401  (fills the table of the exercises)
from lstm_zoo.course.exercises import check
from lstm_zoo.course.stored_results import results
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["check", "results"]

_suggest(__name__)
