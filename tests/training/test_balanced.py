"""class_weight="balanced": the weights that scikit-learn computes, of steps that count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.training.sample_weights import balanced

X = np.random.default_rng(0).normal(size=(8, 5, 2))


def by_scikit_learn(y):
    from sklearn.utils.class_weight import compute_class_weight

    classes = np.unique(y)
    return dict(zip(classes.tolist(), compute_class_weight("balanced", classes=classes, y=y)))


def test_balanced_weights_are_scikit_learn_s():
    y = np.array([0, 0, 0, 2, 2, 1, 0, 0])
    model = lz.build_classifier((5, 2), 3, lstm_units=2)
    assert balanced(model, X, y) == pytest.approx(by_scikit_learn(y))
    one_hot = lz.build_classifier((5, 2), 3, lstm_units=2, loss="categorical_crossentropy")
    assert balanced(one_hot, X, np.eye(3)[y]) == pytest.approx(by_scikit_learn(y))


@pytest.mark.parametrize("tokens", [True, False])
def test_balanced_weights_of_steps_ignore_masked_steps(tokens):
    rng = np.random.default_rng(0)
    x, y = rng.integers(1, 9, (6, 7)), rng.integers(0, 3, (6, 7))
    x[2:, 3:], y[2:, 3:] = 0, 0
    counted = y[x != 0]
    if tokens:
        model = lz.build_tagger((None,), 3, vocabulary_size=9, mask_value=0, lstm_units=2)
    else:
        x = np.stack([x, x], axis=-1) / 7
        model = lz.build_tagger((None, 2), 3, mask_value=0.0, lstm_units=2)
    assert balanced(model, x, y) == pytest.approx(by_scikit_learn(counted))


def test_balanced_weights_ignore_the_class_that_the_loss_ignores():
    y = np.array([[0, 1, 1, 1, -1]] * 8)
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    model = lz.build_tagger((5, 2), 2, loss=loss, lstm_units=2)
    assert balanced(model, X, y) == pytest.approx(by_scikit_learn(y[y >= 0]))


@pytest.mark.slow
def test_fit_with_balanced_weights_is_fit_with_these_weights_by_number_or_name():
    labels = ["no", "no", "no", "yes"] * 2
    weights = by_scikit_learn(labels)
    losses = []
    for class_weight in ("balanced", weights, {0: weights["no"], 1: weights["yes"]}):
        keras.utils.set_random_seed(0)
        model = lz.build_classifier((5, 2), ["no", "yes"], lstm_units=2)
        history = lz.fit(model, X, labels, class_weight=class_weight, epochs=2, seed=0, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1] == losses[2]


def test_balanced_weights_are_refused_without_classes():
    numbers = lz.build_regressor((5, 2), lstm_units=2)
    with pytest.raises(ValueError, match="class_weight must be None if y holds no classes"):
        lz.fit(numbers, X, np.arange(8.0), class_weight="balanced", verbose=0)
    crf = lz.build_tagger((5, 2), 2, crf=True, lstm_units=2)
    with pytest.raises(ValueError, match="class_weight must be None for a CRF"):
        lz.fit(crf, X, np.array([[0, 1, 0, 1, 1]] * 8), class_weight="balanced", verbose=0)
    named = lz.build_classifier((5, 2), ["no", "yes"], lstm_units=2)
    unnamed = lz.build_classifier((5, 2), 2, lstm_units=2)
    batches = tf.data.Dataset.from_tensors((X, np.arange(8) % 2))
    for weights in ("balanced", {"yes": 2.0}):
        with pytest.raises(ValueError, match="class_weight must be None or a dict from class numb"):
            lz.fit(named, batches, class_weight=weights, verbose=0)
    with pytest.raises(ValueError, match="class_weight must name classes .* no, yes, got 'yess'"):
        lz.fit(named, X, np.arange(8) % 2, class_weight={"yess": 2.0}, verbose=0)
    with pytest.raises(ValueError, match="class_weight must name classes .* by number, as it has"):
        lz.fit(unnamed, X, np.arange(8) % 2, class_weight={"yes": 2.0}, verbose=0)
    with pytest.raises(ValueError, match="class_weight must be 'balanced' or a dict from class"):
        lz.fit(named, X, np.arange(8) % 2, class_weight="balance", verbose=0)
