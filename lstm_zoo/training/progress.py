"""The progress of a training, in memory and in its checkpoints."""

import datetime
import random
import time

import numpy as np

from lstm_zoo.training import callback_state, checkpoint, identity


class Progress:
    """The current epoch and step, the history, the best weights and the state of callbacks.

    Starts from the newest checkpoint in `settings.checkpoint_dir`, if there is one.

    Args:
        model: a model whose optimizer and metrics are built too.
        sets: the `Sets` to train on.
        settings: the `Settings` of the training.
        writes: whether this process writes the checkpoints.

    Raises:
        ValueError: if `settings.checkpoint_dir` is not a folder, or holds checkpoints of another
            training.
    """

    def __init__(self, model, sets, settings, *, writes):
        self.model, self.writes = model, writes
        self.folder, self.every = settings.checkpoint_dir, settings.checkpoint_every
        self.epoch, self.step, self.stopped = 0, 0, False
        self.sums = {}  # over the current epoch
        self.history = {}
        self.best = None  # the model's weights at the lowest validation loss
        self.seed = settings.seed
        self._saved_at = time.monotonic()
        self._stored = self._read() if self.folder else None
        if self.seed is None:
            self.seed = self._stored[1]["seed"] if self._stored else random.randrange(2**31)
        if self.folder:
            self.identity = identity.of_training(model, sets, settings)
            self.learning_rate = identity.learning_rate(model)
        if self._stored:
            self._resume()
        self.epoch = max(self.epoch, settings.initial_epoch)

    def _read(self):
        """The newest checkpoint, if there is one."""
        _check_folder(self.folder)
        checkpoint.clean(self.folder)
        shapes = {name: tuple(v.shape) for name, v in self._variables().items()}
        return checkpoint.read_newest(self.folder, shapes)

    def _resume(self):
        """Load the state from the checkpoint, or refuse a checkpoint of another training."""
        arrays, state = self._stored
        rates = [state["rate"], state["rate_now"]]  # callbacks may have changed it
        if self.learning_rate not in rates:
            raise ValueError(
                f"checkpoint_dir {str(self.folder)!r} holds another training: the learning rate "
                f"changed: {_shown(rates[0])} then, {_shown(self.learning_rate)} now; pass another "
                "folder, or compile with the same learning rate as before"
            )
        stored = {**state["of"], "seed": state["seed"]}
        identity.refuse_others(self.folder, stored, {**self.identity, "seed": self.seed})
        self.learning_rate = state["rate"]
        self.epoch, self.step, self.stopped = state["epoch"], state["step"], state["stopped"]
        self.sums, self.history = state["sums"], state["history"]
        best = [array for name, array in sorted(arrays.items()) if name.startswith("best/")]
        self.best = best or None

    def begin(self, callbacks):
        """Record the callbacks' state at the start, or restore it for a resumed training."""
        self.callbacks = callbacks
        self._at_start = [callback_state.state_of(callback) for callback in callbacks]
        self.restore()

    def restore(self):
        """Restore variables, callbacks and random state from the checkpoint."""
        if not self._stored:
            return
        arrays, state = self._stored
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        for key, callback in zip(callback_state.keys(self.callbacks), self.callbacks):
            for name, value in state["callbacks"].get(key, {}).items():
                setattr(callback, name, callback_state.unpacked(value, arrays))
        version, numbers, gauss = state["random"]
        random.setstate((version, tuple(numbers), gauss))
        name, position, has_gauss, cached = state["numpy_random"]
        numpy_state = (name, arrays["numpy_random"], position, has_gauss, cached)
        np.random.set_state(numpy_state)  # noqa: NPY002

    def step_done(self):
        """Count a step, and write a checkpoint if one is due."""
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
        """Count an epoch, and write a checkpoint."""
        self.epoch, self.step, self.sums = self.epoch + 1, 0, {}
        self.stopped = bool(self.model.stop_training)
        self.save()

    def note_best(self, loss, weights):
        """Keep the result of `weights()` if an epoch's validation loss is the lowest so far."""
        if loss is not None and loss <= np.nanmin([*self.history.get("val_loss", ()), np.inf]):
            self.best = weights()

    def save(self):
        """Write a checkpoint. Every process must call this, but only one of them writes."""
        if not self.folder:
            return
        arrays = {name: v.numpy() for name, v in self._variables().items()}
        arrays |= {f"best/{n:05d}": w for n, w in enumerate(self.best or [])}
        of_callbacks = self._pack_callbacks(arrays)
        name, arrays["numpy_random"], *rest = np.random.get_state()  # noqa: NPY002
        state = {
            "of": self.identity,
            "seed": self.seed,
            "rate": self.learning_rate,
            "rate_now": identity.learning_rate(self.model),
            "epoch": self.epoch,
            "step": self.step,
            "stopped": self.stopped,
            "sums": self.sums,
            "history": self.history,
            "callbacks": of_callbacks,
            "random": random.getstate(),
            "numpy_random": [name, *rest],
        }
        if self.writes:
            checkpoint.write(self.folder, arrays, state)
        self._saved_at = time.monotonic()

    def _pack_callbacks(self, arrays):
        """The attributes of each callback that training changed; adds arrays to `arrays`."""
        of_callbacks = {}
        keys = callback_state.keys(self.callbacks)
        for key, callback, at_start in zip(keys, self.callbacks, self._at_start):
            changed = callback_state.changed(callback_state.state_of(callback), at_start)
            of_callbacks[key] = {
                name: callback_state.packed(value, f"{key}/{name}", arrays)
                for name, value in changed.items()
            }
        return of_callbacks

    def _variables(self):
        """Every variable that training changes, under a name that is equal in each process."""
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


def _check_folder(folder):
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"checkpoint_dir must be a folder, got the file {str(folder)!r}")
    if (folder / "checkpoint.npz").exists():
        raise ValueError(
            f"checkpoint_dir {str(folder)!r} holds a checkpoint.npz of lstm_zoo 0.1, which this "
            "version cannot resume; pass another folder, or finish that training with version 0.1"
        )


def _shown(rate):
    return f"{rate:.6g}" if isinstance(rate, float) else "a schedule"
