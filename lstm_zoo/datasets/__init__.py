"""Small data sets of sequences: classification, regression, forecasting, anomalies and text.

>>> from lstm_zoo import datasets
>>> datasets.names(task="forecasting")
['electricity', 'sunspots']
>>> datasets.load("japanese_vowels").x_train.shape
(270, 29, 12)

``datasets/README.md`` describes each set, its source and how to cite it. ``datasets/build.py``
rebuilds the files from the packages that published them.
"""

from lstm_zoo.datasets.cutting import windows
from lstm_zoo.datasets.dataset import Dataset
from lstm_zoo.datasets.loading import load, names
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Dataset", "load", "names", "windows"]

_suggest(__name__)
