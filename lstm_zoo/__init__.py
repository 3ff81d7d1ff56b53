"""LSTM cells, layers, model builders and small pretrained models for Keras 3."""

import os

import lazy_loader

from lstm_zoo.after_keras import load_rooms_with_keras
from lstm_zoo.spelling import no_attribute

__version__ = "0.2.0"

# __init__.pyi lists the names; each is loaded at first use.
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):
    if name not in __all__:
        raise no_attribute(__name__, name, __all__)
    return _load(name)


# TensorFlow is silent unless the user sets a level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
load_rooms_with_keras()
