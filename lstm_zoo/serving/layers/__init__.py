"""What each Keras layer adds to a plan; every module here registers some, and all are imported."""

import importlib
import pkgutil

from lstm_zoo.serving.layers.registry import written

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["written"]
