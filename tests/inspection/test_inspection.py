"""Traces, gradients and Jacobians of a model, compared with the model itself and NumPy."""

import concurrent.futures
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo import inspection
from lstm_zoo.inspection import (
    Trace,
    gate_summary,
    gradient_flow,
    jacobian_norms,
    saliency,
    trace,
)

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "inspection.md").read_text()
TOLERANCE = 1e-6  # largest difference allowed between a traced hidden state and the layer's output
LSTM_VALUES = [
    "input_gate",
    "forget_gate",
    "candidate",
    "output_gate",
    "cell_state",
    "hidden_state",
]
GRU_VALUES = ["update_gate", "reset_gate", "candidate", "hidden_state"]
LAYERS = {
    "lz.LSTM": lambda **options: lz.LSTM(5, **options),
    "lz.PeepholeLSTM": lambda **options: lz.PeepholeLSTM(
        5, peephole_initializer="glorot_uniform", **options
    ),
    "keras LSTM": lambda **options: keras.layers.LSTM(5, **options),
    "keras LSTM without bias": lambda **options: keras.layers.LSTM(
        5, use_bias=False, recurrent_activation="hard_sigmoid", implementation=1, **options
    ),
    "GRU": lambda **options: keras.layers.GRU(5, bias_initializer="glorot_uniform", **options),
    "GRU, reset before": lambda **options: keras.layers.GRU(
        5, reset_after=False, bias_initializer="ones", **options
    ),
    "GRU without bias": lambda **options: keras.layers.GRU(5, use_bias=False, **options),
    "SimpleRNN": lambda **options: keras.layers.SimpleRNN(5, bias_initializer="ones", **options),
    "RNN of LSTMCell": lambda **options: keras.layers.RNN(keras.layers.LSTMCell(5), **options),
    "RNN of GRUCell": lambda **options: keras.layers.RNN(keras.layers.GRUCell(5), **options),
    "RNN of SimpleRNNCell": lambda **options: keras.layers.RNN(
        keras.layers.SimpleRNNCell(5), **options
    ),
    "RNN of lz.PeepholeLSTMCell": lambda **options: keras.layers.RNN(
        lz.PeepholeLSTMCell(5, peephole_initializer="ones"), **options
    ),
}
ONE_OF_EACH = ["lz.LSTM", "lz.PeepholeLSTM", "keras LSTM", "GRU, reset before", "SimpleRNN"]
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
one_of_each = pytest.mark.parametrize("make", [LAYERS[n] for n in ONE_OF_EACH], ids=ONE_OF_EACH)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def x(rng):
    return rng.normal(size=(4, 12, 3)).astype("float32")


@pytest.fixture
def mask(rng):
    """Padding before, between and behind."""
    mask = rng.random((4, 12)) > 0.3
    mask[0] = np.arange(12) < 7
    mask[1] = np.arange(12) >= 4
    return mask


@pytest.fixture(scope="module")
def trained():
    """A model trained on Japanese vowels, with that data: 29 steps, unequal lengths, 9 speakers."""
    keras.utils.set_random_seed(0)
    data = lz.datasets.load("japanese_vowels")
    model = lz.build_classifier((None, 12), 9, lstm_units=(24, 16), dense_units=(), mask_value=0.0)
    lz.fit(model, data.x_train, data.y_train, epochs=6, batch_size=16, seed=0, verbose=0)
    return model, data


def numpy_of(tensor):
    return keras.ops.convert_to_numpy(tensor)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# The traced values are right.


def test_trace_of_an_lstm_equals_its_equations_in_numpy(x):
    layer = lz.LSTM(5, bias_initializer="glorot_normal")
    seen = trace(layer, x)
    hidden, cell = lz.lstm_in_numpy(x, *(w.numpy().astype("float64") for w in layer.weights))
    assert list(seen.values) == LSTM_VALUES
    assert all(value.shape == (4, 12, 5) for value in seen.values.values())
    assert all(value.dtype == np.float32 for value in seen.values.values())
    np.testing.assert_allclose(seen.hidden_state, hidden, atol=TOLERANCE)
    np.testing.assert_allclose(seen.cell_state, cell, atol=TOLERANCE)
    z = x @ layer.cell.kernel.numpy() + np.pad(hidden, ((0, 0), (1, 0), (0, 0)))[:, :-1] @ (
        layer.cell.recurrent_kernel.numpy()
    )
    i, f, g, o = np.split(z + layer.cell.bias.numpy(), 4, axis=-1)
    np.testing.assert_allclose(seen.input_gate, sigmoid(i), atol=TOLERANCE)
    np.testing.assert_allclose(seen.forget_gate, sigmoid(f), atol=TOLERANCE)
    np.testing.assert_allclose(seen.candidate, np.tanh(g), atol=TOLERANCE)
    np.testing.assert_allclose(seen.output_gate, sigmoid(o), atol=TOLERANCE)
    assert (seen.layer, seen.kind, seen.units, seen.timesteps) == (layer.name, "lstm", 5, 12)
    assert seen.mask is None
    np.testing.assert_array_equal(seen.inputs, x)


def test_peephole_gates_see_the_cell_state(x):
    layer = lz.PeepholeLSTM(5, peephole_initializer="glorot_uniform")
    seen = trace(layer, x)
    p_i, p_f, p_o = layer.cell.peephole_kernel.numpy()
    h, c = (
        np.pad(v, ((0, 0), (1, 0), (0, 0)))[:, :-1] for v in (seen.hidden_state, seen.cell_state)
    )
    z = x @ layer.cell.kernel.numpy() + h @ layer.cell.recurrent_kernel.numpy()
    i, f, _, o = np.split(z + layer.cell.bias.numpy(), 4, axis=-1)
    np.testing.assert_allclose(seen.input_gate, sigmoid(i + p_i * c), atol=TOLERANCE)
    np.testing.assert_allclose(seen.forget_gate, sigmoid(f + p_f * c), atol=TOLERANCE)
    np.testing.assert_allclose(seen.output_gate, sigmoid(o + p_o * seen.cell_state), atol=TOLERANCE)


@pytest.mark.parametrize("reset_after", [True, False])
def test_trace_of_a_gru_equals_its_equations_in_numpy(x, reset_after):
    layer = keras.layers.GRU(5, reset_after=reset_after, bias_initializer="glorot_uniform")
    seen = trace(layer, x)
    kernel, recurrent, bias = (w.numpy().astype("float64") for w in layer.weights)
    bias_x, bias_h = bias if reset_after else (bias, np.zeros(15))
    h = np.pad(seen.hidden_state, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    from_x = np.split(x @ kernel + bias_x, 3, axis=-1)
    from_h = np.split(h @ recurrent + bias_h, 3, axis=-1)
    z, r = sigmoid(from_x[0] + from_h[0]), sigmoid(from_x[1] + from_h[1])
    inner = r * from_h[2] if reset_after else (r * h) @ recurrent[:, 10:]
    g = np.tanh(from_x[2] + inner)
    assert (seen.kind, list(seen.values)) == ("gru", GRU_VALUES)
    for name, value in zip(GRU_VALUES, (z, r, g, z * h + (1 - z) * g)):
        np.testing.assert_allclose(getattr(seen, name), value, atol=TOLERANCE)


@every_layer
def test_traced_hidden_state_equals_the_output_of_the_layer(x, make):
    layer = make(return_sequences=True)
    seen = trace(layer, x)
    np.testing.assert_allclose(seen.hidden_state, numpy_of(layer(x)), atol=TOLERANCE)


@one_of_each
def test_a_layer_that_reads_backwards_is_traced_in_the_order_of_its_input(x, make):
    layer = make(return_sequences=True, go_backwards=True)
    seen = trace(layer, x)
    np.testing.assert_allclose(seen.hidden_state, numpy_of(layer(x))[:, ::-1], atol=TOLERANCE)


@one_of_each
def test_masked_steps_are_nan_and_the_others_equal_the_output(x, mask, make):
    layer = make(return_sequences=True)
    inputs = keras.Input((12, 3))
    mask_input = keras.Input((12,), dtype="bool")
    model = keras.Model([inputs, mask_input], layer(inputs, mask=mask_input))
    seen = trace(model, [x, mask])
    output = model.predict([x, mask], verbose=0)
    np.testing.assert_array_equal(seen.mask, mask)
    for value in seen.values.values():
        np.testing.assert_array_equal(np.isnan(value).any(axis=-1), ~mask)
    np.testing.assert_allclose(seen.hidden_state[mask], output[mask], atol=TOLERANCE)


class Reader(keras.layers.Layer):
    """A layer that writes down what it reads."""

    def __init__(self):
        super().__init__()
        self.read = []
        self.supports_masking = True

    def call(self, x):
        self.read.append(x)
        return x if x.ndim == 2 else keras.ops.mean(x, axis=1)


@one_of_each
def test_tracing_does_not_change_the_output_of_the_model(x, mask, make):
    """Layers behind the traced one must read what they always read, masks and all."""
    for options in (
        {"return_sequences": True, "zero_output_for_mask": True},
        {"go_backwards": True, "unroll": True},
    ):
        layer = make(**options)
        inputs = keras.Input((12, 3))
        mask_input = keras.Input((12,), dtype="bool")
        outputs = layer(inputs, mask=mask_input)
        behind = Reader()
        model = keras.Model([inputs, mask_input], behind(outputs))
        model([x, mask])
        trace(model, [x, mask])
        gradient_flow(model, [x, mask], np.ones((4, 5)), loss="mse")
        _, plain, traced, in_steps = behind.read  # the first is the symbolic call
        np.testing.assert_allclose(traced, plain, atol=TOLERANCE)
        np.testing.assert_allclose(in_steps, plain, atol=TOLERANCE)


def test_trace_starts_from_the_initial_state(x, rng):
    h, c = rng.normal(size=(2, 4, 5)).astype("float32")
    layer = lz.LSTM(5, return_sequences=True)
    inputs = [keras.Input((12, 3)), keras.Input((5,)), keras.Input((5,))]
    model = keras.Model(inputs, layer(inputs[0], initial_state=inputs[1:]))
    seen = trace(model, [x, h, c])
    hidden, cell = lz.lstm_in_numpy(x, *(w.numpy() for w in layer.weights), h, c)
    np.testing.assert_allclose(seen.hidden_state, hidden, atol=TOLERANCE)
    np.testing.assert_allclose(seen.cell_state, cell, atol=TOLERANCE)


@pytest.mark.parametrize("kind", [lz.LSTM, keras.layers.LSTM, keras.layers.GRU])
def test_both_directions_are_in_time_order(x, kind):
    layer = keras.layers.Bidirectional(kind(5, return_sequences=True))
    model = keras.Sequential([keras.Input((12, 3)), layer])
    forward, backward = trace(model, x)
    output = model.predict(x, verbose=0)
    np.testing.assert_allclose(forward.hidden_state, output[..., :5], atol=TOLERANCE)
    np.testing.assert_allclose(backward.hidden_state, output[..., 5:], atol=TOLERANCE)
    np.testing.assert_array_equal(backward.inputs, x)


def test_an_embedding_masks_the_trace():
    words = np.array([[3, 1, 0, 0], [2, 2, 4, 0]])
    model = keras.Sequential([keras.layers.Embedding(5, 3, mask_zero=True), lz.LSTM(4)])
    seen = trace(model, words)
    np.testing.assert_array_equal(seen.mask, words != 0)
    np.testing.assert_array_equal(seen.inputs, model.layers[0].embeddings.numpy()[words])
    np.testing.assert_allclose(seen.hidden_state[1, 2], numpy_of(model(words))[1], atol=TOLERANCE)


def test_mixed_precision_is_traced_in_float32_at_the_precision_of_the_layer(x):
    layer = lz.LSTM(5, return_sequences=True, dtype="mixed_float16")
    seen = trace(layer, x)
    assert seen.hidden_state.dtype == np.float32
    np.testing.assert_allclose(seen.hidden_state, numpy_of(layer(x)), atol=2e-3)


# The trace records where the layer began, which way it read, and where it ended.


def test_trace_records_the_states_before_the_first_step(x, rng):
    h, c = rng.normal(size=(2, 4, 5)).astype("float32")
    layer = lz.LSTM(5)
    inputs = [keras.Input((12, 3)), keras.Input((5,)), keras.Input((5,))]
    model = keras.Model(inputs, layer(inputs[0], initial_state=inputs[1:]))
    seen = trace(model, [x, h, c])
    assert list(seen.initial) == ["hidden_state", "cell_state"]
    np.testing.assert_array_equal(seen.initial["hidden_state"], h)
    np.testing.assert_array_equal(seen.initial["cell_state"], c)
    before = seen.before("cell_state", 2)
    kept = seen.forget_gate[2] * before + seen.input_gate[2] * seen.candidate[2]
    np.testing.assert_allclose(seen.cell_state[2], kept, atol=TOLERANCE)
    np.testing.assert_array_equal(trace(keras.layers.GRU(2), x).initial["hidden_state"], 0)


def test_one_row_of_initial_states_is_for_the_whole_batch(x):
    layer, start = keras.layers.GRU(5, return_sequences=True), np.full((1, 5), 0.5, "float32")

    class FromOneRow(keras.Model):
        def __init__(self):
            super().__init__()
            self.memory = layer

        def call(self, x):
            return layer(x, initial_state=[keras.ops.array(start)])

    seen = trace(FromOneRow(), x)
    assert seen.initial["hidden_state"].shape == (4, 5)
    np.testing.assert_allclose(
        seen.hidden_state, numpy_of(layer(x, initial_state=[start])), atol=TOLERANCE
    )


@pytest.mark.parametrize("backwards", [False, True])
def test_trace_knows_the_order_and_what_is_last(x, mask, backwards):
    layer = keras.layers.LSTM(5, go_backwards=backwards)
    inputs, mask_input = keras.Input((12, 3)), keras.Input((12,), dtype="bool")
    model = keras.Model([inputs, mask_input], layer(inputs, mask=mask_input))
    seen = trace(model, [x, mask])
    assert seen.backwards is backwards
    for sample, steps in enumerate(mask):
        read = np.flatnonzero(steps).tolist()
        assert seen.order(sample) == (read[::-1] if backwards else read)
    output = model.predict([x, mask], verbose=0)
    np.testing.assert_allclose(seen.last("hidden_state"), output, atol=TOLERANCE)
    last_forget = [seen.forget_gate[sample, seen.order(sample)[-1]] for sample in range(4)]
    np.testing.assert_array_equal(seen.last("forget_gate"), last_forget)
    with pytest.raises(ValueError, match="did you mean 'cell_state'"):
        seen.last("cell")
    with pytest.raises(ValueError, match="sample must be a whole number from 0 to 3, got 4"):
        seen.order(4)


def test_trace_of_a_fully_masked_sequence_has_no_order_and_ends_in_nan():
    value = np.full((1, 4, 1), np.nan, "float32")
    seen = hand_made({"hidden_state": value}, np.zeros((1, 4), bool))
    assert seen.order(0) == []
    assert np.isnan(seen.last("hidden_state")).all()
    assert seen.before("hidden_state", 0).shape == (0, 1)


def test_a_trace_made_of_five_arguments_reads_forwards_from_zero():
    value = np.arange(4.0).reshape(1, 4, 1)
    seen = Trace("memory", "lstm", np.zeros((1, 4, 1)), {"hidden_state": value}, None)
    assert seen.order(0) == [0, 1, 2, 3]
    np.testing.assert_array_equal(seen.before("hidden_state", 0).ravel(), [0, 0, 1, 2])
    np.testing.assert_array_equal(seen.last("hidden_state"), [[3]])


# Cells of the user's own.


class Projected(lz.cells.Cell):
    """An LSTM whose hidden state is narrower than its cell state (Sak et al. 2014)."""

    gate_names = lz.LSTMCell.gate_names
    state_names = lz.LSTMCell.state_names
    state_size = [2, 5]

    def build(self, input_shape):
        super().build(input_shape)
        self.projection = self.add_weight(shape=(5, 2), name="projection")

    def step(self, z, states):
        i, f, g, o = keras.ops.split(z, 4, axis=-1)
        c = sigmoid_of(f) * states[1] + sigmoid_of(i) * keras.ops.tanh(g)
        h = keras.ops.matmul(sigmoid_of(o) * keras.ops.tanh(c), self.projection)
        gates = dict(zip(self.gate_names, (sigmoid_of(i), sigmoid_of(f), g, sigmoid_of(o))))
        return {**gates, "cell_state": c, "hidden_state": h}


sigmoid_of = keras.ops.sigmoid


def test_states_of_any_width_are_traced(x):
    layer = keras.layers.RNN(Projected(5), return_sequences=True, return_state=True)
    seen = trace(layer, x)
    output, _, c = layer(x)
    np.testing.assert_allclose(seen.hidden_state, output, atol=TOLERANCE)
    np.testing.assert_allclose(seen.last("cell_state"), c, atol=TOLERANCE)
    assert (seen.kind, seen.units, seen.cell_state.shape) == ("lstm", 2, (4, 12, 5))
    assert {name: state.shape for name, state in seen.initial.items()} == {
        "hidden_state": (4, 2),
        "cell_state": (4, 5),
    }
    assert gate_summary(seen).half_life.shape == (5,)


def test_gradients_of_states_of_any_width_equal_those_of_the_jacobians(x):
    """For one sample and L = v h_T, dL/dc_t is v dh_T/dc_t: here v picks a unit."""
    layer = keras.layers.RNN(Projected(5))
    flow = gradient_flow(
        keras.Sequential([layer]), x, np.zeros((4, 2)), loss=lambda y, h: keras.ops.sum(h[:, 0])
    )
    [hidden], [cell] = flow.hidden.values(), flow.cell.values()
    assert hidden.shape == cell.shape == (4, 12)
    np.testing.assert_allclose(hidden[:, -1], 1.0)
    norms = jacobian_norms(layer, x)
    assert (hidden <= norms.hidden * 1.001).all()
    np.testing.assert_allclose(norms.cell[:, -1], 1.0, rtol=1e-6)


class Watchful(lz.LSTMCell):
    def step(self, z, states):
        assert not {"step", "gates", "values", "call"} & set(vars(self))
        return super().step(z, states)


def test_tracing_adds_nothing_to_a_cell(x):
    model = keras.Sequential([keras.layers.RNN(Watchful(2))])
    trace(model, x)
    gradient_flow(model, x, np.ones((4, 2)), loss="mse")
    jacobian_norms(model.layers[0], x)


class Doubled(lz.LSTMCell):
    def call(self, inputs, states, training=False):
        return super().call(2 * inputs, states, training)


def test_a_cell_whose_call_and_values_differ_is_refused(x):
    with pytest.raises(ValueError, match="step.. or values.., got Doubled"):
        trace(keras.layers.RNN(Doubled(2)), x)


# The layer is found, wherever it is.


class Nested(keras.Model):
    """A subclassed model with a layer in a list, and a functional model that holds another."""

    def __init__(self):
        super().__init__()
        inputs = keras.Input((None, 5))
        inner = keras.Model(inputs, keras.layers.GRU(4, name="deep")(inputs))
        self.stack = [keras.layers.Dense(5), lz.LSTM(5, return_sequences=True, name="outer"), inner]

    def call(self, x, training=False):
        for layer in self.stack:
            x = layer(x, training=training) if isinstance(layer, keras.Model) else layer(x)
        return x


def test_layers_of_subclassed_and_nested_models_are_found_by_name(x):
    model = Nested()
    output = numpy_of(model(x))
    seen = trace(model, x, layer="deep")
    assert seen.kind == "gru"
    np.testing.assert_allclose(seen.hidden_state[:, -1], output, atol=TOLERANCE)
    np.testing.assert_allclose(
        seen.inputs, trace(model, x, layer="outer").hidden_state, atol=TOLERANCE
    )


def test_a_layer_is_chosen_by_name_by_index_or_itself(x):
    model = keras.Sequential(
        [keras.layers.LSTM(5, return_sequences=True, name="one"), keras.layers.GRU(4, name="two")]
    )
    assert trace(model, x).layer == "one"
    for layer in ("two", 1, -1, model.layers[1]):
        assert trace(model, x, layer=layer).layer == "two"


def test_layers_of_the_same_name_are_told_apart_by_a_number(x):
    inputs = keras.Input((12, 3))
    inner = keras.Sequential([keras.Input((12, 5)), keras.layers.GRU(4, name="same")])
    outputs = inner(keras.layers.LSTM(5, return_sequences=True, name="same")(inputs))
    model = keras.Model(inputs, outputs)
    assert trace(model, x, layer="same").kind == "lstm"
    assert trace(model, x, layer="same (2)").kind == "gru"
    assert list(gradient_flow(model, x, np.ones((4, 4)), "mse").hidden) == ["same", "same (2)"]


def test_a_second_trace_sees_new_weights_and_other_shapes(x):
    layer = keras.layers.LSTM(5, return_sequences=True)
    trace(layer, x)
    layer.set_weights([w + 0.5 for w in layer.get_weights()])
    shorter = x[:2, :7]
    seen = trace(layer, shorter)
    np.testing.assert_allclose(seen.hidden_state, numpy_of(layer(shorter)), atol=TOLERANCE)


def test_tracing_many_layers_logs_no_warning(x, caplog):
    logger = tf.get_logger()
    logger.addHandler(caplog.handler)
    try:
        for units in range(1, 8):
            lz.trace(keras.layers.LSTM(units), x)
    finally:
        logger.removeHandler(caplog.handler)
    assert not caplog.records


# The model stays as it was.


@pytest.mark.slow
def test_states_of_a_stateful_layer_are_read_and_not_changed(x):
    layer = lz.LSTM(5, stateful=True, return_sequences=True)
    other = keras.layers.Bidirectional(keras.layers.GRU(2, stateful=True))
    model = keras.Sequential([keras.Input(batch_shape=(4, 12, 3)), layer, other])
    model.compile(loss="mse")
    model.predict(x, batch_size=4, verbose=0)
    stateful = [*layer.states, *other.forward_layer.states, *other.backward_layer.states]
    before = [state.numpy() for state in stateful]
    seen = trace(model, x)
    gradient_flow(model, x, np.ones((4, 4)))
    saliency(model, x)
    jacobian_norms(layer, x)
    for state, value in zip(stateful, before):
        np.testing.assert_array_equal(state.numpy(), value)
    np.testing.assert_allclose(seen.hidden_state, numpy_of(layer(x)), atol=TOLERANCE)


def test_the_random_numbers_of_dropout_are_not_used_up(x):
    model = keras.Sequential([keras.layers.LSTM(5, dropout=0.5), keras.layers.Dense(1)])
    model(x)
    seed = model.layers[0].cell.seed_generator.state
    before = seed.numpy()
    trace(model, x)
    gradient_flow(model, x, np.ones((4, 1)), "mse")
    saliency(model, x)
    np.testing.assert_array_equal(seed.numpy(), before)


def test_threads_may_trace_and_use_one_model_at_the_same_time(x):
    keras.utils.set_random_seed(0)
    first = lz.LSTM(4, return_sequences=True, name="first")
    model = keras.Sequential([first, keras.layers.LSTM(3, name="last")])
    others = [3 * x, x[:2], x[:, :7], x]
    looks = {
        "trace": lambda x: trace(model, x).hidden_state,
        "gradient_flow": lambda x: gradient_flow(model, x, x[:, 0], "mse").hidden["last"],
        "saliency": lambda x: saliency(model, x),
        "jacobian_norms": lambda x: jacobian_norms(model.layers[0], x).hidden,
        "call": lambda x: numpy_of(model(x)),
        "stream": lambda x: lz.stream(model).step(x[0, 0]),
        "explain": lambda x: np.array(lz.explain(model.layers[0])),
    }
    model(x)
    tasks = [(look, x) for x in others for look in looks.values()]
    expected = [look(x) for look, x in tasks]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda task: task[0](task[1]), tasks))
    for one, other in zip(got, expected):
        np.testing.assert_array_equal(one, other)
    assert "inner_loop" not in vars(model.layers[0])


def test_an_error_in_the_model_leaves_the_layer_as_it_was(x):
    model = keras.Sequential([lz.LSTM(5), keras.layers.Reshape((7,))])
    with pytest.raises(ValueError, match="Reshape"):
        trace(model, x)
    assert "inner_loop" not in vars(model.layers[0])
    assert model.layers[0].use_cudnn == "auto"


# Bad input is refused.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.full((2, 12, 3), np.nan)}, "x must be finite, got 72"),
        (
            {"x": np.ones((12, 3))},
            r"x must be of shape \(batch, timesteps, features\), got \(12, 3\)",
        ),
        ({"x": np.ones((0, 12, 3))}, "x must not be empty"),
        (
            {"x": np.array([["a"]])},
            "x must hold numbers, got texts, because the model has no vocab",
        ),
        ({"layer": "memori"}, "did you mean 'memory'"),
        ({"layer": 3}, "layer must be below 1"),
        ({"layer": keras.layers.Dense(1)}, "layer must be a recurrent layer of the model"),
        ({"model": keras.Sequential([keras.layers.Dense(1)])}, "model must have a recurrent layer"),
        (
            {"model": keras.Sequential([keras.layers.RNN([keras.layers.LSTMCell(2)])])},
            "cell with known equations.*StackedRNNCells",
        ),
    ],
)
def test_trace_refuses(x, change, message):
    model = keras.Sequential([keras.Input((12, 3)), lz.LSTM(4, name="memory")])
    arguments = {"model": model, "x": x, **change}
    with pytest.raises(ValueError, match=message):
        trace(**arguments)


def test_the_first_of_several_calls_of_a_layer_is_traced(x):
    model = keras.Sequential([keras.layers.TimeDistributed(lz.LSTM(2, return_sequences=True))])
    seen = trace(model, x[..., None])
    np.testing.assert_array_equal(seen.inputs, x[:, 0, :, None])
    np.testing.assert_allclose(
        seen.hidden_state, numpy_of(model(x[..., None]))[:, 0], atol=TOLERANCE
    )


class Compiled(keras.Model):
    def __init__(self):
        super().__init__()
        self.memory = lz.LSTM(2)
        self.function = tf.function(self.memory)

    def call(self, x):
        return self.function(x)


def test_a_layer_called_inside_a_compiled_function_is_refused(x):
    model = Compiled()
    model.memory(x)
    with pytest.raises(ValueError, match="must run eagerly to be traced"):
        trace(model, x)


def test_a_trace_names_what_it_has(x):
    seen = trace(keras.layers.GRU(2), x)
    with pytest.raises(AttributeError, match="no 'forget_gate'.*update_gate"):
        _ = seen.forget_gate
    assert not hasattr(seen, "cell_state")


# Keras on another library than TensorFlow.


@pytest.mark.parametrize(
    "call",
    [
        lambda: trace(lz.LSTM(2), np.ones((1, 3, 2))),
        lambda: gradient_flow(keras.Sequential([lz.LSTM(2)]), np.ones((1, 3, 2)), [0], "mse"),
        lambda: jacobian_norms(lz.LSTM(2), np.ones((1, 3, 2))),
        lambda: saliency(keras.Sequential([lz.LSTM(2)]), np.ones((1, 3, 2))),
        lambda: lz.GradientMonitor(np.ones((1, 3, 2)), [0]),
    ],
    ids=["trace", "gradient_flow", "jacobian_norms", "saliency", "GradientMonitor"],
)
def test_another_backend_raises_a_clear_error(call, monkeypatch, request):
    name = request.node.callspec.id
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    wanted = f"^{name} needs TensorFlow: set KERAS_BACKEND=tensorflow, got 'jax'$"
    with pytest.raises(ValueError, match=wanted):
        call()


@pytest.mark.long
def test_another_backend_needs_no_tensorflow_to_import_the_package():
    code = """
import sys, keras
keras.backend.backend = lambda: "jax"
sys.modules["tensorflow"] = None
import lstm_zoo.inspection
print("imported")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.split() == ["imported"], run.stderr


# Gradients through time.


def linear_rnn(weights, **options):
    """A SimpleRNN without activation whose state is carried by `weights`: h_t = x_t + h_{t-1} W."""
    units = len(weights)
    layer = keras.layers.SimpleRNN(units, activation=None, use_bias=False, **options)
    layer.build((None, None, units))
    layer.set_weights([np.eye(units), weights])
    return layer


def test_gradient_flow_of_a_linear_rnn_is_a_power_of_its_weights(rng):
    weights = rng.normal(size=(3, 3)) / 2
    x, y = rng.normal(size=(2, 10, 3)), rng.normal(size=(2, 3))
    model = keras.Sequential([linear_rnn(weights)])
    flow = gradient_flow(model, x, y, loss=lambda y, h: keras.ops.sum((h - y) ** 2))
    last = 2 * (numpy_of(model(x)) - y)
    powers = [np.linalg.matrix_power(weights, 9 - t) for t in range(10)]
    expected = np.stack([np.linalg.norm(last @ p.T, axis=-1) for p in powers], axis=1)
    [norms] = flow.hidden.values()
    np.testing.assert_allclose(norms, expected, rtol=1e-4)
    np.testing.assert_allclose(flow.mean(), expected.mean(axis=0), rtol=1e-4)
    assert flow.cell == {}


def loss_from(layer, head, x, y, h, c):
    """Squared error in float64 of an LSTM and a Dense layer, from states h, c on."""
    weights = [w.numpy().astype("float64") for w in layer.weights]
    if x.shape[1]:
        hidden, _ = lz.lstm_in_numpy(x.astype("float64"), *weights, h, c)
        h = hidden[:, -1]
    return np.mean((h @ head.kernel.numpy() + head.bias.numpy() - y) ** 2)


def finite_differences(function, at, step=1e-5):
    """The gradient of a function of an array, by central differences."""
    slopes = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        moved = np.zeros_like(at)
        moved[index] = step
        slopes[index] = (function(at + moved) - function(at - moved)) / (2 * step)
    return slopes


@pytest.mark.parametrize("t", [0, 5, 11])
def test_gradient_flow_equals_finite_differences_at_a_step(x, rng, t):
    layer, head = lz.LSTM(5, name="memory"), keras.layers.Dense(2)
    model = keras.Sequential([layer, head])
    y = rng.normal(size=(4, 2)).astype("float32")
    flow = gradient_flow(model, x, y, loss="mse")
    seen = trace(model, x)
    o, h, c = (
        v[:, t].astype("float64") for v in (seen.output_gate, seen.hidden_state, seen.cell_state)
    )

    def loss_of_h(h):
        return loss_from(layer, head, x[:, t + 1 :], y, h, c)

    def loss_of_c(c):
        return loss_from(layer, head, x[:, t + 1 :], y, o * np.tanh(c), c)

    for norms, function, at in ((flow.hidden, loss_of_h, h), (flow.cell, loss_of_c, c)):
        expected = np.linalg.norm(finite_differences(function, at), axis=-1)
        np.testing.assert_allclose(norms["memory"][:, t], expected, rtol=1e-3, atol=1e-9)


def test_gradient_flow_is_that_of_the_compiled_loss_with_regularizers_left_out_of_the_states(x):
    model = keras.Sequential(
        [lz.LSTM(4, kernel_regularizer="l2"), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile(loss="sparse_categorical_crossentropy")
    y = np.array([0, 1, 2, 1])
    compiled = gradient_flow(model, x, y)
    given = gradient_flow(model, x, y, loss=keras.losses.SparseCategoricalCrossentropy())
    np.testing.assert_allclose(compiled.mean(), given.mean(), rtol=1e-6)


def test_every_direction_of_every_layer_has_an_entry(x):
    model = keras.Sequential(
        [
            keras.layers.Bidirectional(lz.LSTM(3, return_sequences=True), name="both"),
            keras.layers.GRU(3, name="gru"),
        ]
    )
    flow = gradient_flow(model, x, np.ones((4, 3)), loss="mse")
    assert list(flow.hidden) == ["both/forward", "both/backward", "gru"]
    assert list(flow.cell) == ["both/forward", "both/backward"]
    assert all(norms.shape == (4, 12) for norms in flow.hidden.values())
    assert flow.backwards == {"both/backward"}


def test_both_directions_mirror_each_other(x):
    """The same weights on the mirrored sequence give the mirrored gradients."""
    layer = keras.layers.Bidirectional(lz.LSTM(3), merge_mode="sum", name="both")
    layer.build((4, 12, 3))
    layer.backward_layer.set_weights(layer.forward_layer.get_weights())
    model = keras.Sequential([layer])
    flow = gradient_flow(model, x, np.ones((4, 3)), loss="mse")
    mirrored = gradient_flow(model, x[:, ::-1], np.ones((4, 3)), loss="mse")
    for norms, others in ((flow.hidden, mirrored.hidden), (flow.cell, mirrored.cell)):
        np.testing.assert_allclose(
            norms["both/backward"], others["both/forward"][:, ::-1], rtol=1e-4
        )
    assert flow.horizon("both/backward") == mirrored.horizon("both/forward")


@pytest.mark.parametrize(
    ("factor", "steps"),
    [(0.5, 7), (0.1, 2), (0.8, 21), (1.0, 30)],  # the least n with factor ** n <= 0.01
)
def test_horizon_of_a_shrinking_rotation_is_known(rng, factor, steps):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    model = keras.Sequential([linear_rnn(factor * rotation)])
    flow = gradient_flow(model, rng.normal(size=(2, 30, 3)), np.zeros((2, 3)), loss="mse")
    assert flow.horizon() == steps


def test_horizon_lines_up_sequences_of_unequal_length(rng):
    x = rng.normal(size=(2, 30, 3))
    x[0, 12:] = 0.0
    model = keras.Sequential([keras.layers.Masking(), linear_rnn(0.5 * np.eye(3), name="memory")])
    flow = gradient_flow(model, x, np.zeros((2, 3)), loss="mse")
    assert np.isnan(flow.hidden["memory"][0, 12:]).all()
    assert np.isfinite(flow.hidden["memory"][0, :12]).all()
    assert flow.horizon("memory") == 7


def test_a_frozen_layer_has_the_same_gradient_flow(x):
    model = keras.Sequential([lz.LSTM(3), keras.layers.Dense(1)])
    y = np.ones((4, 1))
    before = gradient_flow(model, x, y, loss="mse").mean(state="cell")
    model.trainable = False
    after = gradient_flow(model, x, y, loss="mse").mean(state="cell")
    assert (before > 0).all()
    np.testing.assert_allclose(after, before, rtol=1e-6)


def test_gradient_flow_refuses(x):
    model = keras.Sequential([keras.layers.GRU(2, name="memory")])
    with pytest.raises(
        ValueError, match="x and y must have the same number of samples, got 4 and 3"
    ):
        gradient_flow(model, x, np.ones((3, 2)), loss="mse")
    with pytest.raises(ValueError, match="loss must be given"):
        gradient_flow(model, x, np.ones((4, 2)))
    with pytest.raises(ValueError, match="y must be finite"):
        gradient_flow(model, x, np.full((4, 2), np.inf), loss="mse")
    flow = gradient_flow(model, x, np.ones((4, 2)), loss="mse")
    with pytest.raises(ValueError, match="did you mean 'memory'"):
        flow.horizon("memry")
    with pytest.raises(ValueError, match="no layer here has a cell state"):
        flow.mean(state="cell")


# Jacobians.


def test_jacobians_of_a_linear_rnn_are_powers_of_its_weights(rng):
    weights = rng.normal(size=(4, 4)) / 2
    for layer, order in (
        (linear_rnn(weights), slice(None)),
        (linear_rnn(weights, go_backwards=True), slice(None, None, -1)),
    ):
        norms = jacobian_norms(layer, rng.normal(size=(2, 9, 4)))
        expected = [np.linalg.norm(np.linalg.matrix_power(weights, 8 - t), 2) for t in range(9)]
        np.testing.assert_allclose(norms.hidden[:, order], [expected] * 2, rtol=1e-4)
        np.testing.assert_allclose(norms.one_step, np.linalg.norm(weights, 2), rtol=1e-5)
        radius = np.abs(np.linalg.eigvals(weights)).max()
        np.testing.assert_allclose(norms.spectral_radius, radius, rtol=1e-5)
        assert norms.cell is None


class InTurn(lz.cells.Cell):
    """A linear cell that multiplies its state by [[0, 2], [0, 0]] or by its transpose.

    Which one, the input says.
    """

    gate_names = ("up", "down", "take_up", "take_down")

    def step(self, z, states):
        up, down, take_up, take_down = keras.ops.split(z, 4, axis=-1)
        return {"hidden_state": take_up * up + take_down * down}


def test_radius_of_0_at_every_step_keeps_no_gradient_from_exploding():
    """What the docstring says of products of different matrices: ten pairs, norm 4 ** 10."""
    up, none = np.array([[0.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2))
    layer = keras.layers.RNN(InTurn(2, use_bias=False))
    layer.build((None, None, 2))
    kernel = np.zeros((2, 8))
    kernel[0, 4:6] = kernel[1, 6:] = 1.0
    layer.set_weights([kernel, np.concatenate([up, up.T, none, none], axis=1)])
    x = np.tile(np.eye(2), (11, 1))[None, :21]  # from the first state on, 20 steps
    norms = jacobian_norms(layer, x)
    np.testing.assert_array_equal(norms.spectral_radius, 0)
    np.testing.assert_allclose(norms.one_step, 2)
    assert norms.hidden[0, 0] == 4.0**10
    for text in (inspection.JacobianNorms.__doc__, PAGE):
        assert "radius 0" in text
        assert "throughout" not in text


def test_norms_below_1_at_every_step_make_the_gradient_vanish(x):
    layer = keras.layers.SimpleRNN(4, recurrent_initializer=keras.initializers.Orthogonal(0.9))
    norms = jacobian_norms(layer, x)
    assert (norms.one_step < 0.9001).all()
    bound = np.cumprod(norms.one_step[:, :0:-1], axis=1)[:, ::-1]
    assert (norms.hidden[:, :-1] <= bound * 1.0001).all()


def test_jacobians_of_an_lstm_equal_finite_differences(x):
    layer, t = lz.LSTM(3, recurrent_initializer="glorot_normal"), 6
    norms = jacobian_norms(layer, x)
    seen = trace(layer, x)
    weights = [w.numpy().astype("float64") for w in layer.weights]
    rest = x[:1, t + 1 :].astype("float64")
    o, h, c = (
        v[0, t].astype("float64") for v in (seen.output_gate, seen.hidden_state, seen.cell_state)
    )

    def last(h, c, rest=rest):
        hidden, cell = lz.lstm_in_numpy(rest, *weights, h[None], c[None])
        return hidden[0, -1], cell[0, -1]

    def jacobian(function, at):
        columns = [
            finite_differences(lambda a, k=k: function(a)[k], at) for k in range(len(function(at)))
        ]
        return np.stack(columns)

    dh = jacobian(lambda h: last(h, c)[0], h)
    dc = jacobian(lambda c: last(o * np.tanh(c), c)[1], c)
    step = jacobian(
        lambda s: np.concatenate(last(s[:3], s[3:], rest[:, :1])), np.concatenate([h, c])
    )
    assert norms.hidden[0, t] == pytest.approx(np.linalg.norm(dh, 2), rel=1e-3)
    assert norms.cell[0, t] == pytest.approx(np.linalg.norm(dc, 2), rel=1e-3)
    assert norms.one_step[0, t + 1] == pytest.approx(np.linalg.norm(step, 2), rel=1e-3)
    radius = np.abs(np.linalg.eigvals(step)).max()
    assert norms.spectral_radius[0, t + 1] == pytest.approx(radius, rel=1e-3)
    np.testing.assert_allclose(norms.hidden[:, -1], 1.0, rtol=1e-6)
    np.testing.assert_allclose(norms.cell[:, -1], 1.0, rtol=1e-6)


def test_jacobian_norms_refuses(x):
    with pytest.raises(ValueError, match="layer must be one recurrent layer"):
        jacobian_norms(keras.layers.Bidirectional(lz.LSTM(2)), x)
    with pytest.raises(ValueError, match="x must be of shape"):
        jacobian_norms(lz.LSTM(2), x[0])


# Saliency.


def test_saliency_of_a_linear_model_is_known(x, rng):
    weights = rng.normal(size=(3, 3)) / 2
    head = keras.layers.Dense(2)
    model = keras.Sequential([linear_rnn(weights), head])
    slopes = saliency(model, x, target=1)
    readout = head.kernel.numpy()[:, 1]
    expected = [np.linalg.matrix_power(weights, 11 - t) @ readout for t in range(12)]
    assert slopes.dtype == np.float32
    np.testing.assert_allclose(slopes, [expected] * 4, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        saliency(model, x, target=1, method="integrated"), x * expected, rtol=1e-3, atol=1e-6
    )


def test_integrated_gradients_add_up_to_the_difference_from_the_baseline(x, rng):
    """The completeness axiom of Sundararajan et al. 2017."""
    model = keras.Sequential([keras.layers.LSTM(8), keras.layers.Dense(3, activation="softmax")])
    baseline = rng.normal(size=(12, 3))
    for start in (None, baseline):
        shares = saliency(model, 3 * x, target=2, method="integrated", baseline=start)
        from_start = np.zeros_like(x) if start is None else np.broadcast_to(start, x.shape)
        change = numpy_of(model(3 * x))[:, 2] - numpy_of(model(from_start))[:, 2]
        np.testing.assert_allclose(shares.sum(axis=(1, 2)), change, atol=1e-4)


def test_saliency_picks_the_target(x):
    model = keras.Sequential([keras.layers.LSTM(8), keras.layers.Dense(3, activation="softmax")])
    each = [saliency(model, x, target=k) for k in range(3)]
    largest = numpy_of(model(x)).argmax(axis=1)
    np.testing.assert_array_equal(saliency(model, x), [each[k][n] for n, k in enumerate(largest)])
    mixed = saliency(model, x, target=np.array([0, 1, 2, 0]))
    np.testing.assert_array_equal(mixed, [each[k][n] for n, k in enumerate([0, 1, 2, 0])])
    sequences = keras.Sequential([keras.layers.LSTM(8, return_sequences=True)])
    slopes = saliency(sequences, x, target=(4, 7))
    assert (slopes[:, 5:] == 0).all()
    assert (slopes[:, :5] != 0).all()


@pytest.mark.slow
def test_saliency_refuses(x):
    model = keras.Sequential([lz.LSTM(8), keras.layers.Dense(3)])
    for target in (3, -4, "a", (0, 1), np.zeros(3, int)):
        with pytest.raises(
            ValueError, match=r"target must be an index into outputs of shape \(3,\)"
        ):
            saliency(model, x, target=target)
    with pytest.raises(ValueError, match="method must be one of"):
        saliency(model, x, method="integral")
    tokens = keras.Input((4,), dtype="int32")
    words = keras.Model(tokens, lz.LSTM(2)(keras.ops.one_hot(tokens, 5)))
    with pytest.raises(ValueError, match="x must reach the output .* or through an Embedding"):
        saliency(words, np.ones((2, 4), int))


def test_saliency_of_a_token_is_that_of_its_embedding(rng):
    """For a linear model of embedded tokens, compared with NumPy; token 0 is masked."""
    weights = rng.normal(size=(3, 3)) / 2
    embedding, head = keras.layers.Embedding(6, 3, mask_zero=True), keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((4,)), embedding, linear_rnn(weights), head])
    tokens = np.array([[3, 5, 1, 2], [4, 2, 0, 0]])
    vectors, readout = embedding.embeddings.numpy(), head.kernel.numpy()[:, 1]
    slopes = np.zeros((2, 4, 3))
    for n, steps in enumerate((4, 2)):
        slopes[n, :steps] = [
            np.linalg.matrix_power(weights, steps - 1 - t) @ readout for t in range(steps)
        ]
    norms = np.linalg.norm(slopes, axis=-1)
    for given in (tokens, tokens.tolist(), tokens.astype(float)):
        np.testing.assert_allclose(saliency(model, given, target=1), norms, rtol=1e-4, atol=1e-6)
    shares = saliency(model, tokens, target=1, method="integrated", steps=2)
    expected = (slopes * vectors[tokens]).sum(axis=-1)
    np.testing.assert_allclose(shares, expected, rtol=1e-3, atol=1e-6)
    shares = saliency(model, tokens, target=1, method="integrated", baseline=5, steps=2)
    expected = (slopes * (vectors[tokens] - vectors[5])).sum(axis=-1)
    np.testing.assert_allclose(shares, expected, rtol=1e-3, atol=1e-6)


def test_saliency_of_tokens_is_the_finite_difference_of_their_vectors(rng):
    options = {"vocabulary_size": 20, "mask_value": 0, "lstm_units": 4, "dense_units": 4}
    model = lz.build_classifier((None,), 3, **options)
    tokens = np.array([[3, 5, 7, 0]])
    model.get_layer("probabilities").set_weights([rng.normal(size=(4, 3)), np.zeros(3)])
    got = saliency(model, tokens, target=2)
    embedding, differences = model.get_layer("embedding"), np.zeros((4, 32))
    before = embedding.embeddings.numpy()
    for t, token in enumerate([3, 5, 7]):
        for k in range(32):
            sides = []
            for step in (1e-2, -1e-2):
                moved = before.copy()
                moved[token, k] += step
                embedding.embeddings.assign(moved)
                sides.append(numpy_of(model(tokens))[0, 2])
            differences[t, k] = (sides[0] - sides[1]) / 2e-2
    embedding.embeddings.assign(before)
    np.testing.assert_allclose(got, [np.linalg.norm(differences, axis=1)], rtol=2e-2, atol=1e-5)
    assert got[0, 3] == 0
    assert "call" not in vars(embedding)


def test_saliency_of_several_inputs_has_one_result_for_each(rng):
    """Integrated gradients of all inputs together add up to the output's difference."""
    model = lz.build_forecaster((5, 2), 3, known_future=1, static=2, lstm_units=4, dense_units=3)
    x = {
        "sequence": rng.normal(size=(2, 5, 2)),
        "known_future": rng.normal(size=(2, 3, 1)),
        "static": rng.normal(size=(2, 2)),
    }
    shares = saliency(model, x, target=1, method="integrated")
    assert {name: share.shape for name, share in shares.items()} == {
        name: part.shape for name, part in x.items()
    }
    zeros = {name: np.zeros_like(part) for name, part in x.items()}
    change = numpy_of(model(x))[:, 1] - numpy_of(model(zeros))[:, 1]
    total = sum(share.reshape(2, -1).sum(axis=1) for share in shares.values())
    np.testing.assert_allclose(total, change, atol=1e-4)
    half = {name: part / 2 for name, part in x.items()}
    again = saliency(model, x, target=1, method="integrated", baseline=half)
    change = numpy_of(model(x))[:, 1] - numpy_of(model(half))[:, 1]
    total = sum(share.reshape(2, -1).sum(axis=1) for share in again.values())
    np.testing.assert_allclose(total, change, atol=1e-4)
    with pytest.raises(ValueError, match="baseline must be None or have the structure of x"):
        saliency(model, x, method="integrated", baseline=0.0)
    with pytest.raises(ValueError, match="inputs in x must have the same number .*, got 2, 2, 1"):
        saliency(model, {**x, "static": np.zeros((1, 2))})


def test_saliency_tells_apart_the_tokens_of_two_inputs():
    model = lz.build_seq2seq(9, 9, embedding_dim=4, lstm_units=4)
    x = {"source": np.array([[3, 5, 0, 0]]), "target": np.array([[1, 6, 2]])}
    slopes = saliency(model, x, target=(1, 3))
    assert {name: slope.shape for name, slope in slopes.items()} == {
        "source": (1, 4),
        "target": (1, 3),
    }
    assert (slopes["source"][0] > 0).tolist() == [True, True, False, False]
    assert (slopes["target"][0] > 0).tolist() == [True, True, False]  # step 2 reads no later one
    inputs = [keras.Input((3,), dtype="int32"), keras.Input((3,), dtype="int32")]
    shared = keras.layers.Embedding(9, 4)
    read = [lz.LSTM(3)(shared(side)) for side in inputs]
    model = keras.Model(inputs, keras.layers.Dense(1)(read[0] + 0 * read[1]))
    first, second = saliency(model, [x["target"], x["target"]])
    assert (first > 0).all()
    assert (second == 0).all()


# Summaries of gates.


def hand_made(values, mask=None, kind="lstm"):
    return Trace("memory", kind, np.zeros((1, 4, 1), "float32"), values, mask)


def test_gate_summary_counts_closed_open_dead_and_lasting_units():
    forget = np.array([[[0.5, 0.95], [0.5, 0.95], [0.5, 0.05], [0.5, 0.5]]], "float32")
    shut = np.array([[[0.01, 0.5], [0.02, 0.5], [0.99, 0.5], [0.05, 0.5]]], "float32")
    hidden = np.array([[[0.0, 0.3], [0.009, 0.0], [-0.009, 0.0], [0.0, 0.0]]], "float32")
    summary = gate_summary(
        hand_made({"input_gate": shut, "forget_gate": forget, "hidden_state": hidden})
    )
    np.testing.assert_array_equal(summary.below["forget_gate"], [0, 0.25])
    np.testing.assert_array_equal(summary.above["forget_gate"], [0, 0.5])
    np.testing.assert_array_equal(summary.below["input_gate"], [0.75, 0])
    np.testing.assert_array_equal(summary.saturated["input_gate"], [True, False])
    np.testing.assert_array_equal(summary.saturated["forget_gate"], [False, False])
    np.testing.assert_array_equal(summary.dead, [True, False])
    # Four steps leave 0.5 ** 4 of the one unit, and 0.95 * 0.95 * 0.05 * 0.5 of the other.
    four_steps = np.log(0.95 * 0.95 * 0.05 * 0.5)
    np.testing.assert_allclose(summary.half_life, [1.0, 4 * np.log(0.5) / four_steps], rtol=1e-4)


def test_gate_summary_ignores_masked_steps():
    gate = np.array([[[0.95], [0.95], [np.nan], [np.nan]]], "float32")
    summary = gate_summary(
        hand_made({"update_gate": gate, "hidden_state": gate}, np.isfinite(gate[..., 0]), "gru")
    )
    assert summary.above["update_gate"] == 1.0
    assert summary.half_life[0] == pytest.approx(np.log(0.5) / np.log(0.95), rel=1e-6)


def test_a_gate_that_never_closes_remembers_for_ever(x):
    gate = np.ones((1, 4, 1), "float32")
    assert gate_summary(hand_made({"forget_gate": gate, "hidden_state": gate})).half_life == np.inf
    assert gate_summary(trace(keras.layers.SimpleRNN(2), x)).half_life is None


def test_half_life_is_that_of_the_product_of_the_gates():
    """Open at 9 steps of 10 and nearly shut at one, 1 % is left after 10: 10 ln 2 / ln 100."""
    gate = np.ones((2, 10, 1), "float32")
    gate[0, 3] = gate[1, 7] = 0.01
    summary = gate_summary(hand_made({"forget_gate": gate, "hidden_state": gate}))
    assert summary.half_life[0] == pytest.approx(1.505, abs=1e-3)
    gate[0, 0] = 0.0  # once shut whole, nothing is left
    assert gate_summary(hand_made({"update_gate": gate, "hidden_state": gate})).half_life[0] == 0


def test_gate_summary_refuses(x):
    both = trace(keras.layers.Bidirectional(lz.LSTM(2)), x)
    with pytest.raises(ValueError, match="pass its .forward or .backward"):
        gate_summary(both)
    value = np.full((1, 4, 1), np.nan, "float32")
    with pytest.raises(ValueError, match="at least one unmasked step"):
        gate_summary(hand_made({"hidden_state": value}, np.zeros((1, 4), bool)))


# A trained model on real data.


@pytest.mark.slow
def test_trace_of_a_trained_model_equals_the_outputs_of_its_layers(trained):
    model, data = trained
    x = data.x_test[:64]
    recurrent = [layer for layer in model.layers if isinstance(layer, lz.LSTM)]
    seen = [trace(model, x, layer) for layer in recurrent]
    lengths = seen[0].mask.sum(axis=1)
    np.testing.assert_array_equal(lengths, data.lengths_test[:64])
    counts = seen[0].mask
    scaled = keras.Model(model.inputs, model.get_layer("normalise").output)(x).numpy()
    np.testing.assert_allclose(seen[0].inputs[counts], scaled[counts], atol=1e-6)
    np.testing.assert_allclose(seen[1].inputs[counts], seen[0].hidden_state[counts], atol=TOLERANCE)
    last = seen[1].hidden_state[np.arange(64), lengths - 1]
    until = keras.Model(model.inputs, recurrent[1].output)
    np.testing.assert_allclose(last, until.predict(x, verbose=0), atol=TOLERANCE)


@pytest.mark.slow
def test_gradients_of_a_trained_model_reach_back_some_steps_and_stay_finite(trained):
    model, data = trained
    x, y = data.x_test[:64], data.y_test[:64]
    flow = gradient_flow(model, x, y)
    inside = np.arange(29) < data.lengths_test[:64, None]
    for norms in (*flow.hidden.values(), *flow.cell.values()):
        np.testing.assert_array_equal(np.isfinite(norms), inside)
        assert (norms[inside] > 0).all()
    assert all(1 < flow.horizon(name) <= 29 for name in flow.hidden)


@pytest.mark.slow
def test_saliency_of_a_trained_model_is_complete_and_blind_to_padding(trained):
    model, data = trained
    x = data.x_test[:16]
    shares = saliency(model, x, target=3, method="integrated", steps=512)
    padding = np.arange(29) >= data.lengths_test[:16, None]
    assert (shares[padding] == 0).all()
    nearly_zero = np.where(padding[..., None], x, 1e-6)  # zeros themselves would all be masked
    change = numpy_of(model(x))[:, 3] - numpy_of(model(nearly_zero))[:, 3]
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), change, atol=5e-3)


def test_gates_of_a_trained_model_have_half_lives_of_steps(trained):
    model, data = trained
    summary = gate_summary(trace(model, data.x_test[:64]))
    assert (summary.half_life > 0).all()
    assert not summary.dead.any()
    for gate in ("input_gate", "forget_gate", "output_gate"):
        assert (summary.below[gate] + summary.above[gate] <= 1).all()


def test_jacobians_of_a_trained_layer_explain_its_gradient_flow(trained):
    """The loss reads the last state alone, so dL/dh_t is at most |dL/dh_T| |dh_T/dh_t|."""
    model, data = trained
    full = np.flatnonzero(data.lengths_test >= 20)[:4]
    x, y = data.x_test[full, :20], data.y_test[full]
    layer = [layer for layer in model.layers if isinstance(layer, lz.LSTM)][-1]
    norms = jacobian_norms(layer, trace(model, x, layer).inputs)
    flow = gradient_flow(model, x, y, loss="sparse_categorical_crossentropy").hidden[layer.name]
    assert (flow <= flow[:, -1:] * norms.hidden * 1.001).all()
