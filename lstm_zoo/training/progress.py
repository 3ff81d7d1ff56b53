"""How far a training has come, in memory and, where there is a folder for it, on disk."""

import datetime
import random
import time

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.training import checkpoint, identity

_PLAIN = (bool, int, float, str, type(None))


class Progress:
    """The epoch and the step in it, the history, the best weights and the state of callbacks."""

    def __init__(self, model, folder, every, writes):
        self.model, self.every, self.writes = model, every, writes
        self.folder = None if folder is None else checks.path("checkpoint_dir", folder)
        self.epoch, self.step, self.stopped = 0, 0, False
        self.sums = {}  # of the epoch that is under way
        self.history = {}
        self.best = None  # the model's weights at the lowest validation loss
        self.seed = self.training_of = self.rate = None
        self._stored = None
        self._saved_at = time.monotonic()
        if self.folder:
            self._check_folder()

    def find(self):
        """Look for a checkpoint to go on from."""
        if not self.folder:
            return
        checkpoint.clean(self.folder)
        shapes = {name: tuple(v.shape) for name, v in self._variables().items()}
        self._stored = checkpoint.read_newest(self.folder, shapes)
        if self._stored:
            self.seed = self._stored[1]["seed"]

    def settle(self, seed, training_of, rate):
        """Set what the training is of, or refuse to go on with another one."""
        self.seed, self.training_of, self.rate = seed, training_of, rate
        if not self._stored:
            return
        arrays, state = self._stored
        rates = [state["rate"], state["rate_now"]]
        if rate not in rates:  # callbacks may have changed it since
            raise ValueError(
                f"checkpoint_dir {str(self.folder)!r} holds another training: its learning rate "
                f"differs: {_shown(rates[0])} then, {_shown(rate)} now; give another folder, "
                "or what it was made with"
            )
        identity.refuse_others(
            self.folder, {**state["of"], "seed": state["seed"]}, {**training_of, "seed": seed}
        )
        self.rate = state["rate"]
        self.epoch, self.step, self.stopped = state["epoch"], state["step"], state["stopped"]
        self.sums, self.history = state["sums"], state["history"]
        best = [array for name, array in sorted(arrays.items()) if name.startswith("best/")]
        self.best = best or None

    def begin(self, callbacks):
        """Note how callbacks are when a training starts; set those of one that goes on."""
        self.callbacks = callbacks
        self._fresh = [_plain_state(callback) for callback in callbacks]
        self.restore()

    def restore(self):
        """Set variables, callbacks and random numbers to what the checkpoint holds."""
        if not self._stored:
            return
        arrays, state = self._stored
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        keys = _keys(self.callbacks)
        for key, callback in zip(keys, self.callbacks):
            for name, value in state["callbacks"].get(key, {}).items():
                setattr(callback, name, _unpacked(value, arrays))
        kind, numbers, gauss = state["random"]
        random.setstate((kind, tuple(numbers), gauss))
        name, position, has_gauss, cached = state["numpy_random"]
        state = (name, arrays["numpy_random"], position, has_gauss, cached)
        np.random.set_state(state)  # noqa: NPY002

    def step_done(self):
        """Write a checkpoint if one is due within an epoch."""
        self.step += 1
        if not self.folder or self.every is None:
            return
        if isinstance(self.every, datetime.timedelta):
            due = time.monotonic() - self._saved_at >= self.every.total_seconds()
        else:
            due = self.step % self.every == 0
        if due:
            self.save()

    def epoch_done(self):
        """Note that an epoch is over, and write a checkpoint."""
        self.epoch, self.step, self.sums = self.epoch + 1, 0, {}
        self.stopped = bool(self.model.stop_training)
        self.save()

    def note_best(self, loss, weights):
        """Keep what `weights` gives where an epoch's validation loss is the lowest so far."""
        if loss is not None and loss <= np.nanmin([*self.history.get("val_loss", ()), np.inf]):
            self.best = weights()

    def save(self):
        """Write all of it; with several processes each takes part and one writes."""
        if not self.folder:
            return
        arrays = {name: v.numpy() for name, v in self._variables().items()}
        arrays |= {f"best/{n:05d}": w for n, w in enumerate(self.best or [])}
        changed = {}
        for key, callback, fresh in zip(_keys(self.callbacks), self.callbacks, self._fresh):
            now = _plain_state(callback)
            new = {n: v for n, v in now.items() if n not in fresh or not _same(v, fresh[n])}
            changed[key] = {n: _packed(v, f"{key}/{n}", arrays) for n, v in new.items()}
        name, arrays["numpy_random"], *rest = np.random.get_state()  # noqa: NPY002
        state = {
            "of": self.training_of,
            "seed": self.seed,
            "rate": self.rate,
            "rate_now": identity.learning_rate(self.model),
            "epoch": self.epoch,
            "step": self.step,
            "stopped": self.stopped,
            "sums": self.sums,
            "history": self.history,
            "callbacks": changed,
            "random": random.getstate(),
            "numpy_random": [name, *rest],
        }
        if self.writes:
            checkpoint.write(self.folder, arrays, state)
        self._saved_at = time.monotonic()

    def _variables(self):
        """Every variable that training changes, by a name that is the same in each process."""
        model, named, seen = self.model, {}, set()
        optimizer = model.optimizer.variables if model.optimizer is not None else []
        groups = (
            ("weights", model.trainable_variables),
            ("others", [*model.non_trainable_variables, *model.variables]),
            ("metrics", model.metrics_variables),
            ("optimizer", optimizer),
        )
        for group, variables in groups:
            for variable in variables:
                if id(variable) not in seen:
                    seen.add(id(variable))
                    named[f"{group}/{len(seen):05d}"] = variable
        return named

    def _check_folder(self):
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"checkpoint_dir must be a folder, got the file {str(self.folder)!r}")
        if (self.folder / "checkpoint.npz").exists():
            raise ValueError(
                f"checkpoint_dir {str(self.folder)!r} holds a checkpoint.npz of lstm_zoo 0.1, "
                "which does not say what it is of; finish it there, or give another folder"
            )


def check_every(every):
    """Steps, a time, or None."""
    if isinstance(every, datetime.timedelta):
        if every.total_seconds() <= 0:
            raise ValueError(f"checkpoint_every must be a time above 0, got {every!r}")
        return every
    if every is None:
        return None
    try:
        return checks.count("checkpoint_every", every)
    except ValueError:
        raise ValueError(
            "checkpoint_every must be a whole number of steps, a datetime.timedelta or None, "
            f"got {every!r}"
        ) from None


def _shown(rate):
    return f"{rate:.6g}" if isinstance(rate, float) else "a schedule"


def _keys(callbacks):
    """A name for each callback: its class, and which of them it is."""
    keys, seen = [], {}
    for callback in callbacks:
        kind = type(callback).__name__
        seen[kind] = seen.get(kind, 0) + 1
        keys.append(f"{kind}-{seen[kind]}")
    return keys


def _plain_state(callback):
    """The attributes of a callback that are numbers, texts, arrays, or lists and dicts of them."""
    if isinstance(callback, (keras.callbacks.History, keras.callbacks.ProgbarLogger)):
        return {}
    skipped = ("params", "_model", "model", "validation_data")
    if hasattr(callback, "monitor_op"):
        skipped += ("min_delta",)  # whose sign Keras turns when it is first used, in each process
    named = {n: v for n, v in vars(callback).items() if n not in skipped and _is_plain(v)}
    return {name: _copied(value) for name, value in named.items()}


def _is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    is_array = isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf"
    return is_array or type(value) in _PLAIN


def _copied(value):
    return keras.tree.map_structure(lambda leaf: np.array(leaf) if _is_array(leaf) else leaf, value)


def _is_array(value):
    return isinstance(value, np.ndarray)


def _same(one, other):
    one, other = (keras.tree.flatten(value) for value in (one, other))
    return len(one) == len(other) and all(
        type(a) is type(b) and np.array_equal(a, b) for a, b in zip(one, other)
    )


def _packed(value, name, arrays):
    """`value` as JSON has it; arrays go to `arrays` under a name."""
    if isinstance(value, dict):
        return {"dict": {k: _packed(v, f"{name}/{k}", arrays) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        parts = [_packed(v, f"{name}/{n}", arrays) for n, v in enumerate(value)]
        return {type(value).__name__ if type(value) is tuple else "list": parts}
    if isinstance(value, (np.ndarray, np.generic)):
        arrays[name] = np.asarray(value)
        return {"array" if _is_array(value) else "scalar": name}
    return {"value": value}


def _unpacked(packed, arrays):
    [(kind, value)] = packed.items()
    if kind == "dict":
        return {k: _unpacked(v, arrays) for k, v in value.items()}
    if kind in ("list", "tuple"):
        parts = [_unpacked(v, arrays) for v in value]
        return tuple(parts) if kind == "tuple" else parts
    if kind in ("array", "scalar"):
        return arrays[value] if kind == "array" else arrays[value][()]
    return value
