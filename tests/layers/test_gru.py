"""`lz.GRU` and `lz.SimpleRNN` compute the numbers of Keras's layers, on every engine."""

import inspect
import pathlib
import runpy

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.recurrence import engines

BATCH, STEPS, FEATURES, UNITS = 5, 6, 3, 4
KINDS = {
    "GRU": (lz.GRU, keras.layers.GRU, {}),
    "GRU, reset before": (lz.GRU, keras.layers.GRU, {"reset_after": False}),
    "SimpleRNN": (lz.SimpleRNN, keras.layers.SimpleRNN, {}),
}
OPTIONS = {
    "last output": {},
    "sequences and state": {"return_sequences": True, "return_state": True},
    "backwards without bias": {"go_backwards": True, "use_bias": False, "return_sequences": True},
    "relu": {"activation": "relu"},
    "input dropout": {"dropout": 0.3, "seed": 1},
    "both dropouts": {"dropout": 0.3, "recurrent_dropout": 0.4, "seed": 1},
    "zeros for the mask": {"zero_output_for_mask": True, "return_sequences": True},
    "unrolled": {"unroll": True},
    "unrolled with dropout": {"unroll": True, "dropout": 0.3, "recurrent_dropout": 0.4, "seed": 1},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def pair(kind, **options):
    """Our layer and Keras's, built, with the same random weights."""
    ours, theirs, usual = KINDS[kind]
    layers = [cls(UNITS, **usual, **options) for cls in (ours, theirs)]
    rng = np.random.default_rng(0)
    for layer in layers:
        layer.build((BATCH, STEPS, FEATURES))
    weights = [rng.normal(scale=0.5, size=w.shape) for w in layers[1].trainable_weights]
    for layer in layers:
        for variable, value in zip(layer.trainable_weights, weights, strict=True):
            variable.assign(value)
    return layers


def data():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
    state = rng.normal(size=(BATCH, UNITS)).astype("float32")
    mask = rng.random((BATCH, STEPS)) < 0.6
    mask[0] = False
    return tf.constant(x), tf.constant(state), tf.constant(mask)


def outputs_and_gradients(layer, x, state, mask, training=True):
    """Outputs and the gradients by input, initial state and weights."""
    layer.cell.seed_generator.state.assign([1, 2])
    sources = [x, state, *(w.value for w in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = layer(x, initial_state=state, mask=mask, training=training)
        outputs = keras.tree.flatten(outputs)
        loss = tf.add_n([tf.reduce_sum(tf.sin((k + 1.0) * y)) for k, y in enumerate(outputs)])
    return [*outputs, *tape.gradient(loss, sources)]


def assert_all_close(ours, theirs, **tolerance):
    for got, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, expected, **tolerance)


def on_engine(monkeypatch, name):
    monkeypatch.setattr(engines, "engine_for", lambda call: engines.ENGINES[name]())


@every_kind
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("masked", [False, True])
def test_outputs_and_gradients_equal_keras(kind, options, masked):
    ours, theirs = pair(kind, **OPTIONS[options])
    x, state, mask = data()
    mask = mask if masked else None
    found = outputs_and_gradients(ours, x, state, mask)
    expected = outputs_and_gradients(theirs, x, state, mask)
    assert_all_close(found, expected, rtol=1e-4, atol=2e-5)


@every_kind
@pytest.mark.parametrize("engine", ["native", "keras"])
@pytest.mark.parametrize("options", ["sequences and state", "both dropouts"])
def test_engines_agree(kind, engine, options, monkeypatch):
    ours, theirs = pair(kind, **OPTIONS[options])
    x, state, mask = data()
    expected = outputs_and_gradients(theirs, x, state, mask)
    on_engine(monkeypatch, engine)
    found = outputs_and_gradients(ours, x, state, mask)
    assert_all_close(found, expected, rtol=1e-4, atol=2e-5)


@every_kind
def test_xla_applies_the_same_recurrent_dropout(kind):
    ours, theirs = pair(kind, recurrent_dropout=0.4, seed=1)
    x, state, mask = data()
    expected = outputs_and_gradients(theirs, x, state, mask)
    ours.recompute = True  # which only XLA supports
    assert "XLA" in lz.explain(ours).split(".")[0]
    found = outputs_and_gradients(ours, x, state, mask)
    assert_all_close(found, expected, rtol=1e-4, atol=2e-5)


@every_kind
def test_a_cpu_runs_the_native_operation(kind):
    ours, _ = pair(kind)
    assert engines.engine_for(engines.LayerCall.of_size(ours)).name == "native"
    assert "native operation" in lz.explain(ours).split(".")[0]


@every_kind
@pytest.mark.parametrize("units", [1, 15, 33, 70])
@pytest.mark.parametrize("batch", [1, 2, 14])
def test_every_size_equals_keras(kind, units, batch):
    """Sizes around the widths of the kernels' blocks, vectors and panels."""
    ours, theirs, usual = KINDS[kind]
    ours, theirs = (cls(units, return_sequences=True, **usual) for cls in (ours, theirs))
    x = tf.random.stateless_normal((batch, 9, 5), [1, 2])
    for layer in (theirs, ours):
        layer.build(x.shape)
    ours.set_weights(theirs.get_weights())
    state = tf.random.stateless_normal((batch, units), [3, 4])
    found = outputs_and_gradients(ours, x, state, None)
    expected = outputs_and_gradients(theirs, x, state, None)
    assert_all_close(found, expected, rtol=1e-4, atol=2e-5)


@every_kind
def test_native_layer_equals_numpy_in_float64(kind):
    references = runpy.run_path(
        str(pathlib.Path(__file__).parents[1] / "contracts" / "references.py")
    )
    reference = {
        "GRU": references["gru"],
        "GRU, reset before": references["gru_of_the_paper"],
        "SimpleRNN": references["simple_rnn"],
    }[kind]
    ours, _ = pair(kind, return_sequences=True)
    x, state, _ = data()
    weights = [w.numpy().astype("float64") for w in ours.trainable_weights]
    h, expected = state.numpy().astype("float64"), []
    for t in range(STEPS):
        h = reference(x[:, t].numpy().astype("float64"), h, *weights)["hidden_state"]
        expected.append(h)
    found = ours(x, initial_state=state)
    np.testing.assert_allclose(found, np.stack(expected, axis=1), rtol=1e-5, atol=1e-6)


@every_kind
def test_native_gradient_equals_finite_differences(kind):
    ours, theirs = pair(kind, return_sequences=True)
    x, state, mask = data()
    found = outputs_and_gradients(ours, x, state, mask)[3:]
    double = type(ours).from_config({**ours.get_config(), "dtype": "float64"})
    double.build(x.shape)
    double.set_weights(ours.get_weights())
    args = {"mask": mask, "initial_state": tf.cast(state, "float64")}

    def loss():
        return float(tf.reduce_sum(tf.sin(double(tf.cast(x, "float64"), **args))))

    for k, (weight, gradient) in enumerate(zip(double.trainable_weights, found, strict=True)):
        start, direction = weight.numpy(), np.random.default_rng(k).normal(size=weight.shape)
        ends = []
        for step in (1e-6, -1e-6):
            weight.assign(start + step * direction)
            ends.append(loss())
        weight.assign(start)
        slope = np.sum(gradient * direction)
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-4, abs=1e-4)


@every_kind
def test_bidirectional_layer_equals_keras(kind):
    both = [keras.layers.Bidirectional(one) for one in pair(kind, return_sequences=True)]
    x, _, mask = data()
    for layer in both:
        layer.build(x.shape)
    both[0].set_weights(both[1].get_weights())
    found, expected = (layer(x, mask=mask) for layer in both)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@every_kind
def test_stateful_layer_continues_and_resets_as_keras(kind):
    ours, theirs = pair(kind, stateful=True)
    x, _, _ = data()
    for layer in (ours, theirs):
        layer(x)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)
    for layer in (ours, theirs):
        layer.reset_state()
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


@every_kind
def test_second_order_gradients_equal_keras(kind):
    found = []
    for layer in pair(kind, return_sequences=True):
        x, state, _ = data()
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x, initial_state=state) ** 2)
            penalty = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        found.append(outer.gradient(penalty, [x, *layer.trainable_weights]))
    assert_all_close(*found, rtol=2e-3, atol=2e-4)


@every_kind
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_stays_near_to_single(kind, policy):
    ours, _ = pair(kind, dtype=policy, return_sequences=True)
    single, _ = pair(kind, return_sequences=True)
    x, _, _ = data()
    tolerance = 4e-2 if policy == "mixed_bfloat16" else 5e-3
    assert ours(x).dtype == ours.compute_dtype
    np.testing.assert_allclose(tf.cast(ours(x), "float32"), single(x), atol=tolerance)


@every_kind
def test_takes_the_arguments_of_keras_in_their_order(kind):
    ours, theirs, _ = KINDS[kind]
    expected = inspect.signature(theirs.__init__).parameters
    got = inspect.signature(ours.__init__).parameters
    named = [name for name in expected if name != "kwargs"]
    assert list(got)[: len(named)] == named
    for name in named:
        assert got[name].default == expected[name].default, name


@every_kind
def test_is_a_layer_of_keras_and_weights_move_both_ways(kind):
    ours, theirs = pair(kind)
    assert isinstance(ours, type(theirs))
    names = [[w.name for w in layer.weights] for layer in (ours, theirs)]
    assert names[0] == names[1]
    shapes = [[w.shape for w in layer.weights] for layer in (ours, theirs)]
    assert shapes[0] == shapes[1]
    theirs.set_weights(ours.get_weights())
    ours.set_weights(theirs.get_weights())


@every_kind
def test_model_saves_loads_and_gives_its_weights_to_a_model_of_keras(kind, tmp_path):
    models = [
        keras.Sequential([keras.Input((None, FEATURES)), layer, keras.layers.Dense(2)])
        for layer in pair(kind, name="memory")
    ]
    x, _, _ = data()
    models[0].save(tmp_path / "ours.keras")
    loaded = keras.models.load_model(tmp_path / "ours.keras")
    assert type(loaded.layers[0]) is type(models[0].layers[0])
    np.testing.assert_array_equal(loaded(x), models[0](x))
    models[0].save_weights(tmp_path / "ours.weights.h5")
    models[1].load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(models[1](x), models[0](x), atol=1e-5)


@every_kind
def test_cell_runs_alone_and_in_the_loop_of_keras(kind):
    ours, theirs = pair(kind)
    x, state, _ = data()
    output, [after] = ours.cell(x[:, 0], [state])
    expected, [expected_after] = theirs.cell(x[:, 0], [state])
    np.testing.assert_allclose(output, expected, atol=1e-6)
    np.testing.assert_allclose(after, expected_after, atol=1e-6)
    np.testing.assert_allclose(keras.layers.RNN(ours.cell)(x), theirs(x), atol=1e-6)


@every_kind
def test_trace_names_the_gates_as_for_keras(kind):
    ours, theirs = pair(kind)
    x, _, _ = data()
    seen, expected = lz.trace(ours, x), lz.trace(theirs, x)
    assert (seen.kind, list(seen.values)) == (expected.kind, list(expected.values))
    for name, values in expected.values.items():
        np.testing.assert_allclose(seen.values[name], values, atol=1e-6)


@pytest.mark.parametrize("name", ["gru", "simple_rnn"])
def test_builders_use_these_layers(name):
    model = lz.build_regressor((STEPS, FEATURES), cell=name, lstm_units=(UNITS,))
    kinds = {"gru": lz.GRU, "simple_rnn": lz.SimpleRNN}
    assert kinds[name] in [type(layer) for layer in model.layers]


@every_kind
def test_learned_initial_state_gets_a_gradient(kind):
    ours, _, usual = KINDS[kind]
    layer = ours(UNITS, learned_initial_state=True, **usual)
    x, _, _ = data()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x))
    [start] = layer.initial_states
    assert np.abs(tape.gradient(loss, start)).max() > 0


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="use_cudnn must be"):
        lz.GRU(3, use_cudnn="yes")
    with pytest.raises(ValueError, match=r"use_cudnn=True needs the GRU \(reset_after=True\)"):
        lz.GRU(3, use_cudnn=True, reset_after=False)
    with pytest.raises(ValueError, match="units must be"):
        lz.SimpleRNN(0)
    with pytest.raises(ValueError, match="needs a cell with a forget gate"):
        lz.GRU(3, bias_initializer=lz.cells.Chrono(9)).build((None, None, 2))
