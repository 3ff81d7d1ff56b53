"""How far a training has come, in memory and on disk."""

import json
import pathlib

import numpy as np

from lstm_zoo.files import replacing


class Progress:
    """The history, the best weights, and both in a file if there is a folder for it."""

    def __init__(self, model, checkpoint_dir):
        self.model = model
        self.history = {}
        self.best = None  # the model's variables at the lowest validation loss
        self.file = checkpoint_dir and pathlib.Path(checkpoint_dir) / "checkpoint.npz"
        if self.file and self.file.exists():
            self._load()

    @property
    def epochs_done(self):
        return len(self.history.get("seconds", ()))

    def record(self, logs):
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        losses = self.history.get("val_loss")
        if losses and losses[-1] <= np.nanmin(losses):
            self.best = [w.numpy() for w in self.model.weights]
        if self.file:
            self._save()

    def restore_best(self):
        if self.best is not None:
            self.model.set_weights(self.best)

    def _variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def _save(self):
        arrays = {f"now_{n}": _storable(v.numpy()) for n, v in enumerate(self._variables())}
        arrays |= {f"best_{n}": _storable(w) for n, w in enumerate(self.best or [])}
        with replacing(self.file) as temporary:
            np.savez(temporary, history=json.dumps(self.history), **arrays)

    def _load(self):
        variables = self._variables()
        with np.load(self.file, allow_pickle=False) as stored:
            now = [stored[name] for name in stored.files if name.startswith("now_")]
            if [v.shape for v in now] != [tuple(v.shape) for v in variables]:
                raise ValueError(
                    f"checkpoint_dir holds {self.file.name} of another model: its variables have "
                    "other shapes; give another folder, or build the model it was made with"
                )
            for variable, value in zip(variables, now):
                variable.assign(value)
            self.best = [stored[n] for n in stored.files if n.startswith("best_")] or None
            self.history = json.loads(str(stored["history"]))


def _storable(array):
    """NumPy's files have no bfloat16; float32 holds it exactly."""
    return array.astype("float32") if array.dtype.name == "bfloat16" else array
