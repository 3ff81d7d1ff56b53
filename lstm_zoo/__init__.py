"""LSTM cells, layers, model builders and small pretrained models for Keras 3."""

import contextlib
import os
import sys

import lazy_loader

from lstm_zoo.silence import quiet
from lstm_zoo.spelling import no_attribute

__version__ = "0.2.0"

# __init__.pyi lists the names; each is loaded at first use.
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):
    if name not in __all__:
        raise no_attribute(__name__, name, __all__)
    return _load(name)


def _is_the_command():
    """Whether this process is the command lstm-zoo, which answers --help without TensorFlow."""
    return os.path.basename(sys.argv[0]) == "lstm-zoo" or sys.orig_argv[1:3] == ["-m", "lstm_zoo"]


if not _is_the_command():
    # From here on, Keras knows all classes that saved files can contain. TensorFlow is silent
    # unless the user sets a level; `quiet` hides lines that it writes at any level while it loads.
    silent = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3"
    with quiet() if silent else contextlib.nullcontext():
        import lstm_zoo.builders
        import lstm_zoo.exporting  # gives Keras's own model.export the fused operations
        import lstm_zoo.layers  # noqa: F401
