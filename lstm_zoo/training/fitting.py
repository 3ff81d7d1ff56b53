"""`fit`: train a model."""

import datetime
import pathlib
import warnings
from collections.abc import Sequence

import keras

from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.training import distribute, replicas, sources
from lstm_zoo.training.hints import hints
from lstm_zoo.training.loop import Loop
from lstm_zoo.training.progress import Progress
from lstm_zoo.training.sets import check_sets
from lstm_zoo.training.settings import Settings
from lstm_zoo.training.step import build, check_own_ways


@needs_tensorflow
def fit(
    model: keras.Model,
    x,
    y=None,
    *,
    sample_weight=None,
    class_weight: dict[int | str, float] | str | None = None,
    validation_data=None,
    validation_split: float = 0.0,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    epochs: int = 10,
    initial_epoch: int = 0,
    batch_size: int = 32,
    steps_per_epoch: int | None = None,
    shuffle: bool = True,
    clipnorm: float | None = 1.0,
    on_nan: str = "stop",
    jit_compile: bool | str = "auto",
    callbacks: keras.callbacks.Callback | Sequence[keras.callbacks.Callback] | None = None,
    seed: int | None = None,
    checkpoint_dir: str | pathlib.Path | None = None,
    checkpoint_every: int | datetime.timedelta | None = None,
    strategy=None,
    verbose: int = 1,
) -> keras.callbacks.History:
    """Train a compiled model, with gradients clipped by their global norm.

    `fit` does what `model.fit(x, y)` does. It also checks the data first, clips gradients (Pascanu
    et al. 2013), which recurrent nets need, and records the gradient norm. It keeps the weights of
    the epoch with the lowest validation loss, stops before a step whose numbers are not finite, and
    resumes an interrupted run.

    Args:
        model: a compiled `keras.Model`. If its class has a `train_step` of its own, that trains
            it; clipping and the gradient norm are then up to the model.
        x: finite numbers, `(samples, timesteps, features)` or of the shape of the model's input;
            for several inputs a list or a dict of such arrays. For a model that was built with
            `vocabulary=` a list of texts or of lists of words, which are padded and masked. Or
            something that gives batches `(x, y)` or `(x, y, sample_weight)`: a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a generator, a loader; then `y` and `sample_weight` must not be
            given, and `batch_size` has no effect on training.
        y: `(samples,)` integer labels for a classifier, or strings if it was built with class
            names; else `(samples, outputs)`, finite; for a model with an output at every step
            `(samples, timesteps)` or `(samples, timesteps, outputs)`, for a tagger with class names
            a list of strings for each sequence; a list or a dict of them for several outputs. NaN
            is a missing target if the loss is a `lz.builders.ObservedLoss`; otherwise it is
            refused.
        sample_weight: `(samples,)`, or `(samples, timesteps)` for an output at every step: how much
            each counts in the loss. For a `lz.builders.ObservedLoss` it may have the shape of `y`.
        class_weight: a dict from class, its number or its name, to the weight of its samples, or of
            its steps for labels at every step; other classes have weight 1. "balanced" lets all
            classes weigh as much, by n / (classes * count) as scikit-learn does; masked steps do
            not count. Not for numbers, a CRF, or several labels at once.
        validation_data: `(x, y)` or `(x, y, sample_weight)` to measure each epoch on, or batches in
            any form that `x` may have.
        validation_split: the fraction of `x` and `y`, from their end, to measure on instead.
        validation_steps: batches of the validation data to measure on; None takes all.
        validation_batch_size: samples per batch of the validation data; None takes `batch_size`.
        validation_freq: epochs from one validation to the next.
        epochs: passes through the data.
        initial_epoch: how many of them were done before.
        batch_size: samples per step; if the model's input has a fixed batch size, that size.
        steps_per_epoch: batches in an epoch, which continues where the one before ended; None makes
            an epoch of one pass. Required for data without end.
        shuffle: whether each epoch has the samples in another order; of a `PyDataset`, the batches.
        clipnorm: largest global norm of a step's gradient; None does not clip.
        on_nan: what to do with a step whose loss or gradient is NaN or infinite: "stop" ends the
            training before it; "skip" drops it and counts it in the history's `skipped`.
        jit_compile: whether XLA compiles the step; "auto" decides as `keras.Model.fit` does: on a
            GPU, if every layer of the model can be compiled. With several replicas XLA is not used.
        callbacks: a `keras.callbacks.Callback`, a list of them, or None; setting
            `model.stop_training` is honoured.
        seed: determines the order of the samples. None takes one from Python's `random`, which
            `keras.utils.set_random_seed` seeds. For a model with a stateful layer, samples keep
            their order, and each epoch starts from states of zero.
        checkpoint_dir: folder for checkpoints, written after each epoch: variables, history, random
            state, and the attributes of callbacks that are numbers, text or arrays. If the folder
            holds a checkpoint, training resumes from it, to bit for bit the same end; a run that a
            callback has ended stays ended. Data in batches must come in the same order again.
        checkpoint_every: steps (an int) or time (a `datetime.timedelta`) from one checkpoint to the
            next within an epoch.
        strategy: the `tf.distribute.Strategy` under whose scope the model was built; None takes
            that one. Several replicas give the numbers of one, except for the masks of dropout.
            Each of several processes gets the same data and takes its share
            (`training.distribute`).
        verbose: 1 shows a progress bar, 2 one line per epoch, 0 nothing.

    Returns:
        `keras.callbacks.History`; its `history` has a list with one value per epoch for `loss`,
        each metric, their `val_` forms, `grad_norm` (mean global norm before clipping) and
        `seconds`.

    Warns:
        UserWarning: in a line each, if arrays are far from the scale that the model is made for, if
            an input almost determines the target, or if validation samples occur in training. For
            all other checks of data and model see `lz.checkup`.

    Raises:
        ValueError: before any training, if the model is not compiled or the data does not fit it:
            wrong rank, lengths, timesteps or features, NaN or infinity, labels that are not
            integers or outside the classes, one class only, no samples; if `checkpoint_dir` holds a
            training with another model, data, seed or setting; or if Keras's backend is not
            TensorFlow.
        FloatingPointError: if a loss or a gradient is NaN or infinite. The message says in which
            layer and step, and what to try. The model has the last good weights, `model.history`
            the epochs so far.

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
    settings = Settings(
        batch_size=batch_size,
        epochs=epochs,
        initial_epoch=initial_epoch,
        steps_per_epoch=steps_per_epoch,
        validation_freq=validation_freq,
        validation_steps=validation_steps,
        validation_batch_size=validation_batch_size,
        shuffle=shuffle,
        clipnorm=clipnorm,
        on_nan=on_nan,
        jit_compile=jit_compile,
        class_weight=class_weight,
        callbacks=callbacks,
        seed=seed,
        checkpoint_dir=checkpoint_dir,
        checkpoint_every=checkpoint_every,
        verbose=verbose,
    )
    sets = check_sets(
        *(model, x, y, sample_weight),
        validation_data=validation_data,
        validation_split=validation_split,
        batch_size=settings.batch_size,
        class_weight=settings.class_weight,
    )
    strategy = _strategy(model, strategy, settings)
    sets = _seen_by(model, sets)
    source = sources.for_training(model, sets, settings)
    build(model, source, strategy)
    for line in hints(model, sets):
        warnings.warn(line, stacklevel=4)  # the line that calls `fit`
    progress = Progress(model, sets, settings, writes=distribute.is_chief(strategy))
    validation = sources.for_validation(model, sets, settings)
    return Loop(model, source, validation, progress, strategy, settings).run()


def _seen_by(model, sets):
    """The sets, after a model that scales its targets has looked at them."""
    adapt = getattr(model, "adapt_targets", None)
    return sets if adapt is None else sets._replace(x=adapt(sets.x, sets.y))


def _strategy(model, strategy, settings):
    """The strategy to train under, or a `ValueError` if `fit` can't train the model under it."""
    check_own_ways(model)
    strategy = distribute.strategy_of(model, strategy)
    replicas.check(model, strategy)
    by_time = isinstance(settings.checkpoint_every, datetime.timedelta)
    if by_time and strategy.cluster_resolver is not None:
        raise ValueError("checkpoint_every must be steps where several processes train")
    return strategy
