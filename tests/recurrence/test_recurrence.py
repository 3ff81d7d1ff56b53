"""The compiled recurrence, compared with autodiff of Keras's loop, finite differences, NumPy."""

import contextlib
import gc
import pathlib
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import lstm_zoo as lz
from lstm_zoo import recurrence
from lstm_zoo.cells import LSTMCell, lstm_in_numpy
from lstm_zoo.layers import CoupledLSTM
from lstm_zoo.recurrence import bound_cell, bptt, compiled, engines, segments, shards
from lstm_zoo.recurrence.custom_gradient import _backward, _forward

MASKS = {
    "none": None,
    "right": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
    "left": [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 1, 0, 0, 1]],
    "whole rows": [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]],
}


class LeakyCell(LSTMCell):
    """A cell that restates `step` alone, with a weight of its own and no local derivatives."""

    def build(self, input_shape):
        super().build(input_shape)
        self.leak = self.add_weight(shape=(self.units,), name="leak", initializer="ones")

    def step(self, z, states):
        now = super().step(z, states)
        h = now["hidden_state"] + 0.1 * ops.cast(self.leak, z.dtype) * ops.tanh(states[0])
        return {**now, "hidden_state": h}


class LeakyLSTM(lz.LSTM):
    cell_class = LeakyCell


@contextlib.contextmanager
def served_by(engine):
    """Inside, our layers run on this engine."""
    usual = engines.engine_for
    engines.engine_for = lambda call: engine
    try:
        yield
    finally:
        engines.engine_for = usual


def keras_loop():
    """Inside, our layers run in `keras.layers.RNN`'s loop, and TensorFlow differentiates it."""
    return served_by(engines.ENGINES["keras"]())


def random_layer(layer_class, features, seed, **arguments):
    layer = layer_class(arguments.pop("units", 3), **arguments)
    layer.build((None, None, features))
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.6, size=weight.shape))
    return layer


def outputs_and_gradients(layer, x, states=None, mask=None, training=True):
    """All outputs, and a loss's gradients by the input, the initial states and the weights."""
    if layer.cell.dropout or layer.cell.recurrent_dropout:
        layer.cell.seed_generator.state.assign([1, 2])
    sources = [x, *(states or []), *(w.value for w in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = keras.tree.flatten(layer(x, initial_state=states, mask=mask, training=training))
        loss = sum(
            tf.reduce_sum(tf.sin((k + 1) * y + tf.cast(tf.range(tf.shape(y)[-1]), y.dtype)))
            for k, y in enumerate(outputs)
        )
    return outputs + tape.gradient(loss, sources)


def largest_difference(ours, theirs):
    """Relative to the largest number of each tensor."""
    return max(
        float(tf.reduce_max(tf.abs(a - b)) / (tf.reduce_max(tf.abs(b)) + 1e-3))
        for a, b in zip(ours, theirs)
    )


@pytest.mark.long
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_outputs_and_gradients_equal_autodiff_of_keras_loop(data):
    flag = st.booleans()
    mask = data.draw(st.sampled_from(list(MASKS)), "mask")
    arguments = {
        "return_sequences": data.draw(flag, "return_sequences"),
        "return_state": data.draw(flag, "return_state"),
        "go_backwards": data.draw(flag, "go_backwards"),
        "use_bias": data.draw(flag, "use_bias"),
        "zero_output_for_mask": data.draw(flag, "zero_output_for_mask"),
        "recompute": data.draw(flag, "recompute"),
        "dropout": data.draw(st.sampled_from([0.0, 0.4]), "dropout"),
        "recurrent_dropout": data.draw(st.sampled_from([0.0, 0.4]), "recurrent_dropout"),
        "activation": data.draw(st.sampled_from(["tanh", "softsign"]), "activation"),
    }
    layer_class = data.draw(
        st.sampled_from([lz.LSTM, lz.PeepholeLSTM, CoupledLSTM, LeakyLSTM]), "layer"
    )
    rng = np.random.default_rng(0)
    dtype = data.draw(st.sampled_from(["float64", "float32"]), "dtype")
    x = tf.constant(rng.normal(size=(3, 5, 2)), dtype)
    states = None
    if data.draw(flag, "initial_state"):
        states = [tf.constant(rng.normal(size=(3, 3)), dtype) for _ in range(2)]
    mask = None if MASKS[mask] is None else tf.constant(MASKS[mask]) > 0
    layer = random_layer(layer_class, 2, seed=1, dtype=dtype, **arguments)
    engine = engines.engine_for(engines.LayerCall.of_size(layer, 5, mask is not None))
    if data.draw(flag, "compiled"):  # where the native operation would serve as well
        engine = engines.ENGINES["xla"]()
    with served_by(engine):
        ours = outputs_and_gradients(layer, x, states, mask)
    with keras_loop():
        theirs = outputs_and_gradients(layer, x, states, mask)
    assert largest_difference(ours, theirs) < (1e-10 if dtype == "float64" else 1e-5)


@pytest.mark.short(steps=(67,))
@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "steps", "recompute"), [(1, 1, False), (2, 67, False), (2, 64, False), (2, 50, True)]
)
def test_gradients_are_exact_for_any_segments(batch, steps, recompute):
    x = tf.random.stateless_normal((batch, steps, 2), [1, 2], dtype=tf.float64)
    layer = random_layer(lz.LSTM, 2, 1, dtype="float64", return_sequences=True, recompute=recompute)
    ours = outputs_and_gradients(layer, x)
    with keras_loop():
        theirs = outputs_and_gradients(layer, x)
    assert largest_difference(ours, theirs) < 1e-10


def test_forward_pass_equals_the_equations_in_numpy():
    layer = random_layer(lz.LSTM, 2, 1, dtype="float64", return_sequences=True)
    x = np.random.default_rng(0).normal(size=(3, 40, 2))
    hidden, _ = lstm_in_numpy(x, *(w.numpy() for w in layer.trainable_weights))
    np.testing.assert_allclose(layer(x), hidden, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("signature", ["batch unknown", "batch and steps unknown", "XLA"])
def test_graphs_with_unknown_sizes_give_the_same_gradients(signature):
    layer = random_layer(lz.LSTM, 2, 1, dtype="float64", return_sequences=True)
    mask = tf.constant(MASKS["holes"]) > 0
    x = tf.random.stateless_normal((3, 5, 2), [1, 2], dtype=tf.float64)
    steps = 5 if signature == "batch unknown" else None
    specs = [tf.TensorSpec((None, steps, 2), tf.float64), tf.TensorSpec((None, steps), tf.bool)]
    in_graph = tf.function(
        lambda x, mask: outputs_and_gradients(layer, x, mask=mask),
        input_signature=None if signature == "XLA" else specs,
        jit_compile=signature == "XLA",
    )
    with keras_loop():
        expected = outputs_and_gradients(layer, x, mask=mask)
    assert largest_difference(in_graph(x, mask), expected) < 1e-10


@pytest.mark.long
def test_gradients_without_training_are_the_same():
    layer = random_layer(lz.LSTM, 2, 1, dtype="float64")
    x = tf.random.stateless_normal((3, 5, 2), [1, 2], dtype=tf.float64)
    kept = outputs_and_gradients(layer, x, training=True)
    not_kept = outputs_and_gradients(layer, x, training=False)
    assert largest_difference(not_kept, kept) < 1e-12


@pytest.mark.long
def test_coupled_gates_average_the_candidates_as_greff_et_al_write_it():
    layer = random_layer(CoupledLSTM, 2, 1, dtype="float64", return_state=True)
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    kernel, recurrent_kernel, bias = (w.numpy() for w in layer.trainable_weights)
    h = c = np.zeros((3, 3))
    for t in range(4):
        f, g, o = np.split(x[:, t] @ kernel + h @ recurrent_kernel + bias, 3, axis=-1)
        f, o = 1 / (1 + np.exp(-f)), 1 / (1 + np.exp(-o))
        c = f * c + (1 - f) * np.tanh(g)
        h = o * np.tanh(c)
    np.testing.assert_allclose(layer(x)[2], c, rtol=1e-12)
    ours = outputs_and_gradients(layer, tf.constant(x))
    with keras_loop():
        theirs = outputs_and_gradients(layer, tf.constant(x))
    assert largest_difference(ours, theirs) < 1e-10


@pytest.mark.long
def test_second_order_gradients_equal_autodiff_of_keras_loop():
    layer = random_layer(lz.LSTM, 2, 1, dtype="float64")
    x = tf.random.stateless_normal((2, 3, 2), [1, 2], dtype=tf.float64)

    def penalty():
        weights = [w.value for w in layer.trainable_weights]
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.sin(layer(x, training=True)))
            size = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return outer.gradient(size, [x, *weights])

    ours = penalty()
    with keras_loop():
        theirs = penalty()
    assert largest_difference(ours, theirs) < 1e-10


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_stays_as_near_to_float32_as_keras_loop_does(policy):
    x = tf.random.stateless_normal((3, 5, 2), [1, 2])
    arguments = {"return_sequences": True}
    half = random_layer(lz.LSTM, 2, 1, dtype=policy, **arguments)
    exact = outputs_and_gradients(random_layer(lz.LSTM, 2, 1, **arguments), x)
    ours = [tf.cast(a, tf.float32) for a in outputs_and_gradients(half, x)]
    with keras_loop():
        theirs = [tf.cast(a, tf.float32) for a in outputs_and_gradients(half, x)]
    assert largest_difference(ours, exact) < 1.5 * largest_difference(theirs, exact) + 1e-3


def compilations(function):
    """How many programs `function` adds."""

    def count():
        return sum(len(one.program.programs) for one in (_forward, _backward))

    before = count()
    function()
    return count() - before


@pytest.mark.slow
def test_a_partial_last_batch_is_traced_once_and_not_every_epoch():
    layer = lz.PeepholeLSTM(3, activation="softsign")
    model = keras.Sequential([keras.Input((5, 2)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((10, 5, 2)), np.ones((10, 1))
    assert compilations(lambda: model.fit(x, y, batch_size=4, epochs=1, verbose=0)) > 0
    assert compilations(lambda: model.fit(x, y, batch_size=4, epochs=3, verbose=0)) == 0


@pytest.mark.short(batch=(33,))
@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 20, 33, 70])
def test_shards_of_a_batch_give_the_same_numbers_as_the_whole_batch(batch, monkeypatch):
    monkeypatch.setattr(shards, "SHARDS", 4)
    # None of the programs that were traced for fewer shards.
    monkeypatch.setattr(compiled, "_BY_GRAPH", weakref.WeakValueDictionary())
    x = tf.random.stateless_normal((batch, 5, 2), [1, 2], dtype=tf.float64)
    mask = tf.random.stateless_uniform((batch, 5), [3, 4]) > 0.3
    states = [tf.random.stateless_normal((batch, 3), [5, k], dtype=tf.float64) for k in range(2)]
    layer = random_layer(
        lz.LSTM, 2, 1, dtype="float64", return_sequences=True, recurrent_dropout=0.4
    )
    specs = [tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in (x, mask, *states)]
    unknown = tf.function(
        lambda x, mask, h, c: outputs_and_gradients(layer, x, [h, c], mask),
        input_signature=specs,
    )
    with keras_loop():
        expected = outputs_and_gradients(layer, x, states, mask)
    assert largest_difference(outputs_and_gradients(layer, x, states, mask), expected) < 1e-10
    assert largest_difference(unknown(x, mask, *states), expected) < 1e-10


def test_shards_are_of_few_sizes_and_hold_the_batch(monkeypatch):
    monkeypatch.setattr(shards, "SHARDS", 4)
    for batch in range(1, 1000):
        size, count = shards.size_and_count(batch)
        assert size * (count - 1) < batch <= size * count
        assert count <= shards.SHARDS
        size_in_graph, _ = shards.size_and_count(tf.constant(batch))
        assert int(size_in_graph) == size
    sizes = {shards.size_and_count(batch)[0] for batch in range(1, 65)}
    assert sizes == {1, 2, 4, 8, 16}
    assert shards.size_and_count(32) == (16, 2)
    assert shards.size_and_count(14) == (16, 1)  # the last batch of 270 rows by 32


def test_sequences_of_all_lengths_share_one_trace():
    layer = random_layer(lz.LSTM, 2, 1, return_sequences=True, dtype="float64")
    run = tf.function(layer, input_signature=[tf.TensorSpec((2, None, 2), tf.float64)])
    run(tf.ones((2, 4, 2), tf.float64))

    def other_lengths():
        for steps in (5, 9, 31, 40):
            x = tf.random.stateless_normal((2, steps, 2), [1, 2], dtype=tf.float64)
            hidden, _ = lstm_in_numpy(x.numpy(), *(w.numpy() for w in layer.trainable_weights))
            np.testing.assert_allclose(run(x), hidden, rtol=1e-4, atol=1e-5)

    assert compilations(other_lengths) == 0


def test_eager_calls_of_many_lengths_share_one_program_and_do_not_warn(caplog):
    layer = random_layer(lz.PeepholeLSTM, 2, 1, dtype="float64")
    layer(tf.ones((2, 4, 2)))
    eager = [tf.random.stateless_normal((2, steps, 2), [1, 2]) for steps in range(5, 15)]
    assert compilations(lambda: [layer(x) for x in eager]) == 0
    layers = [random_layer(lz.PeepholeLSTM, 2, 1, dtype="float64") for _ in range(7)]
    assert compilations(lambda: [layer(eager[0]) for layer in layers]) == 0
    assert "retracing" not in caplog.text


@pytest.mark.long
def test_equal_layers_share_their_programs_and_are_freed():
    def train():
        layer = random_layer(lz.PeepholeLSTM, 2, 1, activation="softsign")
        outputs_and_gradients(layer, tf.ones((2, 4, 2)))
        return weakref.ref(layer.cell)

    assert compilations(train) == 2
    cells = []
    assert compilations(lambda: cells.extend(train() for _ in range(5))) == 0
    gc.collect()
    assert [cell() for cell in cells] == [None] * 5


def test_layers_that_compute_something_else_share_nothing():
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 2)), "float32")

    class Scaled(LSTMCell):
        """A cell whose equations hold a number that its configuration does not."""

        def __init__(self, units, scale=1.0, **kwargs):
            super().__init__(units, **kwargs)
            self.scale = scale

        def step(self, z, states):
            now = super().step(z, states)
            return {**now, "hidden_state": self.scale * now["hidden_state"]}

    for scale in (1.0, 2.0):
        layer = lz.layers.RNN(Scaled(3, scale))
        layer.build(x.shape)
        fast = layer(x)
        with keras_loop():
            np.testing.assert_allclose(fast, layer(x), rtol=1e-5)


def test_programs_are_bounded_in_number():
    counted = compiled.traced(lambda number, plan, x: x + number)
    for number in range(compiled.MOST + 10):
        counted(number, None, tf.ones(1))
    assert len(counted.programs) == compiled.MOST
    assert float(counted(0, None, tf.ones(1))[0]) == 1.0


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="no other system counts the maps of memory")
def test_a_process_full_of_programs_continues_without_xla():
    script = pathlib.Path(__file__).with_name("full_process.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.count("run without XLA") == 1


def test_eager_batches_of_all_sizes_share_one_program():
    layer = random_layer(lz.LSTM, 2, 1, return_sequences=True, dtype="float64")
    rng = np.random.default_rng(0)
    layer(tf.ones((2, 4, 2), tf.float64))

    def other_sizes():
        for batch in (1, 5, 17, 70, 100):
            x = rng.normal(size=(batch, 6, 2))
            hidden, _ = lstm_in_numpy(x, *(w.numpy() for w in layer.trainable_weights))
            np.testing.assert_allclose(layer(x), hidden, rtol=1e-4, atol=1e-5)

    assert compilations(other_sizes) == 0


def test_the_partial_last_batch_of_large_ones_needs_no_size_of_its_own():
    for batch in (96, 128, 256, 512):
        size, _ = shards.size_and_count(tf.constant(batch))
        last, _ = shards.size_and_count(tf.constant(batch - batch // 16))
        assert int(size) == int(last)


@pytest.mark.slow
def test_recompute_keeps_the_square_root_of_the_steps():
    layer = random_layer(lz.LSTM, 1, 1, units=8, recompute=True)
    sizes = {}
    for steps in (100, 400, 1600):
        x = tf.ones((4, steps, 1))
        with tf.GradientTape() as tape:
            layer(x, training=True)
        del tape
        segment = segments.segment_of(steps, recompute=True)
        plan = segments.Plan(segment, training=True, recompute=True, outputs=False, split=False)
        weights = tf.nest.map_structure(tf.convert_to_tensor, bound_cell.variables_of(layer.cell))
        batch = bptt.Batch(x, {}, {}, [tf.zeros((4, 8))] * 2, None, None)
        cells = compiled.equal_cells_of(layer.cell)
        [kept] = _forward(cells, plan, batch, bptt.Shared(steps, weights)).kept
        sizes[steps] = sum(int(tf.size(a)) for a in tf.nest.flatten(kept)) + segment * 4 * 6 * 8
    assert sizes[400] / sizes[100] == pytest.approx(2, rel=0.1)
    assert sizes[1600] / sizes[400] == pytest.approx(2, rel=0.1)


@pytest.mark.slow
def test_a_model_survives_keras_file_and_exported_graph(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((5, 2)),
            lz.LSTM(3, return_sequences=True, recompute=True),
            keras.layers.Bidirectional(lz.PeepholeLSTM(3)),
        ]
    )
    x = np.random.default_rng(0).normal(size=(4, 5, 2)).astype("float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    served = tf.saved_model.load(str(tmp_path / "exported"))
    assert loaded.layers[0].recompute is True
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(served.serve(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.long
def test_forward_mode_derivatives_equal_those_of_keras_loop():
    layer = random_layer(lz.LSTM, 2, 1, dtype="float64")
    x = tf.random.stateless_normal((2, 3, 2), [1, 2], dtype=tf.float64)
    direction = tf.random.stateless_normal((2, 3, 2), [3, 4], dtype=tf.float64)

    def derivative_and_hessian_product(call):
        with tf.autodiff.ForwardAccumulator(x, direction) as forward:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = call(x)
                loss = tf.reduce_sum(tf.sin(y))
            gradient = tape.gradient(loss, x)
        return [forward.jvp(y), forward.jvp(gradient)]

    graph = tf.function(lambda x: layer(x, training=True))
    ours = [derivative_and_hessian_product(call) for call in (layer, graph)]
    with keras_loop():
        theirs = derivative_and_hessian_product(layer)
    for found in ours:
        assert largest_difference(found, theirs) < 1e-10


CALLS = {
    "eager": lambda layer, x, **options: layer(x, **options),
    "graph": lambda layer, x, **options: tf.function(layer)(x, **options),
    "XLA": lambda layer, x, **options: tf.function(layer, jit_compile=True)(x, **options),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_one_state_and_one_mask_apply_to_the_whole_batch_as_in_keras(call):
    layer = random_layer(lz.LSTM, 2, 1, return_sequences=True)
    x = tf.random.stateless_normal((3, 5, 2), [1, 2])
    states = [tf.random.stateless_normal((1, 3), [3, k]) for k in range(2)]
    mask = tf.constant([[True, False, True, True, False]])
    many = {"initial_state": [tf.repeat(s, 3, axis=0) for s in states]}
    expected = layer(x, mask=tf.repeat(mask, 3, axis=0), **many)
    np.testing.assert_allclose(call(layer, x, initial_state=states, mask=mask), expected, rtol=1e-6)
    columns = tf.repeat(mask, 3, axis=0)[..., None]
    np.testing.assert_allclose(call(layer, x, mask=columns, **many), expected, rtol=1e-6)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_state": [tf.ones((2, 3))] * 2}, "initial_state must be .*got .2, 3."),
        ({"initial_state": [tf.ones((6, 3))] * 2}, "initial_state must be .*got .6, 3."),
        ({"initial_state": [tf.ones(3)] * 2}, "initial_state must be .*got .3,."),
        ({"initial_state": [tf.ones((3, 4))] * 2}, "initial_state must be .*got .3, 4."),
        ({"mask": tf.ones((3, 4), bool)}, "mask must be .*got .3, 4."),
        ({"mask": tf.ones((2, 5), bool)}, "mask must be .*got .2, 5."),
        ({"mask": tf.ones(5, bool)}, "mask must be .*got .5,."),
    ],
)
def test_states_and_masks_of_another_size_are_refused(call, options, message):
    layer = random_layer(lz.LSTM, 2, 1)
    with pytest.raises(ValueError, match=message):
        call(layer, tf.ones((3, 5, 2)), **options)


def test_sizes_known_only_at_run_time_are_checked_then():
    layer = random_layer(lz.LSTM, 2, 1)
    specs = [tf.TensorSpec((None, 5, 2)), tf.TensorSpec((None, 3))]
    run = tf.function(lambda x, s: layer(x, initial_state=[s, s]), input_signature=specs)
    expected = layer(tf.ones((3, 5, 2)), initial_state=[tf.ones((3, 3))] * 2)
    np.testing.assert_allclose(run(tf.ones((3, 5, 2)), tf.ones((1, 3))), expected, rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(tf.ones((3, 5, 2)), tf.ones((2, 3)))


def test_explain_names_the_engine_and_why_faster_ones_do_not_run():
    said = recurrence.explain(lz.LSTM(2, name="memory"))
    assert said.startswith(("memory runs on the native", "memory runs on the compiled"))
    assert "cuDNN" in said
    assert "Keras's own loop" in recurrence.explain(keras.layers.GRU(2))
    assert "compiled" in recurrence.explain(
        keras.layers.Bidirectional(lz.PeepholeLSTM(2, activation="softsign"))
    )
    with pytest.raises(ValueError, match="layer must be a recurrent layer, got Dense"):
        recurrence.explain(keras.layers.Dense(2))


def test_why_not_fast_names_the_reason():
    assert recurrence.why_not_fast(lz.LSTM(2)) is None
    assert recurrence.why_not_fast(lz.LSTM(2, activation="relu")) is None
    assert "unroll" in recurrence.why_not_fast(lz.LSTM(2, unroll=True))
    assert "cell" in recurrence.why_not_fast(keras.layers.LSTM(2))
    assert "Keras's own layer" in recurrence.why_not_fast(keras.layers.RNN(LSTMCell(2)))
    assert recurrence.why_not_fast(lz.layers.RNN(LSTMCell(2))) is None

    class Cell(LSTMCell):
        def call(self, inputs, states, training=False):
            return super().call(inputs, states, training)

    class Layer(lz.LSTM):
        cell_class = Cell

    assert "call()" in recurrence.why_not_fast(Layer(2))
