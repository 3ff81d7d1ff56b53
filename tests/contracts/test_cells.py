"""The contract of every registered cell; a new cell is tested as soon as it is registered."""

import functools
import os
import pathlib
import runpy

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo import cells, layers
from lstm_zoo.cells.registry import derivatives
from lstm_zoo.recurrence import bptt, compiled, custom_gradient, engines, shards

BATCH, STEPS, FEATURES, UNITS = 3, 5, 3, 3
MASK = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]], bool)


@cells.register("leaky of the contract")
class LeakyCell(cells.Cell):
    """The cell of CONTRIBUTING.md: no LSTM, one state, no layer class, no derivatives by hand."""

    gate_names = ("candidate",)

    def step(self, z, states):
        [h] = states
        g = keras.ops.tanh(z)
        return {"candidate": g, "hidden_state": 0.9 * h + 0.1 * g}


@cells.register("mixing of the contract")
class MixingCell(cells.Cell):
    """Three states of two widths, two of which recur, and a step that mixes units."""

    gate_names = ("candidate", "keep_gate")
    state_names = ("hidden_state", "cell_state", "sum_state")
    recurrent_names = ("hidden_state", "sum_state")
    elementwise = False

    @property
    def state_size(self):
        return [self.units, self.units, 1]

    def step(self, z, states):
        _, c, total = states
        g, k = keras.ops.split(z, 2, axis=-1)
        g, k = keras.ops.tanh(g), keras.ops.sigmoid(k)
        c = k * c + (1 - k) * g
        total = keras.ops.tanh(total + keras.ops.sum(c, axis=-1, keepdims=True))
        h = c / keras.ops.sqrt(1 + keras.ops.mean(c * c, axis=-1, keepdims=True))
        names = ("candidate", "keep_gate", "hidden_state", "cell_state", "sum_state")
        return dict(zip(names, (g, k, h, c, total)))


every_cell = pytest.mark.parametrize("name", cells.names())
# One of each sort: the plain one, with peepholes, no mixing of units, time gaps, in parallel, new.
SOME = ("lstm", "peephole", "layer_norm", "gru_d", "min_lstm", "leaky of the contract")
some_in_short = pytest.mark.short(name=SOME)
COMPILED = ("lstm", "slstm", "leaky of the contract", "mixing of the contract")
PLAIN = {
    f"_{name}": shards.in_shards(compiled.traced(getattr(bptt, name)))
    for name in ("forward", "backward")
}


@pytest.fixture(autouse=True)
def xla_for_one_cell_of_each_kind(request, monkeypatch):
    """XLA compiles the passes of the cells of `COMPILED`; TensorFlow runs those of the others.

    The graphs are made alike; compiling them, or one for each shard of a batch, would take most of
    the time of these tests. `make test-unchanged` compiles those of all cells.
    """
    name = request.node.callspec.params.get("name")
    if name not in COMPILED and not os.environ.get("AS_USERS_RUN"):
        for pass_of, plain in PLAIN.items():
            monkeypatch.setattr(custom_gradient, pass_of, plain)
        monkeypatch.setattr(shards, "SHARDS", 1)


def references():
    path = pathlib.Path(__file__).with_name("references.py")
    return {
        **runpy.run_path(str(path))["REFERENCES"],
        "leaky of the contract": leaky_in_numpy,
        "mixing of the contract": mixing_in_numpy,
    }


def leaky_in_numpy(x, hidden_state, W, U, b):
    return {"hidden_state": 0.9 * hidden_state + 0.1 * np.tanh(x @ W + hidden_state @ U + b)}


def mixing_in_numpy(x, hidden_state, cell_state, sum_state, W, U, b):
    z = x @ W + np.concatenate([hidden_state, sum_state], axis=1) @ U + b
    g, k = np.tanh(z[:, :UNITS]), 1 / (1 + np.exp(-z[:, UNITS:]))
    c = k * cell_state + (1 - k) * g
    total = np.tanh(sum_state + c.sum(axis=1, keepdims=True))
    h = c / np.sqrt(1 + (c**2).mean(axis=1, keepdims=True))
    return {"hidden_state": h, "cell_state": c, "sum_state": total}


def randomised(built, seed=0):
    """The cell or layer with random weights, its biases and all else that starts at zero too."""
    rng = np.random.default_rng(seed)
    for weight in built.trainable_weights:
        weight.assign(rng.normal(scale=0.6, size=weight.shape))
    return built


def cell_of(name, dtype="float64"):
    cell = cells.get(name)(UNITS, dtype=dtype)
    cell.build((None, FEATURES))
    return randomised(cell)


def layer_of(name, dtype="float64", **options):
    layer = layers.layer_for(name, UNITS, dtype=dtype, **options)
    layer.build((None, None, FEATURES))
    return randomised(layer)


def data(dtype="float64"):
    return tf.constant(np.random.default_rng(1).normal(size=(BATCH, STEPS, FEATURES)), dtype)


def random_states(cell, dtype="float64"):
    rng = np.random.default_rng(2)
    return [tf.constant(rng.normal(size=(BATCH, size)), dtype) for size in cell.state_size]


def trainable(layer):
    """Whether two calls in training give the same: not if the cell draws something at each step."""
    return type(layer.cell).draw is cells.Cell.draw


def loss_of(outputs):
    return tf.add_n([tf.reduce_sum(tf.sin((k + 1.0) * y)) for k, y in enumerate(outputs)])


def outputs_and_gradients(layer, x, mask=None, states=None):
    sources = [x, *(states or []), *(w.value for w in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        arguments = {"initial_state": states, "mask": mask, "training": trainable(layer)}
        outputs = keras.tree.flatten(layer(x, **arguments))
        loss = loss_of(outputs)
    return [*outputs, *tape.gradient(loss, sources, unconnected_gradients="zero")]


@every_cell
def test_cell_equals_its_paper_in_numpy(name):
    cell, reference = cell_of(name), references()[name]
    x, states = data().numpy(), [s.numpy() for s in random_states(cell)]
    weights = [w.numpy() for w in cell.trainable_weights]
    expected = dict(zip(cell.state_names, states))
    for t in range(STEPS):
        output, states = cell(x[:, t], states)
        expected = reference(x[:, t], *expected.values(), *weights)
        expected = {state: expected[state] for state in cell.state_names}
        for got, wanted in zip(states, expected.values()):
            np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(output, states[0])


@every_cell
def test_cell_names_every_state_and_is_elementwise_where_it_says_so(name):
    cell = cell_of(name)
    z = tf.random.stateless_normal((BATCH, cell.width_of_z), [1, 2], dtype=tf.float64)
    states = random_states(cell)
    extra = {name: tf.ones((BATCH, size), "float64") for name, size in cell.extra_sizes.items()}
    now = cell.step(z, states, **extra)
    assert set(cell.state_names) <= set(now)
    assert set(cell.recurrent_names) <= set(cell.state_names)
    assert [now[state].shape[-1] for state in cell.state_names] == cell.state_size
    if not cell.elementwise:
        return
    disturbed = tf.reshape(z, (BATCH, -1, UNITS)) + tf.one_hot(1, UNITS, dtype=tf.float64)
    moved = [state + tf.one_hot(1, UNITS, dtype=tf.float64) for state in states]
    after = cell.step(tf.reshape(disturbed, z.shape), moved, **extra)
    for quantity, before in now.items():
        same = np.isclose(after[quantity], before, rtol=1e-12, atol=0).all(axis=0)
        assert same[[0, 2]].all(), quantity


@every_cell
def test_hand_written_derivatives_equal_autodiff(name):
    cell = cell_of(name)
    by_hand = derivatives(cell)
    if by_hand is None:
        assert name not in ("lstm", "peephole", "coupled")  # these were written by hand
        return
    z = tf.random.stateless_normal((BATCH, sum(cell.gate_sizes)), [1, 2], dtype=tf.float64)
    states = random_states(cell)
    slopes, total = by_hand(cell, z, states), {}
    for later, of in reversed(list(enumerate(cell.state_names))):
        # What a state owes to the states that stand later, it owes to what those are made of.
        total[of] = {by: s for (o, by), s in slopes.items() if o == of}
        for by in cell.state_names[later + 1 :]:
            through = total[of].pop(by, 0)
            for source, slope in total[by].items():
                total[of][source] = total[of].get(source, 0) + through * slope
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([z, *states])
        now = cell.step(z, states)
        now = {of: tf.reduce_sum(now[of]) for of in cell.state_names}
    for of in cell.state_names:
        dz, *ds = tape.gradient(now[of], [z, *states], unconnected_gradients="zero")
        expected = dict(zip(cell.gate_names, np.split(dz, len(cell.gate_names), axis=-1)))
        expected |= {f"previous_{s}": d.numpy() for s, d in zip(cell.state_names, ds)}
        for by, slope in expected.items():
            np.testing.assert_allclose(total[of].get(by, 0 * slope), slope, rtol=1e-9, atol=1e-12)


@functools.cache
def masked_layer(name):
    """A layer, what it is called with, and what comes out with the gradients; made once."""
    layer = layer_of(name, return_sequences=True, return_state=True)
    arguments = data(), MASK, random_states(layer.cell)
    return layer, arguments, outputs_and_gradients(layer, *arguments)


def assert_equals_keras_loop(layer, arguments, ours, monkeypatch):
    assert engines.engine_for(engines.LayerCall.of_size(layer)).name != "keras"
    monkeypatch.setattr(engines, "engine_for", lambda call: engines.ENGINES["keras"]())
    for got, expected in zip(ours, outputs_and_gradients(layer, *arguments), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10)


@some_in_short
@pytest.mark.slow
@every_cell
def test_engine_of_the_cell_equals_keras_loop(name, monkeypatch):
    assert_equals_keras_loop(*masked_layer(name), monkeypatch)


@pytest.mark.short(name=("lstm",))
@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
def test_engine_without_mask_equals_keras_loop(name, monkeypatch):
    layer = layer_of(name, return_sequences=True, return_state=True)
    arguments = data(), None, random_states(layer.cell)
    ours = outputs_and_gradients(layer, *arguments)
    assert_equals_keras_loop(layer, arguments, ours, monkeypatch)


@some_in_short
@every_cell
def test_gradient_equals_finite_differences(name):
    layer, (x, mask, states), found = masked_layer(name)
    options = {"mask": mask, "initial_state": states, "training": trainable(layer)}
    weights = layer.trainable_weights
    for k, (weight, gradient) in enumerate(zip(weights, found[-len(weights) :])):
        start, direction = weight.numpy(), np.random.default_rng(k).normal(size=weight.shape)
        ends = []
        for step in (1e-6, -1e-6):
            weight.assign(start + step * direction)
            ends.append(float(loss_of(layer(x, **options))))
        weight.assign(start)
        slope = np.sum(gradient * direction)
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-6, abs=1e-8)


@some_in_short
@pytest.mark.slow
@every_cell
def test_half_precision_stays_near_to_single(name):
    single = layer_of(name, "float32", return_sequences=True)
    expected = single(data("float32"))
    policies = [("mixed_float16", 5e-3), ("mixed_bfloat16", 4e-2)]
    for policy, tolerance in policies if name in COMPILED else policies[:1]:
        half = layer_of(name, policy, return_sequences=True)
        y = half(data("float32"))
        assert y.dtype == half.compute_dtype
        np.testing.assert_allclose(tf.cast(y, "float32"), expected, atol=tolerance)


@pytest.mark.short(name=("lstm", "min_lstm", "leaky of the contract"))
@pytest.mark.slow
@every_cell
def test_model_of_every_cell_trains_saves_loads_and_exports(name, tmp_path):
    keras.utils.set_random_seed(0)
    model = lz.build_classifier(
        (STEPS, FEATURES),
        2,
        cell=name,
        lstm_units=(UNITS,),
        dense_units=(),
        bidirectional=name in COMPILED,
        mask_value=0.0,
        learning_rate=0.05,
    )
    rng = np.random.default_rng(3)
    x = rng.normal(size=(16, STEPS, FEATURES)).astype("float32")
    x[::2, 3:] = 0  # masked
    y = (x[:, 0, 0] > 0).astype(int)
    losses = lz.fit(model, x, y, epochs=15, batch_size=16, seed=0, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    expected = model(x)
    loaded = keras.models.load_model(lz.save(model, tmp_path / "model.keras"))
    np.testing.assert_allclose(loaded(x), expected, rtol=1e-5, atol=1e-6)
    if name in COMPILED:  # every other is exported by the tests of `exporting`
        model.export(tmp_path / "served", verbose=False)
        served = tf.saved_model.load(str(tmp_path / "served"))
        np.testing.assert_allclose(served.serve(x), expected, rtol=1e-5, atol=1e-6)


@some_in_short
@every_cell
def test_every_cell_is_traced_and_drawn(name):
    layer = layer_of(name, "float32", return_sequences=True, return_state=True)
    x = data("float32")
    hidden, *states = layer(x)
    seen = lz.trace(layer, x)
    np.testing.assert_allclose(seen.hidden_state, hidden, atol=1e-6)
    for state, last in zip(layer.cell.state_names, states):
        np.testing.assert_allclose(seen.values[state][:, -1], last, atol=1e-6)
    assert set(layer.cell.gate_names) <= set(seen.values)
    assert len(lz.plots.plot_trace(seen)) == 1 + len(seen.values)
    assert len(lz.plots.plot_weights(layer)) == 1 + bool(layer.cell.recurrent_names)


@every_cell
def test_configuration_makes_the_same_cell_again(name):
    cell = cell_of(name)
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()


@some_in_short
@every_cell
def test_stateful_layer_continues_from_its_last_state(name):
    x = data("float32")
    layer = layers.layer_for(name, UNITS, stateful=True, return_sequences=True)
    layer.build(x[:, :3].shape)
    randomised(layer)
    whole = layer_of(name, "float32", return_sequences=True)
    parts = [layer(x[:, :3]), layer(x[:, 3:])]
    np.testing.assert_allclose(tf.concat(parts, axis=1), whole(x), atol=1e-6)
