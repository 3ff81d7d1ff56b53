"""`fit`: the loop over epochs and batches; `save`: a model to a file, whole or not at all."""

import pathlib
import random
import time
from collections.abc import Sequence

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.backend import needs_tensorflow, tf
from lstm_zoo.files import replacing
from lstm_zoo.training.checkpoint import Progress
from lstm_zoo.training.data import check_data
from lstm_zoo.training.step import build, has_own_step, make_step


@needs_tensorflow
def fit(
    model: keras.Model,
    x,
    y=None,
    *,
    validation_data: tuple | None = None,
    epochs: int = 10,
    batch_size: int = 32,
    clipnorm: float | None = 1.0,
    jit_compile: bool | str = "auto",
    callbacks: keras.callbacks.Callback | Sequence[keras.callbacks.Callback] | None = None,
    seed: int | None = None,
    checkpoint_dir: str | pathlib.Path | None = None,
    strategy=None,
    verbose: int = 1,
) -> keras.callbacks.History:
    """Train a compiled model, with gradients clipped by their global norm.

    It does what `model.fit(x, y)` does, and besides: checks the data first; clips (Pascanu et al.
    2013), which recurrent nets need; records the gradient norm; keeps the weights of the epoch with
    the lowest validation loss; and goes on where an interrupted run left off.

    Args:
        model: a compiled `keras.Model` with one input and one output, of any sort. If its class
            has a `train_step` of its own, that trains it; clipping and the gradient norm are then
            its business.
        x: `(samples, timesteps, features)`, finite numbers.
        y: `(samples,)` integer labels for a classifier, else `(samples, outputs)`, finite; for a
            model with an output at every step `(samples, timesteps)` or
            `(samples, timesteps, outputs)`.
        validation_data: `(x, y)` to measure each epoch on, or None.
        epochs: times to go through the data.
        batch_size: samples a step; of a model whose input has a fixed batch size, that.
        clipnorm: largest global norm of a step's gradient; None does not clip.
        jit_compile: whether XLA compiles the step; "auto" does as `keras.Model.fit` does: on a GPU
            and where every layer of the model can be compiled. With several replicas it never does.
        callbacks: a `keras.callbacks.Callback`, a list of them, or None; setting
            `model.stop_training` is honoured.
        seed: of the order of the samples. None takes one from Python's `random`, which
            `keras.utils.set_random_seed` seeds. Samples of a model with a stateful layer keep
            their order, and each epoch starts from states of zero.
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
            integers or outside the classes, one class only, no samples; or if the backend of Keras
            is not TensorFlow.

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
    epochs, batch_size = checks.count("epochs", epochs), checks.count("batch_size", batch_size)
    _check_batch_size(model, batch_size)
    if clipnorm is not None:
        checks.positive("clipnorm", clipnorm)
    if jit_compile not in ("auto", True, False):
        raise ValueError(f'jit_compile must be "auto", True or False, got {jit_compile!r}')
    seed = random.randrange(2**31) if seed is None else checks.count("seed", seed, least=0)
    told = _checked_callbacks(callbacks)

    strategy = strategy or tf.distribute.get_strategy()
    # "auto" was settled by Keras when the model was compiled.
    use_xla = model.jit_compile if jit_compile == "auto" else jit_compile
    build(model, x, y, strategy)
    progress = Progress(model, checkpoint_dir)
    step = make_step(model, x, y, clipnorm, use_xla, strategy)
    sizes = [len(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
    told = keras.callbacks.CallbackList(
        told,
        add_history=True,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=len(sizes),
    )
    history = next(c for c in told.callbacks if isinstance(c, keras.callbacks.History))

    stateful = _stateful_layers(model)
    model.stop_training = False
    told.on_train_begin()
    for epoch in range(progress.epochs_done, epochs):
        start = time.perf_counter()
        told.on_epoch_begin(epoch)
        order = np.arange(len(x))
        if not stateful:
            order = np.random.default_rng([seed, epoch]).permutation(len(x))
        _reset(stateful)
        batches = _batches(x, y, order, batch_size, strategy)
        logs = _run_epoch(model, step, batches, sizes, told)
        if validation_data is not None:
            _reset(stateful)
            logs |= _validate(model, *validation_data, batch_size)
        logs["seconds"] = time.perf_counter() - start
        told.on_epoch_end(epoch, logs)
        progress.record(logs)
        if model.stop_training:
            break
    progress.restore_best()
    told.on_train_end()
    history.history = progress.history
    history.epoch = list(range(progress.epochs_done))
    return history


def save(model: keras.Model, path: str | pathlib.Path) -> pathlib.Path:
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


def _checked_callbacks(callbacks):
    if isinstance(callbacks, keras.callbacks.Callback):
        return [callbacks]
    several = [] if callbacks is None else callbacks
    for one in several if isinstance(several, (list, tuple)) else [several]:
        if not isinstance(one, keras.callbacks.Callback):
            raise ValueError(
                f"callbacks must be keras.callbacks.Callback objects, got {type(one).__name__}"
            )
    return list(several)


def _check_batch_size(model, batch_size):
    shape = getattr(model, "input_shape", None) if model.built else None
    if shape and shape[0] not in (None, batch_size):
        raise ValueError(f"batch_size must be {shape[0]}, as the model's input, got {batch_size}")


def _stateful_layers(model):
    """The layers of a model, and of models in it, that carry states from batch to batch."""
    layers = [model]
    for layer in layers:
        layers += getattr(layer, "layers", [])
    return [layer for layer in layers if getattr(layer, "stateful", False)]


def _reset(layers):
    for layer in layers:
        layer.reset_state()


def _batches(x, y, order, batch_size, strategy):
    """The batches of an epoch, each `(x, y)`."""
    if strategy.num_replicas_in_sync > 1:
        chosen = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        x, y = tf.constant(x), tf.constant(y)
        batches = chosen.map(lambda rows: (tf.gather(x, rows), tf.gather(y, rows))).prefetch(2)
        yield from strategy.experimental_distribute_dataset(batches)
        return
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield tf.constant(x[rows]), tf.constant(y[rows])


def _run_epoch(model, step, batches, sizes, callbacks):
    """Train on each batch; the epoch's logs, losses weighted by the size of their batch."""
    model.reset_metrics()
    averaged = has_own_step(model)  # whose logs are what the model makes of all batches
    losses, norms = [], []
    for number, (x, y) in enumerate(batches):
        callbacks.on_train_batch_begin(number)
        logs = {name: float(value) for name, value in step(x, y).items()}
        if not averaged:
            losses.append(logs["loss"])
            norms.append(logs["grad_norm"])
            logs["loss"] = float(np.average(losses, weights=sizes[: len(losses)]))
        callbacks.on_train_batch_end(number, logs)
        if model.stop_training:
            break
    if norms:
        finite = [norm for norm in norms if np.isfinite(norm)]  # float16 skips those that overflow
        logs["grad_norm"] = float(np.mean(finite or norms))
    return logs


def _validate(model, x, y, batch_size):
    scores = model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)
    return {f"val_{name}": float(value) for name, value in scores.items()}
