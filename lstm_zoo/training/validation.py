"""Evaluates a model on the validation data after an epoch."""

import keras

from lstm_zoo.backend import tf
from lstm_zoo.training import replicas, step


class Validation:
    """The loss and the metrics of a model on the batches of a source."""

    def __init__(self, model, source, strategy, use_xla):
        self.model, self.source = model, source
        self.test_step = step.make_test_step(model, source.signature(), strategy, use_xla)
        self.stateful_layers = replicas.stateful_layers(model)
        # Otherwise a step reports the mean loss over all batches so far.
        several = strategy.num_replicas_in_sync > 1
        self.loss_is_of_batch = several and not step.has_own_step(model, "test_step")

    def run(self, callbacks) -> dict:
        """Evaluate the model; returns the logs, with names that start with `val_`."""
        model = self.model
        model.stop_evaluating = False
        callbacks.on_test_begin()
        model.reset_metrics()
        replicas.reset_states(self.stateful_layers)
        logs, loss, samples = {}, 0.0, 0
        for number, batch in enumerate(self.source.to_validate()):
            callbacks.on_test_batch_begin(number)
            logs = numbers(self.test_step(batch))
            if self.loss_is_of_batch and "loss" in logs:
                loss += logs["loss"] * batch_size_of(batch)
                samples += batch_size_of(batch)
                logs["loss"] = loss / samples
            callbacks.on_test_batch_end(number, dict(logs))
            if model.stop_evaluating:
                break
        callbacks.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}


def numbers(logs) -> dict:
    """Logs as floats, or lists if a metric has several numbers, for JSON and for callbacks."""
    # A metric's result may be a variable that is mirrored on several replicas.
    arrays = {name: tf.convert_to_tensor(value).numpy() for name, value in logs.items()}
    return {name: float(a) if a.ndim == 0 else a.tolist() for name, a in arrays.items()}


def batch_size_of(batch) -> int:
    """The number of samples in a batch."""
    return len(next(leaf for leaf in keras.tree.flatten(batch) if leaf is not None))
