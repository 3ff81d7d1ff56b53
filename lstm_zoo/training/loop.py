"""The loop over epochs and batches."""

import math
import time

import keras
import numpy as np

from lstm_zoo.backend import tf
from lstm_zoo.training import replicas, step
from lstm_zoo.training.diagnosis import diagnosis


class Loop:
    """Trains a model on a source of batches, from where its `Progress` stands."""

    def __init__(self, model, source, steps, progress, strategy, on_nan, clipnorm, use_xla):
        self.model, self.source, self.steps, self.progress = model, source, steps, progress
        self.strategy, self.on_nan, self.use_xla = strategy, on_nan, use_xla
        self.several = strategy.num_replicas_in_sync > 1
        self.own = step.has_own_step(model)  # whose logs are what the model makes of all batches
        self.train_step = step.make_step(model, source.signature(), clipnorm, use_xla, strategy)
        self.split = replicas.Split(strategy)
        self.stateful = replicas.stateful_layers(model)
        self.validation = None
        self._good = None  # the weights at the end of the epoch before

    def validate_on(self, source, steps, every):
        """Measure every so many epochs on a source of batches."""
        signature = source.signature()
        test_step = step.make_test_step(self.model, signature, self.use_xla, self.strategy)
        self.validation = (source, steps, every, test_step)

    def run(self, epochs, told, history):
        """Train until `epochs` are done or a callback stops it."""
        model, progress = self.model, self.progress
        model.stop_training = False
        told.on_train_begin()
        # Where `keras.callbacks.BackupAndRestore` says so, epochs were done before. It tells the
        # model by this attribute only.
        progress.epoch = max(progress.epoch, getattr(model, "_initial_epoch", None) or 0)
        progress.begin(told.callbacks)
        history.history, logs = progress.history, None
        done = len(next(iter(progress.history.values()), ()))
        history.epoch = list(range(progress.epoch - done, progress.epoch))
        for epoch in range(progress.epoch, epochs):
            if progress.stopped:
                break
            begun = progress.step > 0
            if not begun:
                model.reset_metrics()
                _reset(self.stateful)
            told.on_epoch_begin(epoch)
            if begun:
                progress.restore()  # what callbacks do at an epoch's begin was done before
            start = time.perf_counter() - progress.sums.get("seconds", 0.0)
            logs_of_epoch, whole = self._train(epoch, told, start)
            if not logs_of_epoch:  # a generator has no more
                break
            logs = logs_of_epoch
            if self.validation and (epoch + 1) % self.validation[2] == 0:
                logs |= self._validate(told)
                progress.note_best(logs.get("val_loss"), self._averaged)
            logs["seconds"] = time.perf_counter() - start
            told.on_epoch_end(epoch, logs)
            if not whole:
                break
            progress.epoch_done()
            if model.stop_training:
                break
        if progress.best is not None:
            model.set_weights(progress.best)
        else:
            self._average()
        told.on_train_end(logs)

    def _average(self):
        """Set the weights to the averages that the optimizer keeps, if it does."""
        optimizer = self.model.optimizer
        if isinstance(optimizer, keras.optimizers.Optimizer) and optimizer.built:
            with self.strategy.scope():
                optimizer.finalize_variable_values(self.model.trainable_variables)

    def _averaged(self):
        """The weights that `_average` sets; the model keeps those that it has."""
        before = [w.numpy() for w in self.model.weights]
        self._average()
        averaged = [w.numpy() for w in self.model.weights]
        self.model.set_weights(before)
        return averaged

    def _train(self, epoch, told, start):
        """Train on the batches of an epoch: its logs, and whether it came to its end."""
        model, progress = self.model, self.progress
        if progress.step == 0:
            progress.sums = dict.fromkeys(("loss", "samples", "norm", "norms", "skipped"), 0)
            progress.sums["logs"] = {}
        if self.on_nan == "stop" and progress.best is None:
            self._good = [w.numpy() for w in model.weights]
        sums, whole = progress.sums, True
        for batch in self.source.epoch(epoch, progress.step, self.steps):
            number = progress.step
            told.on_train_batch_begin(number)
            logs = _numbers(self._step(batch))
            if self._is_finite(logs):
                self._add(logs, _length(batch))
            else:
                self._not_finite(epoch, batch, logs)
            told.on_train_batch_end(number, dict(sums["logs"]))
            sums["seconds"] = time.perf_counter() - start
            if model.stop_training:
                whole = progress.step + 1 == self._steps_an_epoch()
                if not whole:
                    progress.step += 1
                    progress.save()
                    break
            progress.step_done()
        return self._logs_of_epoch(epoch), whole

    def _step(self, batch):
        return self.train_step(*self.split(batch)) if self.several else self.train_step(batch)

    def _add(self, logs, samples):
        """Take a step into the epoch's logs, its loss weighted by its samples."""
        sums = self.progress.sums
        if not self.own:
            sums["loss"] += logs["loss"] * samples
            sums["samples"] += samples
            logs["loss"] = sums["loss"] / sums["samples"]
            if math.isfinite(logs["grad_norm"]):  # float16 skips those that overflow
                sums["norm"] += logs["grad_norm"]
                sums["norms"] += 1
        sums["logs"] = logs

    def _logs_of_epoch(self, epoch):
        sums, logs = self.progress.sums, dict(self.progress.sums["logs"])
        if sums["skipped"] and not logs:
            raise FloatingPointError(f"no step of epoch {epoch + 1} had a finite loss and gradient")
        if not logs:
            return logs
        if sums["norms"]:
            logs["grad_norm"] = sums["norm"] / sums["norms"]
        if self.on_nan == "skip":
            logs["skipped"] = sums["skipped"]
        return logs

    def _is_finite(self, logs):
        if not math.isfinite(logs.get("loss", 0.0)):
            return False
        if math.isfinite(logs.get("grad_norm", 0.0)) or self.own:
            return True
        optimizer = self.model.optimizer
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        return scales and float(optimizer.dynamic_scale) > 1

    def _not_finite(self, epoch, batch, logs):
        """Drop the step, or stop with weights that are good."""
        sums, progress = self.progress.sums, self.progress
        sums["skipped"] += 1
        if self.on_nan == "skip" and not self.own:
            return
        loss, norm = logs.get("loss", math.nan), logs.get("grad_norm", math.nan)
        what = diagnosis(self.model, batch, loss, norm)
        quantity = "the loss" if not math.isfinite(loss) else "the gradient"
        kept = "those before the step"
        if progress.best is not None:
            self.model.set_weights(progress.best)
            kept = "those of the lowest validation loss"
        elif self._good is not None and (self.own or not math.isfinite(loss)):
            self.model.set_weights(self._good)
            kept = "those before the epoch"
        raise FloatingPointError(
            f"{quantity} is not finite in step {progress.step + 1} of epoch {epoch + 1} "
            f"(loss {loss:.4g}, gradient norm {norm:.4g}): {what}. "
            f"The model's weights are {kept}."
        )

    def _validate(self, told):
        """The metrics on the validation data."""
        source, steps, _, test_step = self.validation
        model = self.model
        model.stop_evaluating = False
        told.on_test_begin()
        model.reset_metrics()
        _reset(self.stateful)
        logs, loss, samples = {}, 0.0, 0
        own = step.has_own_step(model, "test_step")
        for number, batch in enumerate(source.first(steps)):
            told.on_test_batch_begin(number)
            logs = _numbers(test_step(*self.split(batch)) if self.several else test_step(batch))
            if self.several and not own and "loss" in logs:
                loss += logs["loss"] * _length(batch)
                samples += _length(batch)
                logs["loss"] = loss / samples
            told.on_test_batch_end(number, dict(logs))
            if model.stop_evaluating:
                break
        told.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}

    def _steps_an_epoch(self):
        return self.steps or self.source.steps


def _numbers(logs):
    """Floats, and lists of what is several; a metric's result may be a variable of replicas."""
    arrays = {name: tf.convert_to_tensor(value).numpy() for name, value in logs.items()}
    return {name: float(a) if a.ndim == 0 else a.tolist() for name, a in arrays.items()}


def _length(batch):
    return len(next(leaf for leaf in keras.tree.flatten(batch) if leaf is not None))


def _reset(layers):
    for layer in layers:
        layer.reset_state()


def check_fixed_batch(model, batch_size):
    """Refuse another batch size than the one that a model's input has."""
    shape = getattr(model, "input_shape", None) if model.built else None
    size = shape[0] if isinstance(shape, tuple) and shape else None
    if isinstance(size, (int, np.integer)) and size != batch_size:
        raise ValueError(f"batch_size must be {size}, as the model's input, got {batch_size}")
