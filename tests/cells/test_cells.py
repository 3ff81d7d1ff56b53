"""The cells, compared with their equations by hand, NumPy, finite differences and Keras."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_zoo import LSTMCell, PeepholeLSTMCell, cells, lstm_in_numpy

BATCH, STEPS, FEATURES, UNITS = 3, 4, 2, 3
CELLS = {"lstm": LSTMCell, "peephole": PeepholeLSTMCell}


def peephole_in_numpy(x, kernel, recurrent_kernel, bias, peephole, h, c):
    """Gers & Schmidhuber 2000, gate by gate, each with weights of its own."""
    W_i, W_f, W_g, W_o = np.split(kernel, 4, axis=1)
    U_i, U_f, U_g, U_o = np.split(recurrent_kernel, 4, axis=1)
    b_i, b_f, b_g, b_o = np.split(bias, 4)
    p_i, p_f, p_o = peephole
    hidden, cell = [], []
    for t in range(x.shape[1]):
        x_t = x[:, t]
        i = 1 / (1 + np.exp(-(x_t @ W_i + h @ U_i + p_i * c + b_i)))
        f = 1 / (1 + np.exp(-(x_t @ W_f + h @ U_f + p_f * c + b_f)))
        g = np.tanh(x_t @ W_g + h @ U_g + b_g)
        c = f * c + i * g
        o = 1 / (1 + np.exp(-(x_t @ W_o + h @ U_o + p_o * c + b_o)))
        h = o * np.tanh(c)
        hidden.append(h)
        cell.append(c)
    return np.stack(hidden, axis=1), np.stack(cell, axis=1)


def in_numpy(kind, x, h, c, weights):
    if kind == "peephole":
        return peephole_in_numpy(x, *weights, h, c)
    return lstm_in_numpy(x, *weights, h, c)


def random_problem(kind, rng, batch=BATCH, steps=STEPS, features=FEATURES, units=UNITS):
    """Input, first states, and the weights in the order in which the cell keeps them."""
    shapes = [(features, 4 * units), (units, 4 * units), (4 * units,)]
    if kind == "peephole":
        shapes.append((3, units))
    x = rng.normal(size=(batch, steps, features))
    h, c = rng.normal(size=(2, batch, units))
    return x, h, c, [rng.normal(size=shape) for shape in shapes]


def cell_with(weights, kind="lstm", **kwargs):
    cell = CELLS[kind](weights[1].shape[0], dtype="float64", **kwargs)
    cell.build((None, weights[0].shape[0]))
    cell.set_weights(weights)
    return cell


def run(cell, x, h, c):
    """The cell step by step over `x`: hidden state and cell state at every step."""
    hidden, memory = [], []
    for t in range(x.shape[1]):
        _, (h, c) = cell(x[:, t], [h, c])
        hidden.append(h)
        memory.append(c)
    return keras.ops.stack(hidden, axis=1), keras.ops.stack(memory, axis=1)


# The equations, worked by hand


def test_closed_form_of_zero_weights_halves_the_cell_state_at_every_step():
    # All gates are sigmoid(0) = 1/2 and the candidate is tanh(0) = 0, so c_t = c_0 / 2^t.
    cell = LSTMCell(1, kernel_initializer="zeros", recurrent_initializer="zeros", forget_bias=0.0)
    hidden, memory = run(cell, np.ones((1, 3, 1), "float32"), np.zeros((1, 1)), np.ones((1, 1)))
    np.testing.assert_allclose(memory[0, :, 0], [0.5, 0.25, 0.125], rtol=1e-7)
    np.testing.assert_allclose(hidden[0, :, 0], 0.5 * np.tanh([0.5, 0.25, 0.125]), rtol=1e-6)


@pytest.mark.parametrize(
    ("forget_bias", "gate"), [(1.0, 0.731058578630005), (3.0, 0.952574126822433)]
)
def test_forget_bias_sets_how_much_of_the_cell_state_stays(forget_bias, gate):
    cell = LSTMCell(
        1, kernel_initializer="zeros", recurrent_initializer="zeros", forget_bias=forget_bias
    )
    _, memory = run(cell, np.ones((1, 3, 1), "float32"), np.zeros((1, 1)), np.ones((1, 1)))
    np.testing.assert_allclose(memory[0, :, 0], [gate, gate**2, gate**3], rtol=1e-6)


# Two steps of one unit with x = 1, -2 and every W = U = 1, b = 0, worked in 40 decimal digits.
TWO_STEPS = {
    "cell_state": [0.556769941145940, -0.060490448984917],
    "hidden_state": [0.369606352935706, -0.009894844768802],
}


@pytest.mark.parametrize("through", ["cell", "numpy"])
def test_two_steps_worked_by_hand(through):
    x, state = np.array([[[1.0], [-2.0]]]), np.zeros((1, 1))
    weights = [np.ones((1, 4)), np.ones((1, 4)), np.zeros(4)]
    if through == "cell":
        hidden, memory = run(cell_with(weights), x, state, state)
    else:
        hidden, memory = lstm_in_numpy(x, *weights)
    np.testing.assert_allclose(memory[0, :, 0], TWO_STEPS["cell_state"], atol=1e-14)
    np.testing.assert_allclose(hidden[0, :, 0], TWO_STEPS["hidden_state"], atol=1e-14)


def test_gates_carry_their_names():
    cell = LSTMCell(1, dtype="float64")
    z = np.array([[0.0, 1.0, 0.5, -1.0]])
    now = cell.step(z, [None, np.array([[2.0]])])
    c = 0.731058578630005 * 2.0 + 0.5 * np.tanh(0.5)
    expected = {
        "input_gate": 0.5,
        "forget_gate": 0.731058578630005,
        "candidate": np.tanh(0.5),
        "output_gate": 1 - 0.731058578630005,
        "cell_state": c,
        "hidden_state": (1 - 0.731058578630005) * np.tanh(c),
    }
    assert list(now) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(now[name], [[value]], rtol=1e-13)


# Against NumPy, finite differences and Keras


@pytest.mark.parametrize("kind", CELLS)
@settings(max_examples=10)
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_cell_equals_numpy_to_12_digits_in_float64(kind, shape, seed):
    x, h, c, weights = random_problem(kind, np.random.default_rng(seed), *shape)
    expected = in_numpy(kind, x, h, c, weights)
    got = run(cell_with(weights, kind), x, h, c)
    for g, e in zip(got, expected):
        assert keras.backend.standardize_dtype(g.dtype) == "float64"
        np.testing.assert_allclose(g, e, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", CELLS)
def test_gradient_equals_finite_differences(kind):
    rng = np.random.default_rng(1)
    x, h, c, weights = random_problem(kind, rng)
    pull = rng.normal(size=(2, BATCH, STEPS, UNITS))  # makes one number of all states

    cell = cell_with(weights, kind)
    variables = [tf.Variable(value) for value in (x, h, c)]
    with tf.GradientTape() as tape:
        hidden, memory = run(cell, *variables)
        loss = tf.reduce_sum(hidden * pull[0] + memory * pull[1])
    gradients = tape.gradient(loss, [*variables, *[w.value for w in cell.weights]])

    arrays = [x, h, c, *weights]

    def loss_in_numpy():
        return np.sum(np.stack(in_numpy(kind, *arrays[:3], arrays[3:])) * pull)

    for array, gradient in zip(arrays, gradients):
        np.testing.assert_allclose(
            gradient, central_differences(loss_in_numpy, array), rtol=1e-7, atol=1e-8
        )


def central_differences(function, array, step=1e-5):
    """d function() / d array, one entry after the other; `function` reads `array`."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(*array.shape):
        start = array[index]
        array[index] = start + step
        above = function()
        array[index] = start - step
        below = function()
        array[index] = start
        gradient[index] = (above - below) / (2 * step)
    return gradient


def test_peephole_cell_without_peepholes_is_the_lstm_cell():
    x, h, c, weights = random_problem("lstm", np.random.default_rng(2))
    peephole = cell_with([*weights, np.zeros((3, UNITS))], "peephole")
    for got, expected in zip(run(peephole, x, h, c), lstm_in_numpy(x, *weights, h, c)):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_weights_move_to_and_from_the_keras_cell():
    x, h, c, weights = random_problem("lstm", np.random.default_rng(3))
    theirs = keras.layers.LSTMCell(UNITS, dtype="float64")
    theirs.build((None, FEATURES))
    theirs.set_weights(weights)
    ours = cell_with(theirs.get_weights())
    for got, expected in zip(run(ours, x, h, c), run(theirs, x, h, c)):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    theirs.set_weights([np.zeros_like(w) for w in weights])
    theirs.set_weights(ours.get_weights())
    for got, expected in zip(theirs.get_weights(), weights):
        np.testing.assert_array_equal(got, expected)


def test_arguments_are_in_the_order_of_the_keras_cell():
    theirs = list(inspect.signature(keras.layers.LSTMCell.__init__).parameters)
    ours = list(inspect.signature(LSTMCell.__init__).parameters)
    assert ours[: len(theirs) - 1] == theirs[:-1]  # the last is **kwargs


def test_cells_do_not_depend_on_a_backend():
    assert "tensorflow" not in inspect.getsource(cells)


# How the weights start, and what holds them


def test_same_seeds_give_the_weights_that_keras_starts_with():
    arguments = {
        "kernel_initializer": keras.initializers.GlorotNormal(seed=1),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=2),
        "bias_initializer": keras.initializers.RandomNormal(seed=3),
    }
    ours, theirs = LSTMCell(UNITS, **arguments), keras.layers.LSTMCell(UNITS, **arguments)
    for cell in (ours, theirs):
        cell.build((None, FEATURES))
    for got, expected in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("arguments", "bias"),
    [
        ({}, [0, 0, 1, 1, 0, 0, 0, 0]),
        ({"forget_bias": 2.5}, [0, 0, 2.5, 2.5, 0, 0, 0, 0]),
        ({"bias_initializer": "ones", "forget_bias": -1.0}, [1, 1, -1, -1, 1, 1, 1, 1]),
        ({"unit_forget_bias": False, "forget_bias": 3.0}, [0] * 8),
    ],
)
def test_bias_starts_at_zero_except_for_the_forget_gate(arguments, bias):
    cell = LSTMCell(2, **arguments)
    cell.build((None, FEATURES))
    np.testing.assert_array_equal(cell.bias, bias)


def test_cell_without_bias_has_none():
    cell = LSTMCell(2, use_bias=False)
    cell.build((None, FEATURES))
    assert cell.bias is None
    assert [tuple(w.shape) for w in cell.weights[:2]] == [(FEATURES, 8), (2, 8)]
    assert len(cell.trainable_weights) == 2


def test_each_regularizer_applies_to_its_own_matrix():
    cell = LSTMCell(
        1,
        kernel_initializer=keras.initializers.Constant(2.0),
        recurrent_initializer=keras.initializers.Constant(3.0),
        bias_initializer=keras.initializers.Constant(5.0),
        unit_forget_bias=False,
        kernel_regularizer=keras.regularizers.L1(0.1),
        recurrent_regularizer=keras.regularizers.L1(0.01),
        bias_regularizer=keras.regularizers.L1(0.001),
    )
    cell.build((None, FEATURES))  # |W| sums to 2 * 4 * 2, |U| to 4 * 3, |b| to 4 * 5
    np.testing.assert_allclose(sorted(map(float, cell.losses)), [0.02, 0.12, 1.6], rtol=1e-6)


def test_constraints_hold_after_a_step_of_training():
    limit = {"kernel": 0.1, "recurrent": 0.2, "bias": 0.3}
    layer = keras.layers.RNN(
        LSTMCell(
            2, **{f"{role}_constraint": keras.constraints.MaxNorm(m) for role, m in limit.items()}
        )
    )
    x = np.ones((2, 3, FEATURES), "float32")
    optimizer = keras.optimizers.SGD(10.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x))
    optimizer.apply(
        tape.gradient(loss, [w.value for w in layer.trainable_weights]), layer.trainable_weights
    )
    for weight, most in zip(layer.trainable_weights, limit.values()):
        norms = np.linalg.norm(weight.numpy(), axis=0)
        assert np.all(norms <= most + 1e-6)
        assert np.any(norms > most - 1e-3)


# Inside Keras's own wrappers


@pytest.mark.parametrize("masked", [False, True])
def test_keras_rnn_runs_a_stack_of_our_cells_as_of_its_own(masked):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
    mask = rng.random((BATCH, STEPS)) < 0.6 if masked else None
    ours = keras.layers.RNN([LSTMCell(3), LSTMCell(2)], return_sequences=True, return_state=True)
    theirs = keras.layers.RNN(
        [keras.layers.LSTMCell(3), keras.layers.LSTMCell(2)],
        return_sequences=True,
        return_state=True,
    )
    theirs.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    got, expected = (keras.tree.flatten(layer(x, mask=mask)) for layer in (ours, theirs))
    assert len(got) == len(expected) == 5
    for g, e in zip(got, expected):
        np.testing.assert_allclose(g, e, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "dropout",
    [
        {"dropout": 0.4},
        {"recurrent_dropout": 0.4},
        {"dropout": 0.3, "recurrent_dropout": 0.4},
        {"dropout": 0.4, "implementation": 1},
    ],
    ids=str,
)
def test_same_seed_gives_the_dropout_masks_of_the_keras_cell(dropout):
    x = np.random.default_rng(5).normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
    ours = keras.layers.RNN(LSTMCell(UNITS, seed=7, **dropout))
    theirs = keras.layers.RNN(keras.layers.LSTMCell(UNITS, seed=7, **dropout))
    for layer in (ours, theirs):
        layer.build(x.shape)
    ours.cell.kernel.assign(theirs.cell.kernel)
    ours.cell.recurrent_kernel.assign(theirs.cell.recurrent_kernel)
    for _ in range(2):  # the second call draws new masks
        np.testing.assert_allclose(
            ours(x, training=True), theirs(x, training=True), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("kind", CELLS)
def test_configuration_holds_every_argument(kind):
    arguments = {
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
        "kernel_constraint": keras.constraints.MaxNorm(1.0),
        "recurrent_constraint": keras.constraints.MaxNorm(2.0),
        "bias_constraint": keras.constraints.MaxNorm(3.0),
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "seed": 11,
        "forget_bias": 4.0,
        "implementation": 1,
    }
    if kind == "peephole":
        arguments["peephole_initializer"] = keras.initializers.Constant(4.0)
    config = CELLS[kind](**arguments).get_config()
    again = CELLS[kind].from_config(config)
    for name, value in arguments.items():
        for held in (config[name], again.get_config()[name]):
            if hasattr(value, "get_config"):
                assert held["config"] == value.get_config()
            else:
                assert held == value


# Wrong input


@pytest.mark.parametrize("units", [0, -3, 2.0, True, "8", None])
def test_units_must_be_a_positive_integer(units):
    with pytest.raises(
        ValueError, match=rf"units must be a whole number of at least 1, got {units!r}"
    ):
        LSTMCell(units)


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan"), "0.5", None])
def test_dropout_rates_must_be_fractions(name, rate):
    with pytest.raises(ValueError, match=rf"^{name} must be a fraction .* got {rate!r}"):
        LSTMCell(8, **{name: rate})


def test_numpy_integer_is_a_number_of_units():
    assert LSTMCell(np.int64(3)).get_config()["units"] == 3
