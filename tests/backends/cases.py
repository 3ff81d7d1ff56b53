"""What is computed under every backend of Keras, and compared with TensorFlow's numbers."""

import keras
import numpy as np

import lstm_zoo as lz
from lstm_zoo import layers
from lstm_zoo.layers.variants import names

BATCH, STEPS, FEATURES, UNITS, TOKENS = 4, 5, 3, 3, 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
MASK = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
Y = RNG.normal(size=(BATCH, 2)).astype("float32")
SOURCE, TARGET = RNG.integers(1, TOKENS, size=(2, BATCH, STEPS)).astype("int32")
DENSE, SHAPE = {"lstm_units": 3, "dense_units": 4}, (None, FEATURES)
BUILDERS = {  # arguments, options, x, y
    "classifier": ((SHAPE, 4), {**DENSE, "mask_value": 0.0}, X, np.arange(BATCH)),
    "classifier of attention": ((SHAPE, 4), {**DENSE, "pooling": "attention"}, X, np.arange(BATCH)),
    "regressor": ((SHAPE, 2), {**DENSE, "bidirectional": True}, X, Y),
    "forecaster": ((SHAPE, 2), {**DENSE, "quantiles": (0.1, 0.5)}, X, Y),
    "tagger": ((SHAPE, 3), {"lstm_units": 3}, X, TARGET % 3),
    "tagger with a crf": ((SHAPE, 3), {"lstm_units": 3, "crf": True}, X, TARGET % 3),
    "language_model": ((TOKENS,), {"lstm_units": 3}, SOURCE, TARGET),
    "autoencoder": ((SHAPE,), {"lstm_units": 3}, X, X),
    "seq2seq": (
        (TOKENS, TOKENS),
        {"lstm_units": 3},
        {"source": SOURCE, "target": TARGET},
        TARGET,
    ),
    "lstm_fcn": (
        ((STEPS, FEATURES), 4),
        {"lstm_units": 3, "filters": (4, 4), "kernel_sizes": (3, 3), "dropout": 0.0},
        X,
        np.arange(BATCH),
    ),
}


def weighted(model):
    """The model with weights that NumPy drew, the same under every backend."""
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(scale=0.4, size=weight.shape))
    return model


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor).astype("float32")


def of_cell(name):
    """All outputs and the last states of the layer of a cell, masked, going backwards."""
    layer = layers.layer_for(
        name, UNITS, return_sequences=True, return_state=True, go_backwards=True
    )
    layer.build((None, STEPS, FEATURES))
    outputs, *states = weighted(layer)(X, mask=keras.ops.convert_to_tensor(MASK))
    return np.concatenate([numbers(outputs).ravel(), *(numbers(s).ravel() for s in states)])


def trained(model, x, y):
    """The losses of three epochs of plain descent in Keras's own fit, then the predictions."""
    losses = model.fit(x, y, epochs=3, batch_size=2, shuffle=False, verbose=0).history["loss"]
    said = model.predict(x, verbose=0)
    return np.concatenate([losses, *(p.ravel() for p in keras.tree.flatten(said))])


def of_training_a_cell(name):
    model = keras.Sequential(
        [keras.Input(SHAPE), layers.layer_for(name, UNITS, **NOTHING_DRAWN.get(name, {}))]
    )
    model.add(keras.layers.Dense(2))
    weighted(model).compile(keras.optimizers.SGD(0.1), "mse")
    return trained(model, X, Y)


# What a cell draws differs from backend to backend.
NOTHING_DRAWN = {"zoneout": {"zoneout": 0.0}, "candidate_dropout": {"candidate_dropout": 0.0}}


def of_builder(name):
    arguments, options, x, y = BUILDERS[name]
    build = getattr(lz, f"build_{name.split()[0]}")
    model = build(*arguments, optimizer=keras.optimizers.SGD(0.1), **options)
    return trained(weighted(model), x, y)


def of_preset(name):
    """What a preset says to positive noise, or to tokens, of the lengths that it takes."""
    model = lz.load_preset(name)
    rng = np.random.default_rng(2)

    def like(given):
        _, steps, *features = given.shape
        if "int" in given.dtype:
            return rng.integers(1, 10, size=(2, steps or 12)).astype("int32")
        return rng.lognormal(size=(2, steps or 12, *features)).astype("float32")

    said = model.predict(keras.tree.map_structure(like, model.input), verbose=0)
    return np.concatenate([p.ravel() for p in keras.tree.flatten(said)])


CASES = {
    **{f"cell {name}": (of_cell, name) for name in names()},
    **{f"training {name}": (of_training_a_cell, name) for name in names()},
    **{f"builder {name}": (of_builder, name) for name in BUILDERS},
    **{f"preset {name}": (of_preset, name) for name in lz.list_presets()},
}


def computed(case):
    keras.utils.set_random_seed(0)
    function, name = CASES[case]
    result = function(name)
    assert np.isfinite(result).all()
    return result
