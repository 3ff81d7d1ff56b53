"""Sequence data, small enough to ship: classification, regression, forecasting, anomaly detection
and text.

>>> from lstm_zoo import datasets
>>> datasets.names(task="forecasting")
['electricity', 'sunspots']
>>> datasets.load("japanese_vowels").x_train.shape
(270, 29, 12)

``datasets/README.md`` says for each set what it is, where it comes from and how to cite it;
``datasets/build.py`` makes the files again from the packages that published them.
"""

from lstm_zoo.datasets.cutting import windows
from lstm_zoo.datasets.dataset import Dataset
from lstm_zoo.datasets.loading import load, names
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Dataset", "load", "names", "windows"]

_suggest(__name__)
