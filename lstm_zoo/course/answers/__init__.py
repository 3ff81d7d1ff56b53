"""What makes an answer right: a file for each notebook, an entry for each exercise."""

from lstm_zoo.course.answers import (
    notebook_00,
    notebook_01,
    notebook_02,
    notebook_03,
    notebook_04,
    notebook_05,
    notebook_06,
    notebook_07,
    notebook_08,
    notebook_09,
    notebook_10,
)

__all__ = [
    "notebook_00",
    "notebook_01",
    "notebook_02",
    "notebook_03",
    "notebook_04",
    "notebook_05",
    "notebook_06",
    "notebook_07",
    "notebook_08",
    "notebook_09",
    "notebook_10",
]
