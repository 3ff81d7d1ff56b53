"""A callback that monitors gradients during training."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.backend import needs_tensorflow, tf
from lstm_zoo.inspection.finding import Inputs
from lstm_zoo.inspection.gradients import checked_x_and_y, loss_of


class GradientMonitor(keras.callbacks.Callback):
    """Records the norm of every weight and of its gradient, and warns if a gradient explodes.

    It computes the gradients of the loss on a small batch of your choice, without dropout. The
    batch is the same every time, so that epochs can be compared. It works in `lstm_zoo.fit` and in
    `keras.Model.fit`.

    It measures before the first step, after each epoch, and as soon as the loss of a training step
    is not finite. A `RuntimeWarning` then names the weights that hold NaN or infinity; if there
    are none, the weights whose gradient does; or else those whose gradient norm exceeds `limit`.
    It names each weight only once for each of these reasons.

    Args:
        x, y: a batch of about 32 samples, as for `fit`.
        loss: as for `gradient_flow`; None uses the loss that the model was compiled with.
        limit: a larger gradient norm counts as exploding; infinity never warns.
        log_dir: folder for TensorBoard scalars "gradient_norm/..." and "weight_norm/..." of each
            weight, one step per epoch; None writes nothing.

    Attributes:
        gradient_norms, weight_norms: a dict from a weight's path, such as "lstm/lstm_cell/kernel",
            to a list with one norm per epoch.

    Raises:
        ValueError: if `limit` is not above 0, or if Keras's backend is not TensorFlow; when
            training starts, if `x` and `y` do not fit the model or each other.

    Example:
        >>> x, y = np.ones((8, 20, 3)), np.ones((8, 1))
        >>> model = keras.Sequential([keras.layers.LSTM(4), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> monitor = GradientMonitor(x, y)
        >>> _ = model.fit(x, y, epochs=3, verbose=0, callbacks=[monitor])
        >>> [len(norms) for norms in monitor.gradient_norms.values()]
        [3, 3, 3, 3, 3]
    """

    @needs_tensorflow
    def __init__(
        self,
        x: Inputs,
        y: npt.ArrayLike,
        loss: str | keras.losses.Loss | Callable | None = None,
        limit: float = 1e3,
        log_dir: str | os.PathLike | None = None,
    ):
        super().__init__()
        self.x, self.y, self.loss = x, y, loss
        self.limit = limit if limit == float("inf") else checks.positive("limit", limit)
        self.log_dir = checks.path("log_dir", log_dir) if log_dir else None
        self.gradient_norms: dict[str, list[float]] = {}
        self.weight_norms: dict[str, list[float]] = {}

    def __repr__(self) -> str:
        norms = self.gradient_norms.values()
        epochs = max(map(len, norms), default=0)
        return f"GradientMonitor({epochs} epochs, {len(norms)} weights, limit {self.limit:g})"

    def on_train_begin(self, logs=None):
        x, y = checked_x_and_y(self.model, self.x, self.y, self.loss)
        self._probe = tf.function(lambda: _norms(self.model, x, y, self.loss))
        self._writer = self.log_dir and tf.summary.create_file_writer(str(self.log_dir))
        self._told = set()
        self.gradient_norms, self.weight_norms = {}, {}
        self._measure("before the first step")

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self._measure(f"at batch {batch} of epoch {self._epoch}, whose loss is not finite")

    def on_epoch_end(self, epoch, logs=None):
        gradients, weights = self._measure(f"after epoch {epoch}")
        for record, norms in ((self.gradient_norms, gradients), (self.weight_norms, weights)):
            for path, norm in norms.items():
                record.setdefault(path, []).append(norm)
        if self._writer:
            with self._writer.as_default(step=epoch):
                for what, norms in (("gradient_norm", gradients), ("weight_norm", weights)):
                    for path, norm in norms.items():
                        _write_scalar(f"{what}/{path}", norm)
            self._writer.flush()

    def on_train_end(self, logs=None):
        if self._writer:
            self._writer.close()

    def _measure(self, when):
        """The norms of gradients and weights by path; warns about exploding or broken ones."""
        paths = [weight.path for weight in self.model.trainable_variables]
        gradients, weights = (dict(zip(paths, norms.numpy().tolist())) for norms in self._probe())
        trouble, named = _trouble(gradients, weights, self.limit)
        new = [path for path in named if (trouble, path) not in self._told]
        self._told.update((trouble, path) for path in new)
        if new:
            warnings.warn(f"{when}, {trouble}: {', '.join(new)}", RuntimeWarning, stacklevel=2)
        return gradients, weights


def _write_scalar(tag, value):
    """Writes the same as `tf.summary.scalar`, which would need TensorBoard to be installed."""
    summary = tf.compat.v1.SummaryMetadata
    metadata = summary(
        plugin_data=summary.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
    )
    tf.summary.write(tag, tf.constant(value), metadata=metadata)


def _trouble(gradients, weights, limit):
    """The most serious problem, and the paths of the weights with it."""
    for what, norms in (("weights", weights), ("gradients", gradients)):
        broken = [path for path, norm in norms.items() if not np.isfinite(norm)]
        if broken:
            return f"NaN or infinity in the {what}", broken
    return f"a gradient norm above {limit:g}", [p for p, norm in gradients.items() if norm > limit]


def _norms(model, x, y, loss):
    weights = [weight.value for weight in model.trainable_variables]
    with tf.GradientTape() as tape:
        value = loss_of(model, x, y, loss)
    gradients = tape.gradient(value, weights, unconnected_gradients="zero")
    return [
        tf.stack([tf.norm(tf.cast(tensor, "float32")) for tensor in tensors])
        for tensors in (gradients, weights)
    ]
