"""Loads the classes that saved files name as soon as Keras is loaded, and Keras not before that.

`import lstm_zoo` alone takes no TensorFlow, so that `lz.load_predictor` answers at once. But
`keras.models.load_model` must know the classes of LSTM Zoo from the moment there is a Keras,
whichever of the two is imported first.
"""

import contextlib
import importlib
import os
import sys
import threading

from lstm_zoo.silence import quiet

# Their modules register all that can stand in a saved file; with `exporting`, Keras's own
# model.export gets fused operations.
ROOMS = ("lstm_zoo.builders", "lstm_zoo.exporting", "lstm_zoo.layers", "lstm_zoo.opening")


def load_rooms_with_keras() -> None:
    """Import the rooms now if Keras is loaded, else after it."""
    if _loaded("keras"):
        _load_rooms()
    else:
        sys.meta_path.insert(0, _Watch())


def _load_rooms():
    for room in ROOMS:
        importlib.import_module(room)


def _loaded(name):
    """Whether a module is loaded whole. Python has no public name for one that is half loaded."""
    module = sys.modules.get(name)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


class _Watch:
    """Sees which modules are loaded: Keras and those of LSTM Zoo, by their own loaders.

    A module of LSTM Zoo that imports Keras is itself half loaded when Keras is there. So the rooms
    follow when the outermost of these imports is complete.
    """

    def __init__(self):
        self._thread = threading.local()

    def find_spec(self, name, path=None, target=None):
        if name != "keras" and not name.startswith("lstm_zoo."):
            return None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    if hasattr(spec.loader, "exec_module"):
                        spec.loader = _Watched(spec.loader, self)
                    return spec
        return None

    def load(self, loader, module):
        """Load a module; then the rooms, if no other such import is under way."""
        depth = getattr(self._thread, "depth", 0)
        self._thread.depth = depth + 1
        try:
            with _silence() if module.__name__ == "keras" else contextlib.nullcontext():
                loader.exec_module(module)
        finally:
            self._thread.depth = depth

    def follow(self):
        """Load the rooms if Keras is there and nothing else is half loaded in this thread."""
        if not self._thread.depth and self in sys.meta_path and sys.modules.get("keras"):
            sys.meta_path.remove(self)
            _load_rooms()


class _Watched:
    """The loader of one module."""

    def __init__(self, loader, watch):
        self._loader, self._watch = loader, watch

    def __getattr__(self, name):  # what else a loader can do, such as give its source
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader  # as if nobody had watched
        self._watch.load(self._loader, module)
        self._watch.follow()


def _silence():
    """Keeps back what TensorFlow writes while it loads, where its level asks for none."""
    silent = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3"
    return quiet() if silent else contextlib.nullcontext()
