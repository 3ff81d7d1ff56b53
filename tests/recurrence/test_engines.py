"""`explain` names the engine that runs a layer, and engines agree in half precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo import cells, recurrence
from lstm_zoo.cells.in_numpy import lstm_in_numpy
from lstm_zoo.recurrence import engines, native, portable

HALVES = {"mixed_bfloat16": 2.0**-8, "mixed_float16": 2.0**-11}


def force(name, monkeypatch):
    """Every layer runs on this engine."""
    monkeypatch.setattr(engines, "engine_for", lambda call: engines.ENGINES[name]())


def random_weights(layer, features):
    layer.build((2, None, features))
    rng = np.random.default_rng(0)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.6, size=weight.shape))
    return layer


# Lengths


@pytest.fixture
def ran(monkeypatch):
    """The engines that were used, in turn."""
    used, usual = [], engines.engine_for

    def noted(call):
        used.append(usual(call))
        return used[-1]

    monkeypatch.setattr(engines, "engine_for", noted)
    return used


@pytest.mark.parametrize("cell", [cells.MLSTMCell, cells.MinGRUCell])
def test_explain_names_the_engine_that_runs_each_length(cell, ran):
    layer = random_weights(lz.RNN(cell(2), parallel=True), 1)
    graph = tf.function(layer, input_signature=[tf.TensorSpec((1, None, 1))])
    for steps in (1, 512, 513):
        layer(tf.zeros((1, steps, 1)))
        engine = ran.pop()
        said = recurrence.explain(layer, timesteps=steps)
        assert engine.what in said.split(". ")[0]
        assert engine.name == ("xla" if steps > 512 and cell is cells.MLSTMCell else "parallel")
        ran.clear()
    graph(tf.zeros((1, 3, 1)))  # of a length that is open
    assert [engine.name for engine in ran] == ["xla"]


def test_explain_without_a_length_uses_the_one_that_the_layer_was_built_for():
    for steps, engine in ((5, "parallel form"), (None, "compiled"), (600, "compiled")):
        layer = lz.RNN(cells.MLSTMCell(2))
        keras.Sequential([keras.Input((steps, 3)), layer])
        assert engine in recurrence.explain(layer).split(". ")[0]
        assert "compiled" in recurrence.explain(layer, timesteps=513).split(". ")[0]
    assert "known and at most 512" in recurrence.explain(lz.RNN(cells.MLSTMCell(2)))


def test_explain_names_the_engine_inside_a_function_that_xla_compiles(ran):
    layer, said = random_weights(lz.LSTM(2), 3), []

    @tf.function(jit_compile=True)
    def compiled(x):
        said.append(recurrence.explain(layer))
        return layer(x)

    compiled(tf.zeros((1, 4, 3)))
    assert ran[-1].name == "xla"
    assert ran[-1].what in said[0].split(". ")[0]


@pytest.mark.parametrize("timesteps", [0, -1, 2.5, "many"])
def test_timesteps_must_be_a_positive_whole_number(timesteps):
    with pytest.raises(ValueError, match="timesteps must be"):
        recurrence.explain(lz.LSTM(2), timesteps=timesteps)


def test_long_mlstm_gives_the_numbers_of_short_pieces():
    layer = random_weights(lz.RNN(cells.MLSTMCell(2), return_sequences=True, return_state=True), 3)
    x = np.random.default_rng(1).normal(size=(2, 600, 3)).astype("float32")
    whole, *last = layer(x)
    first, *states = layer(x[:, :300])
    second, *states = layer(x[:, 300:], initial_state=states)
    np.testing.assert_allclose(whole, np.concatenate([first, second], 1), atol=1e-4)
    for got, expected in zip(states, last):
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)


# An unrolled loop


@pytest.mark.parametrize("go_backwards", [False, True])
def test_unrolled_loop_equals_numpy_and_the_gradients_of_keras_loop(go_backwards, monkeypatch):
    options = {"unroll": True, "go_backwards": go_backwards, "dtype": "float64"}
    layer = random_weights(lz.LSTM(3, return_sequences=True, **options), 2)
    rng = np.random.default_rng(2)
    x, h, c = (tf.constant(rng.normal(size=shape)) for shape in ((2, 4, 2), (2, 3), (2, 3)))
    mask = np.array([[0, 1, 1, 0], [1, 0, 1, 1]], bool)
    assert "step by step" in recurrence.explain(layer).split(". ")[0]

    def outputs_and_gradients(mask):
        with tf.GradientTape() as tape:
            tape.watch([x, h, c])
            y = layer(x, initial_state=[h, c], mask=mask)
            sources = [x, h, c, *(w.value for w in layer.trainable_weights)]
            return [y, *tape.gradient(tf.reduce_sum(tf.sin(y)), sources)]

    weights = [w.numpy() for w in layer.trainable_weights]
    forwards = x.numpy()[:, ::-1] if go_backwards else x.numpy()
    expected, _ = lstm_in_numpy(forwards, *weights, h.numpy(), c.numpy())
    np.testing.assert_allclose(outputs_and_gradients(None)[0], expected, rtol=1e-12, atol=1e-14)
    ours = outputs_and_gradients(tf.constant(mask))
    force("keras", monkeypatch)
    for got, wanted in zip(ours, outputs_and_gradients(tf.constant(mask)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


# Half precision


def integrator(policy, **options):
    """A layer that adds 0.01 to its cell state at each step, all gates open."""
    layer = lz.LSTM(1, return_state=True, dtype=policy, **options)
    layer.build((1, None, 1))
    bias = np.float32([20, 20, np.arctanh(0.01), 20])
    layer.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), bias])
    return layer


@pytest.mark.short(policy=("mixed_bfloat16",))
@pytest.mark.parametrize("policy", HALVES)
@pytest.mark.parametrize("engine", ["native", "xla", "loop", "file"])
def test_half_precision_sums_over_many_steps_in_float32(engine, policy, monkeypatch):
    steps = 600  # where bfloat16 itself stops at 4 and the right sum is 6
    layer = integrator(policy, unroll=engine == "loop")
    if engine == "file":
        target = portable.Target("saved_model")
        graph = tf.function(layer)
        with portable.written_as(target):
            cell_state = graph(tf.zeros((1, steps, 1)))[-1]
    else:
        if engine == "native" and not native.OPS:
            engine = "xla"
        force(engine, monkeypatch)
        cell_state = layer(tf.zeros((1, steps, 1)))[-1]
    assert cell_state.dtype == layer.compute_dtype
    np.testing.assert_allclose(tf.cast(cell_state, tf.float32), 6, rtol=10 * HALVES[policy])


@pytest.mark.parametrize("policy", HALVES)
def test_stream_and_trace_sum_as_the_layer_does_in_half_precision(policy):
    layer = integrator(policy, return_sequences=True)
    x = np.zeros((1, 600, 1), "float32")
    seen = lz.trace(layer, x)
    np.testing.assert_allclose(seen.cell_state[0, -1], 6, rtol=10 * HALVES[policy])
    plain = lz.LSTM.from_config({**layer.get_config(), "return_state": False})
    model = keras.Sequential([keras.Input((None, 1)), plain])
    plain.set_weights(layer.get_weights())
    reader = lz.stream(model)
    for t in range(x.shape[1]):
        said = reader.step(x[:, t])
    np.testing.assert_allclose(reader.state[1], 6, rtol=10 * HALVES[policy])
    np.testing.assert_allclose(said, seen.hidden_state[:, -1], rtol=HALVES[policy])


@pytest.mark.parametrize("policy", HALVES)
def test_engines_give_the_same_rounded_numbers(policy, monkeypatch):
    x = np.random.default_rng(1).normal(size=(2, 40, 3)).astype("float32")
    answers = []
    for names, make in (
        (("native", "xla"), lambda: lz.LSTM(3, return_sequences=True, dtype=policy)),
        (("loop",), lambda: lz.LSTM(3, return_sequences=True, dtype=policy, unroll=True)),
    ):
        layer = random_weights(make(), 3)
        for name in names:
            if name == "native" and not native.OPS:
                continue
            with monkeypatch.context() as patch:
                force(name, patch)
                answers.append(tf.cast(layer(x), tf.float32))
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], rtol=HALVES[policy], atol=1e-6)


@pytest.mark.parametrize("policy", HALVES)
def test_parallel_engine_agrees_with_the_compiled_one_in_half_precision(policy):
    x = np.random.default_rng(1).normal(size=(2, 40, 3)).astype("float32")
    for cell in (cells.MinGRUCell, cells.MLSTMCell):
        answers = []
        for parallel in (True, False):
            made = lz.RNN(
                cell(2, dtype=policy), return_sequences=True, parallel=parallel, dtype=policy
            )
            answers.append(tf.cast(random_weights(made, 3)(x), tf.float32))
        scale = np.abs(answers[1]).max()
        np.testing.assert_allclose(*answers, atol=HALVES[policy] * scale, rtol=0)
