"""`lz.LSTM` is a drop-in for `keras.layers.LSTM`: replacing one by the other changes nothing."""

import inspect
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_zoo import LSTM, LSTMCell, PeepholeLSTM, lstm_in_numpy

BATCH, STEPS, FEATURES, UNITS = 3, 5, 2, 4
MASKS = ["none", "right_padded", "left_padded", "holes", "whole_rows", "all"]


def draw_mask(kind, rng, batch=BATCH, steps=STEPS):
    """Booleans `(batch, steps)`, False where a step is to be passed over; None for no mask."""
    if kind == "none":
        return None
    if kind == "all":
        return np.zeros((batch, steps), bool)
    if kind == "holes":
        return rng.random((batch, steps)) < 0.6
    lengths = rng.integers(1, steps + 1, size=(batch, 1))
    if kind == "left_padded":
        return np.arange(steps) >= steps - lengths
    mask = np.arange(steps) < lengths
    if kind == "whole_rows":
        mask[0] = False
    return mask


def draw_x(rng, *shape):
    return rng.normal(size=shape or (BATCH, STEPS, FEATURES)).astype("float32")


def same_weights(ours, theirs, rng, features=FEATURES):
    """Builds both layers, gives Keras's random weights, and carries them over to ours."""
    for layer in (ours, theirs):
        layer.build((None, None, features))
    theirs.set_weights([rng.normal(size=w.shape, scale=0.7) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())


def pair(rng, features=FEATURES, units=UNITS, ours=LSTM, **arguments):
    """Our layer and Keras's, with the same arguments and weights.

    Keras's runs without cuDNN, which stops at masks other than right-padded.
    """
    layers = ours(units, **arguments), keras.layers.LSTM(units, **{**arguments, "use_cudnn": False})
    same_weights(*layers, rng, features)
    return layers


def everything(layer, x, state=None, mask=None, training=False):
    """Outputs, states, and the gradients to input, first states and weights.

    The loss is a fixed random sum over all outputs, so that no gradient hides in another.
    """
    x = tf.convert_to_tensor(x)
    state = None if state is None else [tf.convert_to_tensor(s) for s in state]
    watched = [x, *(state or []), *[w.value for w in layer.trainable_weights]]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        outputs = keras.tree.flatten(layer(x, initial_state=state, mask=mask, training=training))
        pulls = np.random.default_rng(0)
        loss = sum(tf.reduce_sum(y * tf.cast(pulls.normal(size=y.shape), y.dtype)) for y in outputs)
    gradients = tape.gradient(loss, watched, unconnected_gradients="zero")
    return [*outputs, *gradients]


def assert_equal(got, expected, rtol=1e-5, atol=1e-5):
    assert len(got) == len(expected)
    for g, e in zip(got, expected):
        assert g.dtype == e.dtype
        np.testing.assert_allclose(
            tf.cast(g, "float64"), tf.cast(e, "float64"), rtol=rtol, atol=atol
        )


# The numbers


@pytest.mark.short(mask=("none", "right_padded", "holes"))
@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKS)
@settings(max_examples=5)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)),
    seed=st.integers(0, 2**32 - 1),
    has_state=st.booleans(),
    activations=st.sampled_from(
        [("tanh", "sigmoid"), ("tanh", "sigmoid"), ("relu", "hard_sigmoid"), (None, "sigmoid")]
    ),
    flags=st.fixed_dictionaries(
        {
            name: st.booleans()
            for name in (
                "return_sequences",
                "return_state",
                "go_backwards",
                "use_bias",
                "unroll",
                "zero_output_for_mask",
            )
        }
    ),
)
def test_outputs_states_and_gradients_equal_keras(mask, shape, seed, has_state, activations, flags):
    batch, steps, features, units = shape
    rng = np.random.default_rng(seed)
    ours, theirs = pair(
        rng,
        features,
        units,
        activation=activations[0],
        recurrent_activation=activations[1],
        **flags,
    )
    if flags["go_backwards"] and flags["zero_output_for_mask"]:
        theirs.unroll = False  # unrolled, Keras 3.15 zeroes outputs by a mask that is not reversed
    x = draw_x(rng, batch, steps, features)
    state = [draw_x(rng, batch, units), draw_x(rng, batch, units)] if has_state else None
    mask = draw_mask(mask, rng, batch, steps)
    assert_equal(everything(ours, x, state, mask), everything(theirs, x, state, mask))


def test_unrolled_backwards_zeroes_the_outputs_of_masked_steps():
    layer = LSTM(
        2, return_sequences=True, go_backwards=True, unroll=True, zero_output_for_mask=True
    )
    x = np.ones((1, 3, 2), "float32")
    outputs = np.asarray(layer(x, mask=np.array([[True, True, False]])))[0]
    assert (outputs != 0).all(axis=1).tolist() == [False, True, True]  # the last step comes first


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("mask", ["none", "holes"])
def test_equals_keras_inside_a_tf_function(mask, jit_compile):
    rng = np.random.default_rng(1)
    ours, theirs = pair(rng, return_sequences=True, return_state=True)
    x, state = draw_x(rng), [draw_x(rng, BATCH, UNITS), draw_x(rng, BATCH, UNITS)]
    mask = draw_mask(mask, rng)
    compiled = tf.function(lambda x: everything(ours, x, state, mask), jit_compile=jit_compile)
    assert_equal(compiled(x), everything(theirs, x, state, mask))


@pytest.mark.slow
def test_one_tf_function_serves_every_length_and_batch():
    rng = np.random.default_rng(2)
    ours, theirs = pair(rng, return_sequences=True)
    traces = []

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, FEATURES)),
            tf.TensorSpec((None, None), tf.bool),
        ]
    )
    def gradients(x, mask):
        traces.append(1)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = ours(x, mask=mask)
            loss = tf.reduce_sum(y**2)
        return [y, *tape.gradient(loss, [x, *[w.value for w in ours.trainable_weights]])]

    for batch, steps in [(1, 1), (3, 6), (2, 3)]:
        x, mask = draw_x(rng, batch, steps, FEATURES), draw_mask("holes", rng, batch, steps)
        variable = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            y = theirs(variable, mask=mask)
            loss = tf.reduce_sum(y**2)
        weights = [w.value for w in theirs.trainable_weights]
        assert_equal(gradients(x, mask), [y, *tape.gradient(loss, [variable, *weights])])
    assert len(traces) == 1


@pytest.mark.short(mask=("holes",))
@pytest.mark.slow
@pytest.mark.parametrize("mask", ["none", "holes"])
def test_gradient_of_a_gradient_equals_keras(mask):
    rng = np.random.default_rng(3)
    x, mask = tf.constant(draw_x(rng)), draw_mask(mask, rng)

    def of_gradient_penalty(layer):
        weights = [w.value for w in layer.trainable_weights]
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x, mask=mask) ** 2)
            penalty = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        return outer.gradient(penalty, weights)

    assert_equal(*map(of_gradient_penalty, pair(rng)))


@pytest.mark.short(mask=("holes",))
@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    ("policy", "tolerance"), [("mixed_float16", 4e-3), ("mixed_bfloat16", 3e-2), ("float64", 1e-12)]
)
def test_equals_keras_under_other_dtype_policies(policy, tolerance, mask):
    rng = np.random.default_rng(4)
    ours, theirs = pair(rng, return_sequences=True, return_state=True, dtype=policy)
    x, mask = draw_x(rng), draw_mask(mask, rng)
    got, expected = everything(ours, x, mask=mask), everything(theirs, x, mask=mask)
    assert got[0].dtype == keras.DTypePolicy(policy).compute_dtype
    assert got[-1].dtype == keras.DTypePolicy(policy).variable_dtype
    # Gradients of weights sum over batch and time, and their rounding grows with their size.
    for g, e in zip(got, expected):
        size = max(1.0, float(tf.reduce_max(tf.abs(tf.cast(e, "float64")))))
        assert_equal([g], [e], rtol=tolerance, atol=tolerance * size)


def test_equals_numpy_to_12_digits_in_float64():
    rng = np.random.default_rng(5)
    layer = LSTM(UNITS, return_sequences=True, return_state=True, dtype="float64")
    x, h, c = rng.normal(size=(7, 9, 3)), rng.normal(size=(7, UNITS)), rng.normal(size=(7, UNITS))
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    hidden, memory = lstm_in_numpy(x, *layer.get_weights(), h, c)
    assert_equal(
        layer(x, initial_state=[h, c]),
        [tf.constant(value) for value in (hidden, hidden[:, -1], memory[:, -1])],
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.short(mask=("holes",))
@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKS)
def test_peephole_layer_without_peepholes_equals_keras(mask):
    rng = np.random.default_rng(6)
    layers = (
        PeepholeLSTM(UNITS, return_sequences=True),
        keras.layers.LSTM(UNITS, return_sequences=True, use_cudnn=False),
    )
    for layer in layers:
        layer.build((None, None, FEATURES))
    layers[0].set_weights([*layers[1].get_weights(), np.zeros((3, UNITS))])
    x, mask = draw_x(rng), draw_mask(mask, rng)
    got, expected = (everything(layer, x, mask=mask) for layer in layers)
    assert_equal(got[:-1], expected)  # the last is the gradient of the peepholes


@pytest.mark.slow
def test_peephole_layer_equals_its_cell_run_by_keras():
    rng = np.random.default_rng(7)
    ours = PeepholeLSTM(UNITS, return_state=True, peephole_initializer="ones")
    by_keras = keras.layers.RNN(ours.cell, return_state=True)
    x, mask = draw_x(rng), draw_mask("holes", rng)
    ours.build(x.shape)
    assert_equal(everything(ours, x, mask=mask), everything(by_keras, x, mask=mask))


# Dropout


DROPOUTS = [
    {"dropout": 0.4},
    {"recurrent_dropout": 0.4},
    {"dropout": 0.3, "recurrent_dropout": 0.4},
    {"dropout": 0.4, "implementation": 1},
]


@pytest.mark.short(mask=("holes",))
@pytest.mark.slow
@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize("dropout", DROPOUTS, ids=str)
def test_same_seed_drops_what_keras_drops(dropout, mask):
    rng = np.random.default_rng(8)
    ours, theirs = pair(rng, return_sequences=True, seed=9, **dropout)
    x, mask = draw_x(rng), draw_mask(mask, rng)
    for _ in range(2):  # the second call drops others
        got = everything(ours, x, mask=mask, training=True)
        assert_equal(got, everything(theirs, x, mask=mask, training=True))


@pytest.mark.parametrize("dropout", DROPOUTS, ids=str)
def test_dropout_is_off_in_inference(dropout):
    rng = np.random.default_rng(10)
    ours, plain = pair(rng, return_sequences=True)[0], LSTM(UNITS, return_sequences=True, **dropout)
    plain.build((None, None, FEATURES))
    plain.set_weights(ours.get_weights())
    x = draw_x(rng)
    assert_equal([plain(x), plain(x, training=False)], [ours(x), ours(x)])


def open_layer(kernel, recurrent_kernel, **dropout):
    """A layer whose gates are wide open and whose memory is shut: h_t = W x_t + U h_{t-1}."""
    units = len(recurrent_kernel)
    layer = LSTM(units, activation="linear", return_sequences=True, **dropout)
    layer.build((None, None, units))
    shut, opened, zeros = np.full(units, -100.0), np.full(units, 100.0), np.zeros(units)
    none = np.zeros((units, units))
    layer.set_weights(
        [
            np.hstack([none, none, kernel, none]),
            np.hstack([none, none, recurrent_kernel, none]),
            np.concatenate([opened, shut, zeros, opened]),
        ]
    )
    return layer


def assert_drops(kept, rate):
    """`kept` is 0 at a share `rate` of its entries, within 5 sigma, else 1 / (1 - rate)."""
    dropped = kept == 0
    assert abs(dropped.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / dropped.size)
    np.testing.assert_allclose(kept[~dropped], 1 / (1 - rate), rtol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_drops_its_share_of_the_input_alike_at_every_step(rate):
    units = 50
    layer = open_layer(np.eye(units), np.zeros((units, units)), dropout=rate, seed=1)
    h = np.array(layer(np.ones((40, 3, units), "float32"), training=True))
    assert_drops(h[:, 0], rate)
    np.testing.assert_array_equal(h, np.repeat(h[:, :1], 3, axis=1))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_recurrent_dropout_drops_its_share_of_the_hidden_state_alike_at_every_step(rate):
    units = 50
    layer = open_layer(np.zeros((units, units)), np.eye(units), recurrent_dropout=rate, seed=1)
    ones, x = np.ones((40, units), "float32"), np.zeros((40, 3, units), "float32")
    h = np.array(layer(x, initial_state=[ones, ones], training=True))
    assert_drops(h[:, 0], rate)
    np.testing.assert_allclose(h[:, 1], h[:, 0] ** 2, rtol=1e-5)
    np.testing.assert_allclose(h[:, 2], h[:, 0] ** 3, rtol=1e-5)


# States


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_stateful_layer_continues_from_its_last_state_until_reset(policy):
    rng = np.random.default_rng(11)
    x, mask = draw_x(rng, BATCH, 6, FEATURES), draw_mask("holes", rng, BATCH, 6)
    layers = [
        kind(UNITS, return_sequences=True, stateful=True, use_cudnn=False, dtype=policy)
        for kind in (LSTM, keras.layers.LSTM)
    ]
    for layer in layers:
        layer.build(x[:, :3].shape)
    layers[0].set_weights(layers[1].get_weights())
    ours, theirs = (
        [layer(x[:, :3], mask=mask[:, :3]), layer(x[:, 3:], mask=mask[:, 3:]), *layer.states]
        for layer in layers
    )
    tolerance = 1e-5 if policy == "float32" else 4e-3
    assert_equal(ours[:2], theirs[:2], atol=tolerance)
    for got, expected in zip(ours[2:], theirs[2:]):
        assert got.dtype == expected.dtype == "float32"
        np.testing.assert_allclose(got, expected, atol=tolerance)

    stateless = LSTM(UNITS, return_sequences=True, dtype=policy)
    stateless.build(x.shape)
    stateless.set_weights(layers[0].get_weights()[:3])
    whole = stateless(x, mask=mask)
    # At a masked step the output repeats the one before, which a second call has not seen.
    assert_equal([tf.concat(ours[:2], axis=1)[mask]], [whole[mask]], atol=tolerance)

    layers[0].reset_state()
    assert all(np.all(state.numpy() == 0) for state in layers[0].states)
    assert_equal([layers[0](x[:, :3], mask=mask[:, :3])], [whole[:, :3]], atol=tolerance)


def test_encoder_hands_its_states_to_a_decoder_as_in_keras():
    def model(kind):
        source, target = keras.Input((None, FEATURES)), keras.Input((None, 3))
        masked = keras.layers.Masking()(source)
        _, *state = kind(UNITS, return_state=True, use_cudnn=False)(masked)
        decoded = kind(UNITS, return_sequences=True)(target, initial_state=state)
        return keras.Model([source, target], keras.layers.Dense(2)(decoded))

    rng = np.random.default_rng(12)
    ours, theirs = model(LSTM), model(keras.layers.LSTM)
    ours.set_weights(theirs.get_weights())
    source, target = draw_x(rng), draw_x(rng, BATCH, 4, 3)
    source[0, 3:] = 0  # masked
    assert_equal([ours([source, target])], [theirs([source, target])])


# Inside other layers and models


@pytest.mark.short(mask=("holes",), merge_mode=("concat", None))
@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
def test_bidirectional_equals_keras_in_every_merge_mode(merge_mode, mask):
    rng = np.random.default_rng(13)
    arguments = {"return_sequences": True, "return_state": True, "use_cudnn": False}
    ours = keras.layers.Bidirectional(LSTM(UNITS, **arguments), merge_mode=merge_mode)
    theirs = keras.layers.Bidirectional(
        keras.layers.LSTM(UNITS, **arguments), merge_mode=merge_mode
    )
    same_weights(ours, theirs, rng)
    x, mask = draw_x(rng), draw_mask(mask, rng)
    assert_equal(everything(ours, x, mask=mask), everything(theirs, x, mask=mask))
    assert type(ours.forward_layer) is type(ours.backward_layer) is LSTM


def test_time_distributed_equals_keras():
    rng = np.random.default_rng(14)
    ours, theirs = (
        keras.layers.TimeDistributed(kind(UNITS, use_cudnn=False))
        for kind in (LSTM, keras.layers.LSTM)
    )
    x = draw_x(rng, BATCH, 2, STEPS, FEATURES)
    for layer in (ours, theirs):
        layer.build(x.shape)
    ours.set_weights(theirs.get_weights())
    assert_equal([ours(x)], [theirs(x)])


def classifier(kind, **arguments):
    """Every shape unknown but the features; masks; two directions; a stack; Dense layers."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((None, FEATURES)),
            layers.Masking(),
            layers.Bidirectional(kind(3, return_sequences=True, use_cudnn=False, **arguments)),
            kind(UNITS, use_cudnn=False, name="top", **arguments),
            layers.Dense(2, activation="softmax"),
        ]
    )


def ragged_x(rng, batch=BATCH, steps=STEPS):
    """Right-padded with zeros, its first row nothing but padding."""
    return (
        draw_x(rng, batch, steps, FEATURES) * draw_mask("whole_rows", rng, batch, steps)[..., None]
    )


def small_classifier(kind, **arguments):
    return keras.Sequential(
        [
            keras.Input((None, FEATURES)),
            keras.layers.Masking(),
            kind(UNITS, use_cudnn=False, **arguments),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


# XLA compiles for every shape anew, so it gets the small model and batches of one size.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "jit_compile", "samples"), [(classifier, False, 10), (small_classifier, True, 8)]
)
def test_fit_takes_the_same_steps_as_keras(build, jit_compile, samples):
    rng = np.random.default_rng(15)
    x, y = ragged_x(rng, batch=samples), rng.integers(0, 2, size=samples)
    models = [build(kind, dropout=0.2, seed=3) for kind in (LSTM, keras.layers.LSTM)]
    models[0].set_weights(models[1].get_weights())
    losses = []
    for model in models:
        model.compile(
            keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", jit_compile=jit_compile
        )
        history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert len(set(losses[0])) == 3
    for got, expected in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_fit_learns_in_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    rng = np.random.default_rng(16)
    model = small_classifier(LSTM)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    x, y = draw_x(rng, 8, STEPS, FEATURES), np.arange(8) % 2
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}


def test_weight_files_move_both_ways(tmp_path):
    x = ragged_x(np.random.default_rng(17))
    ours, theirs = classifier(LSTM), classifier(keras.layers.LSTM)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    expected = theirs(x)
    assert_equal([ours(x)], [expected])
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.set_weights([np.zeros_like(w) for w in theirs.get_weights()])
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_array_equal(theirs(x), expected)


@pytest.mark.long
def test_saved_model_loads_in_a_fresh_process_that_only_imports_lstm_zoo(tmp_path):
    x = ragged_x(np.random.default_rng(18))
    inputs = keras.Input((None, FEATURES))
    masked = keras.layers.Masking()(inputs)
    model = keras.Model(
        inputs,
        [
            classifier(LSTM, forget_bias=2.0)(inputs),
            PeepholeLSTM(2, peephole_initializer="ones")(masked),
            keras.layers.RNN([LSTMCell(2), LSTMCell(3)])(masked),
            keras.layers.Bidirectional(LSTM(2, implementation=1, dropout=0.1))(masked),
        ],
    )
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    program = (
        "import keras, lstm_zoo, numpy as np\n"
        "model = keras.models.load_model('model.keras', safe_mode=True)\n"
        "np.savez('y.npz', *model(np.load('x.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    with np.load(tmp_path / "y.npz") as loaded:
        for got, expected in zip(loaded.values(), model(x), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_exported_model_serves_any_batch_and_length(tmp_path):
    rng = np.random.default_rng(19)
    model = classifier(LSTM)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    for batch, steps in [(1, 1), (4, 7)]:
        x = ragged_x(rng, batch, steps)
        assert_equal([served.serve(x)], [model(x)])


def test_same_global_seed_gives_the_run_that_keras_gives():
    x, results = ragged_x(np.random.default_rng(25)), []
    for kind in (LSTM, keras.layers.LSTM):
        keras.utils.set_random_seed(26)
        model = classifier(kind, dropout=0.5)
        results.append([model(x, training=True), *[w.value for w in model.trainable_weights]])
    assert_equal(*results)


def test_weights_have_the_paths_of_keras():
    layers = LSTM(2, name="one"), keras.layers.LSTM(2, name="one")
    for layer in layers:
        layer.build((None, None, 3))
    ours, theirs = ([weight.path for weight in layer.weights] for layer in layers)
    assert ours == theirs


def test_clone_is_a_new_model_of_the_same_layers():
    x = ragged_x(np.random.default_rng(20))
    model = classifier(LSTM, forget_bias=2.0)
    clone = keras.models.clone_model(model)
    assert type(clone.get_layer("top")) is LSTM
    assert clone.get_layer("top") is not model.get_layer("top")
    np.testing.assert_array_equal(clone.get_layer("top").cell.bias[UNITS : 2 * UNITS], 2.0)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))


# Arguments


OURS_ALONE = ("forget_bias", "learned_initial_state", "recompute")


def test_arguments_are_in_the_order_of_keras():
    for method in ("__init__", "call"):
        theirs = list(inspect.signature(getattr(keras.layers.LSTM, method)).parameters)
        ours = list(inspect.signature(getattr(LSTM, method)).parameters)
        assert [name for name in ours if name not in OURS_ALONE] == theirs


def test_layer_is_a_keras_lstm():
    assert isinstance(LSTM(2), keras.layers.LSTM)
    assert isinstance(PeepholeLSTM(2), keras.layers.LSTM)


ARGUMENTS = {
    "units": 5,
    "activation": "relu",
    "recurrent_activation": "hard_sigmoid",
    "use_bias": False,
    "kernel_initializer": keras.initializers.Constant(1.0),
    "recurrent_initializer": keras.initializers.Constant(2.0),
    "bias_initializer": keras.initializers.Constant(3.0),
    "unit_forget_bias": False,
    "kernel_regularizer": keras.regularizers.L2(0.1),
    "recurrent_regularizer": keras.regularizers.L2(0.2),
    "bias_regularizer": keras.regularizers.L2(0.3),
    "activity_regularizer": keras.regularizers.L2(0.4),
    "kernel_constraint": keras.constraints.MaxNorm(1.0),
    "recurrent_constraint": keras.constraints.MaxNorm(2.0),
    "bias_constraint": keras.constraints.MaxNorm(3.0),
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "seed": 11,
    "return_sequences": True,
    "return_state": True,
    "go_backwards": True,
    "stateful": True,
    "unroll": True,
    "use_cudnn": False,
    "zero_output_for_mask": True,
    "trainable": False,
    "name": "mine",
}


def assert_holds(config, arguments):
    for name, value in arguments.items():
        if hasattr(value, "get_config"):
            assert config[name]["config"] == value.get_config()
        else:
            assert config[name] == value


@pytest.mark.parametrize("kind", [LSTM, PeepholeLSTM])
def test_configuration_holds_every_argument(kind):
    arguments = {**ARGUMENTS, "forget_bias": 4.0, "implementation": 1}
    if kind is PeepholeLSTM:
        arguments["peephole_initializer"] = keras.initializers.Constant(5.0)
    config = kind(dtype="mixed_bfloat16", **arguments).get_config()
    again = kind.from_config(json.loads(json.dumps(config)))
    assert_holds(config, arguments)
    assert_holds(again.get_config(), arguments)
    assert again.dtype_policy.name == again.cell.dtype_policy.name == "mixed_bfloat16"


def test_configuration_of_a_keras_layer_makes_ours():
    config = keras.layers.LSTM(**ARGUMENTS).get_config()
    held = {name: ARGUMENTS[name] for name in ARGUMENTS if name != "use_cudnn"}
    assert_holds(LSTM.from_config(config).get_config(), held)


def test_activity_regularizer_and_losses_equal_keras():
    rng = np.random.default_rng(21)
    regularizers = {
        f"{role}_regularizer": keras.regularizers.L2(0.1)
        for role in ("kernel", "recurrent", "bias", "activity")
    }
    ours, theirs = pair(rng, **regularizers)
    x = draw_x(rng)
    for layer in (ours, theirs):
        layer(x)
    assert len(ours.losses) == 4
    np.testing.assert_allclose(sorted(ours.losses), sorted(theirs.losses), rtol=1e-6)


def test_mask_goes_on_to_the_next_layer_only_with_the_sequence():
    rng = np.random.default_rng(22)
    mask = tf.constant(draw_mask("holes", rng))
    assert LSTM(2, return_sequences=True).compute_mask(None, mask) is mask
    assert LSTM(2).compute_mask(None, mask) is None


@pytest.mark.parametrize("flags", [{}, {"return_sequences": True}, {"return_state": True}], ids=str)
def test_symbolic_shapes_equal_keras(flags):
    for shape in [(None, None, 3), (2, None, 3), (None, 5, 3)]:
        ours, theirs = (
            keras.tree.flatten(kind(UNITS, **flags)(keras.Input(batch_shape=shape)))
            for kind in (LSTM, keras.layers.LSTM)
        )
        assert [y.shape for y in ours] == [y.shape for y in theirs]


def test_masked_sequences_stay_away_from_cudnn(monkeypatch):
    # cuDNN fails if all steps of a sequence are masked, so masked input must avoid it.
    def stop(*args, **kwargs):
        raise AssertionError("went where Keras goes to cuDNN")

    monkeypatch.setattr(keras.layers.LSTM, "inner_loop", stop)
    rng = np.random.default_rng(23)
    x, mask = draw_x(rng), draw_mask("whole_rows", rng)
    h = np.array(LSTM(UNITS, return_sequences=True)(x, mask=mask))
    np.testing.assert_array_equal(h[0], 0)
    assert np.all(h[1:] != 0)


def test_mask_in_a_list_is_that_mask():
    rng = np.random.default_rng(27)
    ours, theirs = pair(rng)
    x, mask = draw_x(rng), tf.constant(draw_mask("holes", rng))
    assert_equal([ours(x, mask=[mask])], [theirs(x, mask=mask)])


def test_first_layer_of_a_sequential_model_may_name_the_input_shape():
    with pytest.warns(UserWarning, match="input_shape"):
        model = keras.Sequential([LSTM(UNITS, input_shape=(STEPS, FEATURES))])
    assert model.output_shape == (None, UNITS)


def test_xla_is_off_only_where_cudnn_may_run(monkeypatch):
    assert LSTM(2).supports_jit
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["GPU:0"])
    assert not LSTM(2).supports_jit
    assert LSTM(2, use_cudnn=False).supports_jit
    assert LSTM(2, unroll=True).supports_jit
    assert PeepholeLSTM(2).supports_jit


def test_variant_never_reaches_the_fused_kernels_of_bidirectional():
    # Bidirectional hands layers whose use_cudnn is "auto" to a kernel of the plain equations.
    wrapped = keras.layers.Bidirectional(PeepholeLSTM(2))
    assert wrapped.forward_layer.use_cudnn is wrapped.backward_layer.use_cudnn is False


@pytest.mark.parametrize("use_cudnn", ["auto", False])
def test_use_cudnn_changes_no_number(use_cudnn):
    rng = np.random.default_rng(24)
    ours, theirs = pair(rng, use_cudnn=use_cudnn)
    x = draw_x(rng)
    assert_equal(everything(ours, x), everything(theirs, x))


# Wrong input


@pytest.mark.parametrize("units", [0, -3, 2.0, True])
def test_units_must_be_a_positive_integer(units):
    with pytest.raises(
        ValueError, match=rf"units must be a whole number of at least 1, got {units!r}"
    ):
        LSTM(units)


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_dropout_rates_must_be_fractions(name, rate):
    with pytest.raises(ValueError, match=rf"^{name} must be a fraction .* got {rate!r}"):
        LSTM(8, **{name: rate})


@pytest.mark.parametrize("use_cudnn", ["yes", None, 2])
def test_use_cudnn_must_be_auto_true_or_false(use_cudnn):
    with pytest.raises(
        ValueError, match=rf'use_cudnn must be "auto", True or False, got {use_cudnn!r}'
    ):
        LSTM(8, use_cudnn=use_cudnn)


@pytest.mark.parametrize(
    "unsuitable",
    [
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"use_bias": False},
        {"unroll": True},
        {"recurrent_dropout": 0.1},
        {"implementation": 1},
    ],
    ids=str,
)
def test_use_cudnn_true_needs_the_plain_lstm(unsuitable):
    with pytest.raises(ValueError, match="use_cudnn=True needs the plain LSTM"):
        LSTM(8, use_cudnn=True, **unsuitable)


def test_use_cudnn_true_does_not_fit_a_variant():
    with pytest.raises(ValueError, match="use_cudnn=True needs the plain LSTM"):
        PeepholeLSTM(8, use_cudnn=True)


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3, 1)])
def test_input_must_have_three_axes(shape):
    with pytest.raises(ValueError, match=rf"expected ndim=3, found ndim={len(shape)}"):
        LSTM(8)(np.ones(shape, "float32"))
