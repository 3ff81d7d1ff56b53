"""The loop over epochs and batches."""

import math
import time

import keras

from lstm_zoo.training import replicas, step
from lstm_zoo.training.diagnosing import diagnosis
from lstm_zoo.training.history import History
from lstm_zoo.training.validation import Validation, batch_size_of, numbers


class Loop:
    """Trains a model on the batches of a source, starting from a `Progress`.

    Args:
        model: a model whose optimizer and metrics are built too.
        source: the `Source` of the training set.
        validation: the `Source` of the validation set, or None.
        progress: the state of the training so far.
        strategy: the `tf.distribute.Strategy` to train under.
        settings: the `Settings` of the training.
    """

    def __init__(self, model, source, validation, progress, strategy, settings):
        self.model, self.source, self.progress = model, source, progress
        self.strategy, self.settings = strategy, settings
        self.has_own_step = step.has_own_step(model)  # its logs cover all batches so far
        # For "auto", Keras decided when the model was compiled.
        use_xla = model.jit_compile if settings.jit_compile == "auto" else settings.jit_compile
        signature = source.signature()
        self.train_step = step.make_step(model, signature, strategy, use_xla, settings.clipnorm)
        self.stateful_layers = replicas.stateful_layers(model)
        self.validation = None
        if validation is not None:
            self.validation = Validation(model, validation, strategy, use_xla)
        self._at_epoch_start = None  # the weights

    def run(self) -> keras.callbacks.History:
        """Train until the last epoch is done or a callback stops the training."""
        model, progress = self.model, self.progress
        callbacks, history = self._callbacks()
        model.stop_training = False
        callbacks.on_train_begin()
        # `keras.callbacks.BackupAndRestore` stores the number of finished epochs only in this
        # attribute.
        progress.epoch = max(progress.epoch, getattr(model, "_initial_epoch", None) or 0)
        progress.begin(callbacks.callbacks)
        history.history, logs = progress.history, None
        done = len(next(iter(progress.history.values()), ()))
        history.epoch = list(range(progress.epoch - done, progress.epoch))
        for epoch in range(progress.epoch, self.settings.epochs):
            if progress.stopped:
                break
            resumed = progress.step > 0
            if not resumed:
                model.reset_metrics()
                replicas.reset_states(self.stateful_layers)
            callbacks.on_epoch_begin(epoch)
            if resumed:
                progress.restore()  # callbacks already began this epoch in the earlier run
            start = time.perf_counter() - progress.sums.get("seconds", 0.0)
            logs_of_epoch, whole = self._train(epoch, callbacks, start)
            if not logs_of_epoch:  # a generator has no more batches
                break
            logs = logs_of_epoch
            if self.validation and (epoch + 1) % self.settings.validation_freq == 0:
                logs |= self.validation.run(callbacks)
                progress.note_best(logs.get("val_loss"), self._averaged)
            logs["seconds"] = time.perf_counter() - start
            callbacks.on_epoch_end(epoch, logs)
            if not whole:
                break
            progress.epoch_done()
            if model.stop_training:
                break
        if progress.best is not None:
            model.set_weights(progress.best)
        else:
            self._average()
        callbacks.on_train_end(logs)
        return history

    def _callbacks(self):
        """A `keras.callbacks.CallbackList`, and the `History` in it."""
        callbacks, verbose = self.settings.callbacks, self.settings.verbose
        if not any(isinstance(one, keras.callbacks.History) for one in callbacks):
            callbacks = [*callbacks, History()]
        listed = keras.callbacks.CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self.model,
            verbose=verbose,
            epochs=self.settings.epochs,
            steps=self.source.steps_per_epoch,
        )
        history = next(c for c in listed.callbacks if isinstance(c, keras.callbacks.History))
        return listed, history

    def _average(self):
        """Set the weights to the optimizer's moving averages, if it keeps any."""
        optimizer = self.model.optimizer
        if isinstance(optimizer, keras.optimizers.Optimizer) and optimizer.built:
            with self.strategy.scope():
                optimizer.finalize_variable_values(self.model.trainable_variables)

    def _averaged(self):
        """The weights that `_average` would set; the model does not change."""
        before = [w.numpy() for w in self.model.weights]
        self._average()
        averaged = [w.numpy() for w in self.model.weights]
        self.model.set_weights(before)
        return averaged

    def _train(self, epoch, callbacks, start):
        """Train for one epoch; returns its logs and whether it reached its end."""
        model, progress = self.model, self.progress
        if progress.step == 0:
            progress.sums = dict.fromkeys(("loss", "samples", "norm", "norms", "skipped"), 0)
            progress.sums["logs"] = {}
        if self.settings.on_nan == "stop" and progress.best is None:
            self._at_epoch_start = [w.numpy() for w in model.weights]
        sums, whole = progress.sums, True
        for batch in self.source.epoch(epoch, progress.seed, progress.step):
            number = progress.step
            callbacks.on_train_batch_begin(number)
            logs = numbers(self.train_step(batch))
            if self._is_finite(logs):
                self._add(logs, batch_size_of(batch))
            else:
                self._drop(epoch, batch, logs)
            callbacks.on_train_batch_end(number, dict(sums["logs"]))
            sums["seconds"] = time.perf_counter() - start
            if model.stop_training:
                whole = progress.step + 1 == self.source.steps_per_epoch
                if not whole:
                    progress.step += 1
                    progress.save()
                    break
            progress.step_done()
        return self._logs_of_epoch(epoch), whole

    def _add(self, logs, samples):
        """Add a step to the epoch's logs; its loss is weighted by its number of samples."""
        sums = self.progress.sums
        if not self.has_own_step:
            sums["loss"] += logs["loss"] * samples
            sums["samples"] += samples
            logs["loss"] = sums["loss"] / sums["samples"]
            if math.isfinite(logs["grad_norm"]):  # loss scaling skips steps that overflow
                sums["norm"] += logs["grad_norm"]
                sums["norms"] += 1
        sums["logs"] = logs

    def _logs_of_epoch(self, epoch):
        sums, logs = self.progress.sums, dict(self.progress.sums["logs"])
        if sums["skipped"] and not logs:
            raise FloatingPointError(
                f"no step of epoch {epoch + 1} had a finite loss and gradient; "
                "try a lower learning rate, or scale the data to about 1"
            )
        if not logs:
            return logs
        if sums["norms"]:
            logs["grad_norm"] = sums["norm"] / sums["norms"]
        if self.settings.on_nan == "skip":
            logs["skipped"] = sums["skipped"]
        return logs

    def _is_finite(self, logs):
        if not math.isfinite(logs.get("loss", 0.0)):
            return False
        if math.isfinite(logs.get("grad_norm", 0.0)) or self.has_own_step:
            return True
        optimizer = self.model.optimizer
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        return scales and float(optimizer.dynamic_scale) > 1

    def _drop(self, epoch, batch, logs):
        """Skip a step that is not finite, or restore good weights and raise an error."""
        sums, progress = self.progress.sums, self.progress
        sums["skipped"] += 1
        if self.settings.on_nan == "skip" and not self.has_own_step:
            return
        loss, norm = logs.get("loss", math.nan), logs.get("grad_norm", math.nan)
        why = diagnosis(self.model, batch, loss, norm)
        quantity = "the loss" if not math.isfinite(loss) else "the gradient"
        kept = "from before this step"
        if progress.best is not None:
            self.model.set_weights(progress.best)
            kept = "from the epoch with the lowest validation loss"
        elif self._at_epoch_start is not None and (self.has_own_step or not math.isfinite(loss)):
            self.model.set_weights(self._at_epoch_start)
            kept = "from before this epoch"
        raise FloatingPointError(
            f"{quantity} is not finite in step {progress.step + 1} of epoch {epoch + 1} "
            f"(loss {loss:.4g}, gradient norm {norm:.4g}): {why}. "
            f"The model's weights are {kept}."
        )
