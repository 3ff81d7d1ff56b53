"""Trains a preset from its recipe, and scores it."""

import contextlib
import pathlib

import keras

from lstm_zoo import checks, training
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.presets.load import load_preset
from lstm_zoo.presets.tasks import Task, task_of
from lstm_zoo.recipes import Recipe, read_recipe


@needs_tensorflow
def train_preset(
    name: str | Recipe,
    *,
    seed: int = 0,
    cell: str | None = None,
    callbacks=None,
    checkpoint_dir: str | pathlib.Path | None = None,
    strategy=None,
    verbose: int = 1,
) -> keras.Model:
    """Train a preset from its recipe; its score should be within the range on its card.

    Args:
        name: one of `list_presets()`, or your own `Recipe`.
        seed: seed of the weights and of the order of the samples.
        cell: a cell that replaces the recipe's, such as "simple_rnn", for comparison.
        callbacks, checkpoint_dir, strategy, verbose: as in `lstm_zoo.fit`.

    Returns:
        The trained model, like the one from `load_preset`.

    Raises:
        ValueError: if the name or cell is unknown, or if `checkpoint_dir` holds another training.

    >>> import dataclasses
    >>> recipe = read_recipe("italy_power")
    >>> short = dataclasses.replace(recipe, training=recipe.training | {"epochs": 1})
    >>> train_preset(short, verbose=0).output_shape
    (None, 2)
    """
    recipe = name if isinstance(name, Recipe) else read_recipe(name)
    model, _ = run(task_of(recipe), seed, cell, callbacks, verbose, checkpoint_dir, strategy)
    return model


def evaluate_preset(name: str, model: keras.Model | None = None) -> dict[str, float]:
    """Score a preset's model on its test data; returns a dict that starts with the card's score.

    Args:
        name: one of `list_presets()`.
        model: a model to score instead, such as one from `train_preset`; None scores the preset.

    Raises:
        ValueError: if the preset does not exist, or if `model` is not a `keras.Model`.

    >>> evaluate_preset("italy_power")["accuracy"] > 0.9
    True
    """
    task = task_of(read_recipe(name))
    return task.scores(load_preset(name) if model is None else checks.model("model", model))


def run(
    task: Task,
    seed: int,
    cell=None,
    callbacks=None,
    verbose: int = 0,
    checkpoint_dir=None,
    strategy=None,
):
    """Train the model of a recipe; returns it and its `keras.callbacks.History`."""
    keras.utils.set_random_seed(checks.count("seed", seed, least=0))
    x, y = task.training_part()
    settings = dict(task.recipe.training)
    epochs, batch_size = settings.pop("epochs"), settings.pop("batch_size")
    steps = epochs * -(-len(y) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(settings.pop("learning_rate"), steps)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = task.build(cell)
        task.compile(model, rate)
    history = training.fit(
        model,
        x,
        y,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        callbacks=callbacks,
        checkpoint_dir=checkpoint_dir,
        strategy=strategy,
        verbose=verbose,
        **settings,
    )
    if strategy:  # return a model that works without the other processes
        trained, model = model, task.build(cell)
        task.compile(model, rate)
        model.set_weights(trained.get_weights())
    return model, history
