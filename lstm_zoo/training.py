"""fit(): one `tf.function` training step, on CPU, GPU or several workers; safe to interrupt."""

import contextlib
import json
import os
import pathlib
import random
import time

import keras
import numpy as np
import tensorflow as tf


def fit(
    model,
    x,
    y,
    *,
    validation_data=None,
    epochs=10,
    batch_size=32,
    clipnorm=1.0,
    jit_compile="auto",
    callbacks=(),
    seed=None,
    checkpoint_dir=None,
    strategy=None,
    verbose=1,
):
    """Train a compiled model, with gradients clipped by their global norm.

    It does what `model.fit(x, y)` does, and besides: checks the data first; clips (Pascanu et al.
    2013), which recurrent nets need; records the gradient norm; keeps the weights of the epoch with
    the lowest validation loss; and goes on where an interrupted run left off.

    Args:
        model: a compiled `keras.Model` with one input and one output.
        x: `(samples, timesteps, features)`, finite numbers.
        y: `(samples,)` integer labels for a classifier, else `(samples, outputs)`, finite; for a
            model with an output at every step `(samples, timesteps)` or
            `(samples, timesteps, outputs)`.
        validation_data: `(x, y)` to measure each epoch on, or None.
        epochs: times to go through the data.
        batch_size: samples a step.
        clipnorm: largest global norm of a step's gradient; None does not clip.
        jit_compile: whether XLA compiles the step; "auto" does as `keras.Model.fit` does: on a GPU
            and where every layer of the model can be compiled.
        callbacks: `keras.callbacks.Callback` objects; setting `model.stop_training` is honoured.
        seed: of the order of the samples. None takes one from Python's `random`, which
            `keras.utils.set_random_seed` seeds.
        checkpoint_dir: folder for `checkpoint.npz`, written after each epoch. If it is there
            already, training goes on after the last epoch it holds, to the same end.
        strategy: a `tf.distribute.Strategy` under whose scope the model was built, or None.
        verbose: 1 shows a progress bar, 2 a line an epoch, 0 nothing.

    Returns:
        `keras.callbacks.History`; its `history` has a list with a value an epoch for `loss`, each
        metric, their `val_` forms, `grad_norm` (mean global norm before clipping) and `seconds`.

    Raises:
        ValueError: before any training, if the model is not compiled or the data does not fit it:
            wrong rank, lengths, timesteps or features, NaN or infinity, labels that are not
            integers or outside the classes, one class only, no samples.

    Example:
        >>> import lstm_zoo as lz
        >>> x, y = lz.tasks.adding(64, timesteps=10, seed=0)
        >>> model = lz.build_regressor((10, 2), lstm_units=(8,), dense_units=())
        >>> history = lz.fit(model, x, y, epochs=2, seed=0, verbose=0)
        >>> sorted(history.history)
        ['grad_norm', 'loss', 'mean_absolute_error', 'seconds']

    Source:
        Pascanu, Mikolov & Bengio 2013, https://proceedings.mlr.press/v28/pascanu13.html.
    """
    x, y = check_data(model, x, y)
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise ValueError(
                f"validation_data must be (x, y), got {type(validation_data).__name__}"
            )
        validation_data = check_data(model, *validation_data, prefix="validation ")
    for argument, value in {"epochs": epochs, "batch_size": batch_size}.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{argument} must be a positive integer, got {value!r}")
    if clipnorm is not None and not clipnorm > 0:
        raise ValueError(f"clipnorm must be above 0 or None, got {clipnorm!r}")

    strategy = strategy or tf.distribute.get_strategy()
    seed = random.randrange(2**31) if seed is None else seed
    # "auto" was settled by Keras when the model was compiled.
    use_xla = model.jit_compile if jit_compile == "auto" else jit_compile
    step = _make_step(model, clipnorm, use_xla, strategy)
    batch_sizes = [len(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
    with strategy.scope():  # every variable is made before the step is traced
        model.optimizer.build(model.trainable_variables)
        model.compute_metrics(x[:1], y[:1], model(x[:1]))
    progress = _Progress(model, checkpoint_dir)
    callbacks = keras.callbacks.CallbackList(
        list(callbacks),
        add_history=True,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=len(batch_sizes),
    )
    history = next(c for c in callbacks.callbacks if isinstance(c, keras.callbacks.History))

    model.stop_training = False
    callbacks.on_train_begin()
    for epoch in range(progress.epochs_done, epochs):
        start = time.perf_counter()
        callbacks.on_epoch_begin(epoch)
        batches = _batches(x, y, batch_size, np.random.default_rng([seed, epoch]))
        batches = strategy.experimental_distribute_dataset(batches)
        logs = _run_epoch(model, step, batches, batch_sizes, callbacks)
        if validation_data is not None:
            logs |= _validate(model, *validation_data, batch_size)
        logs["seconds"] = time.perf_counter() - start
        callbacks.on_epoch_end(epoch, logs)
        progress.record(logs)
        if model.stop_training:
            break
    progress.restore_best()
    callbacks.on_train_end()
    history.history = progress.history
    history.epoch = list(range(progress.epochs_done))
    return history


def check_data(model, x, y, prefix=""):
    """Arrays that `model` can be trained on, or a `ValueError` that says why they are none.

    Args:
        model: a compiled `keras.Model`.
        x, y: as `fit` takes them.
        prefix: what to call them in a message, such as "validation ".

    Returns:
        `x` and `y` as NumPy arrays.

    Raises:
        ValueError: as `fit` does.
    """
    if not getattr(model, "compiled", False):
        raise ValueError("model must be compiled: call model.compile(optimizer, loss) first")
    x, y = np.asarray(x), np.asarray(y)
    name_x, name_y = f"{prefix}x", f"{prefix}y"
    if x.ndim != 3:
        raise ValueError(f"{name_x} must be (samples, timesteps, features), got shape {x.shape}")
    if len(x) == 0:
        raise ValueError(f"{name_x} must hold at least one sample, got none")
    if len(x) != len(y):
        raise ValueError(f"{name_x} and {name_y} must be equally long, got {len(x)} and {len(y)}")
    for axis, what in ((1, "timesteps"), (2, "features")):
        wanted = model.input_shape[axis]
        if wanted is not None and x.shape[axis] != wanted:
            raise ValueError(
                f"{name_x} must have {wanted} {what}, as the model's input, got {x.shape[axis]}"
            )
    _check_finite(name_x, x)
    if "sparse_categorical_crossentropy" in _loss_name(model):
        *wanted, classes = model.output_shape[1:]
        fits = _fits(y.shape[1:], wanted) or _fits(y.shape[1:], [*wanted, 1])
    else:
        wanted = model.output_shape[1:]
        last_is_implied = wanted[-1] == 1 or "quantile" in _loss_name(model)
        fits = _fits(y.shape[1:], wanted) or (last_is_implied and _fits(y.shape[1:], wanted[:-1]))
        classes = None
    if not fits:
        raise ValueError(
            f"{name_y} must be {_shape_in_words(wanted)}, as the model's output, "
            f"got shape {y.shape}"
        )
    if classes is None:
        _check_finite(name_y, y)
    else:
        _check_labels(name_y, y, classes, fit=not prefix)
    return x, y


def save(model, path):
    """Save a model as one `.keras` file, whole or not at all.

    The file is written beside its place and then renamed, so that a full disk or a kill leaves what
    was there before.

    Args:
        model: a `keras.Model`.
        path: where to; ends in ".keras".

    Returns:
        `path` as a `pathlib.Path`.

    Raises:
        ValueError: if `path` does not end in ".keras".
        OSError: if it can't be written.

    Example:
        >>> import lstm_zoo as lz, tempfile
        >>> lz.save(lz.build_regressor((10, 2)), tempfile.mkdtemp() + "/model.keras").name
        'model.keras'
    """
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        raise ValueError(f'path must end in ".keras", got {str(path)!r}')
    with replacing(path) as temporary:
        model.save(temporary)
    return path


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path`, renamed to it if the block ends well and removed if not."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _make_step(model, clipnorm, jit_compile, strategy):
    optimizer, weights = model.optimizer, model.trainable_variables
    replicas = strategy.num_replicas_in_sync

    def step(x, y):
        with tf.GradientTape() as tape:
            prediction = model(x, training=True)
            loss = model.compute_loss(x, y, prediction, training=True)
            scaled_loss = optimizer.scale_loss(loss)  # against underflow in float16
        gradients = tape.gradient(
            scaled_loss, [w.value for w in weights], unconnected_gradients="zero"
        )
        # The optimizer adds up the replicas' gradients when it applies them; the norm is the sum's.
        total = gradients
        if replicas > 1:
            total = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        norm = tf.linalg.global_norm(total)
        norm /= tf.cast(optimizer.scale_loss(1.0), norm.dtype)
        if clipnorm is not None:
            shrink = clipnorm / tf.maximum(norm, clipnorm)
            gradients = [g * tf.cast(shrink, g.dtype) for g in gradients]
        optimizer.apply(gradients, weights)
        return {**model.compute_metrics(x, y, prediction), "loss": loss, "grad_norm": norm}

    def step_on_every_replica(x, y):
        logs = strategy.run(step, args=(x, y))
        parts = {"loss": "sum"}  # Keras's losses are already divided by the number of replicas
        return {k: strategy.reduce(parts.get(k, "mean"), v, axis=None) for k, v in logs.items()}

    if replicas == 1:
        return tf.function(step, jit_compile=jit_compile)
    return tf.function(step_on_every_replica)


def _batches(x, y, batch_size, rng):
    order = tf.data.Dataset.from_tensor_slices(rng.permutation(len(x))).batch(batch_size)
    x, y = tf.constant(x), tf.constant(y)
    return order.map(lambda chosen: (tf.gather(x, chosen), tf.gather(y, chosen))).prefetch(2)


def _run_epoch(model, step, batches, batch_sizes, callbacks):
    """Train on each batch; the epoch's logs, losses weighted by the size of their batch."""
    model.reset_metrics()
    losses, norms = [], []
    for number, (x, y) in enumerate(batches):
        callbacks.on_train_batch_begin(number)
        logs = {name: float(value) for name, value in step(x, y).items()}
        losses.append(logs["loss"])
        norms.append(logs["grad_norm"])
        logs["loss"] = float(np.average(losses, weights=batch_sizes[: len(losses)]))
        callbacks.on_train_batch_end(number, logs)
        if model.stop_training:
            break
    finite = [norm for norm in norms if np.isfinite(norm)]  # float16 skips the steps that overflow
    logs["grad_norm"] = float(np.mean(finite or norms))
    return logs


class _Progress:
    """How far training has come: the history, the best weights, and both on disk."""

    def __init__(self, model, checkpoint_dir):
        self.model = model
        self.history = {}
        self.best = None  # the model's variables at the lowest validation loss
        self.file = checkpoint_dir and pathlib.Path(checkpoint_dir) / "checkpoint.npz"
        if self.file and self.file.exists():
            self._load()

    @property
    def epochs_done(self):
        return len(self.history.get("loss", ()))

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


def _loss_name(model):
    return model.loss if isinstance(model.loss, str) else getattr(model.loss, "name", "")


def _validate(model, x, y, batch_size):
    scores = model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)
    return {f"val_{name}": float(value) for name, value in scores.items()}


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(w in (None, s) for s, w in zip(shape, wanted))


def _shape_in_words(wanted):
    sizes = ["samples", *("timesteps" if size is None else str(size) for size in wanted)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _check_labels(argument, y, num_classes, fit):
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{argument} must hold integer labels, got {y.dtype}")
    if y.min() < 0 or y.max() >= num_classes:
        raise ValueError(
            f"{argument} must hold labels from 0 to {num_classes - 1}, got {y.min()} to {y.max()}"
        )
    if fit and y.min() == y.max():
        raise ValueError(f"{argument} must hold at least two classes, got only class {y.min()}")


def _check_finite(argument, array):
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise ValueError(f"{argument} must hold numbers, got {array.dtype}")
    wrong = array.size - np.count_nonzero(np.isfinite(array))
    if wrong:
        raise ValueError(f"{argument} must be finite, got {wrong} NaN or infinite values")
