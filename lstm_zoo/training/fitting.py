"""`fit` trains a model."""

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
    the epoch with the lowest validation loss, stops if a loss or gradient is not finite, and
    resumes an interrupted run.

    Args:
        model: a compiled `keras.Model`. If its class overrides `train_step`, `fit` calls that
            method, which then has to clip gradients and report their norm itself.
        x: one of three forms. Arrays of finite numbers, `(samples, timesteps, features)` or the
            shape of the model's input; several inputs need a list or a dict of arrays. Texts or
            lists of words, if the model was built with `vocabulary=`; `fit` pads and masks them.
            Batches `(x, y)` or `(x, y, sample_weight)` from a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a generator or a data loader; then leave out `y` and
            `sample_weight`. `batch_size` does not change such batches.
        y: `(samples,)` integer labels for a classifier, or strings if it was built with class
            names; otherwise finite numbers `(samples, outputs)`. A model with an output at every
            step needs `(samples, timesteps)` or `(samples, timesteps, outputs)`; a tagger built
            with class names takes a list of strings for each sequence. Several outputs need a list
            or a dict of targets. NaN marks a missing target if the loss is a
            `lz.builders.ObservedLoss`; other losses refuse it.
        sample_weight: the weight of each sample in the loss, `(samples,)`; or of each step,
            `(samples, timesteps)`, if the model has an output at every step. With a
            `lz.builders.ObservedLoss` it may have the shape of `y`.
        class_weight: a dict from a class, as a number or a name, to the weight of its samples (or
            of its steps, if every step has a label); other classes have weight 1. "balanced" gives
            all classes the same total weight, n / (classes * count) as in scikit-learn; masked
            steps do not count. Only for classifiers with one label per sample or step, without CRF.
        validation_data: `(x, y)` or `(x, y, sample_weight)` to evaluate after each epoch, or
            batches in any form that `x` may have.
        validation_split: the fraction of `x` and `y`, from their end, to evaluate on instead.
        validation_steps: number of validation batches to use; None uses all.
        validation_batch_size: samples per validation batch; None uses `batch_size`.
        validation_freq: validate after every n-th epoch.
        epochs: passes through the data, including those before `initial_epoch`.
        initial_epoch: number of epochs already done.
        batch_size: samples per step. If the model's input has a fixed batch size, it must be that.
        steps_per_epoch: batches per epoch; the next epoch continues where this one ended. None
            makes each epoch one pass through the data. Required if the data has no end.
        shuffle: whether to reorder the samples in each epoch (the batches, for a `PyDataset`).
        clipnorm: largest global norm of a step's gradient; None does not clip.
        on_nan: what to do when the loss or gradient of a step is NaN or infinite. "stop" raises an
            error before the step; "skip" drops the step and counts it as `skipped` in the history.
        jit_compile: whether XLA compiles the step. "auto" decides as `keras.Model.fit` does: on a
            GPU, if every layer can be compiled. Several replicas never use XLA.
        callbacks: a `keras.callbacks.Callback`, a list of them, or None. A callback can stop the
            training by setting `model.stop_training`.
        seed: determines the order of the samples. None draws a seed from Python's `random`, which
            `keras.utils.set_random_seed` seeds. A model with a stateful layer gets the samples in
            their own order, and its states are reset to zero before each epoch.
        checkpoint_dir: folder for checkpoints, written after each epoch. They hold the variables,
            history and random state, and the attributes of callbacks that are numbers, text or
            arrays. If the folder holds a checkpoint, training resumes from it and ends with
            bit-for-bit the same weights; a run that a callback stopped does not continue. Batches
            must come in the same order as before.
        checkpoint_every: also write a checkpoint after this many steps (an int) or this much time
            (a `datetime.timedelta`) within an epoch.
        strategy: the `tf.distribute.Strategy` that the model was built under; None uses it too.
            Several replicas compute the same numbers as one, except for dropout masks. With several
            processes, pass each the same data; each trains on its share (`training.distribute`).
        verbose: 1 shows a progress bar, 2 one line per epoch, 0 nothing.

    Returns:
        `keras.callbacks.History`. Its `history` holds a list with one value per epoch for `loss`,
        each metric, their `val_` forms, `grad_norm` (mean global norm before clipping) and
        `seconds`.

    Warns:
        UserWarning: in one line each, if arrays are far out of scale for the model, if an input
            almost gives away the target, or if validation samples occur in the training data.
            `lz.checkup` runs further checks of data and model.

    Raises:
        ValueError: before training starts, if the model is not compiled, or the data does not fit
            it: wrong rank, lengths, timesteps or features, NaN or infinity, labels that are not
            integers or outside the classes, only one class, no samples; if `checkpoint_dir` holds a
            run with another model, data, seed or setting; or if Keras's backend is not TensorFlow.
        FloatingPointError: if a loss or a gradient is NaN or infinite. The message names the layer
            and the step, and suggests what to try. The model keeps the last good weights, and
            `model.history` holds the epochs so far.

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
    """The sets, after a model that scales its targets has adapted to them."""
    adapt = getattr(model, "adapt_targets", None)
    return sets if adapt is None else sets._replace(x=adapt(sets.x, sets.y))


def _strategy(model, strategy, settings):
    """The strategy to train under; raises a `ValueError` if `fit` can't train the model with it."""
    check_own_ways(model)
    strategy = distribute.strategy_of(model, strategy)
    replicas.check(model, strategy)
    by_time = isinstance(settings.checkpoint_every, datetime.timedelta)
    if by_time and strategy.cluster_resolver is not None:
        raise ValueError(
            "checkpoint_every must be a number of steps if several processes train, "
            f"got {settings.checkpoint_every!r}"
        )
    return strategy
