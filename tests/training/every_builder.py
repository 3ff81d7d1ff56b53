"""A small training of each builder's default model, for tests of several replicas."""

import keras
import numpy as np
import tensorflow as tf

import lstm_zoo as lz

RNG = np.random.default_rng(0)
SAMPLES, TIMESTEPS, FEATURES, TOKENS = 13, 5, 2, 7  # batches of 6, 6 and 1
LENGTHS = RNG.integers(1, TIMESTEPS + 1, SAMPLES)
PAST_END = np.arange(TIMESTEPS) >= LENGTHS[:, None]

X = RNG.normal(5, 3, (SAMPLES, TIMESTEPS, FEATURES)).astype("float32")
MASKED = np.where(PAST_END[..., None], 0, X)
WORDS = np.where(PAST_END, 0, RNG.integers(1, TOKENS, (SAMPLES, TIMESTEPS)))
NEXT = np.roll(WORDS, -1, axis=1)
TAGS = RNG.integers(0, 3, (SAMPLES, TIMESTEPS))
CLASSES = np.arange(SAMPLES) % 3
AHEAD = RNG.normal(size=(SAMPLES, 4))

SHAPE = (None, FEATURES)
CONVOLUTIONS = {"filters": (4, 4), "kernel_sizes": (3, 3), "dropout": 0.0}
CASES = {
    "classifier": (lz.build_classifier, (SHAPE, 3), {"mask_value": 0}, MASKED, CLASSES),
    "regressor": (lz.build_regressor, (SHAPE, 2), {"mask_value": 0}, MASKED, X[:, 0]),
    "forecaster": (lz.build_forecaster, (SHAPE, 4), {"mask_value": 0}, MASKED, AHEAD),
    "quantile forecaster": (
        *(lz.build_forecaster, (SHAPE, 4)),
        *({"quantiles": (0.1, 0.5, 0.9)}, X, AHEAD),
    ),
    "tagger": (lz.build_tagger, (SHAPE, 3), {"mask_value": 0}, MASKED, TAGS),
    "crf tagger": (lz.build_tagger, (SHAPE, 3), {"mask_value": 0, "crf": True}, MASKED, TAGS),
    "language model": (lz.build_language_model, (TOKENS,), {"mask_zero": True}, WORDS, NEXT),
    "autoencoder": (lz.build_autoencoder, (SHAPE,), {"mask_value": 0}, MASKED, MASKED),
    "seq2seq": (lz.build_seq2seq, (TOKENS, TOKENS), {}, {"source": WORDS, "target": WORDS}, NEXT),
    "lstm-fcn": (lz.build_lstm_fcn, ((TIMESTEPS, FEATURES), 3), CONVOLUTIONS, X, CLASSES),
    "masked lstm-fcn": (
        *(lz.build_lstm_fcn, (SHAPE, 3)),
        *({**CONVOLUTIONS, "dimension_shuffle": False, "mask_value": 0}, MASKED, CLASSES),
    ),
}


def train(name, strategy=None):
    """The weights and the history of two epochs, the last batch of which has one sample."""
    build, arguments, options, x, y = CASES[name]
    keras.utils.set_random_seed(0)
    with (strategy or tf.distribute.get_strategy()).scope():
        # Gradients are small: a step of plain descent is not blown up where one is near zero.
        model = build(*arguments, lstm_units=3, optimizer=keras.optimizers.SGD(0.05), **options)
    history = lz.fit(
        model,
        *(x, y),
        validation_data=(keras.tree.map_structure(lambda a: a[:5], x), y[:5]),
        epochs=2,
        batch_size=6,
        validation_batch_size=3,
        seed=0,
        clipnorm=0.5,
        strategy=strategy,
        verbose=0,
    ).history
    return model.get_weights(), {name: h for name, h in history.items() if name != "seconds"}
