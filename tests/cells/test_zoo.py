"""Properties of single cells, beyond the contract of every cell."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo import cells
from lstm_zoo.layers import layer_for
from lstm_zoo.recurrence.engines.parallel import run_in_parallel


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def drawing(name, x, **options):
    """A layer, its outputs in training, and what its cell drew for them."""
    layer = layer_for(name, 4, return_sequences=True, **options)
    layer.build(x.shape)
    drawn = []
    draw = layer.cell.draw
    layer.cell.draw = lambda *size: drawn.append(draw(*size)) or drawn[-1]
    y = np.asarray(layer(x, training=True))
    [mask] = drawn[0].values()
    return layer, y, np.asarray(mask)


def lstm_step(z, c):
    i, f, g, o = np.split(z, 4, axis=1)
    return sigmoid(i), sigmoid(f) * c, np.tanh(g), sigmoid(o)


def test_zoneout_keeps_drawn_units_and_averages_in_inference():
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    layer, y, drawn = drawing("zoneout", x, seed=1)
    W, U, b = (np.asarray(w, float) for w in layer.cell.cell.get_weights())
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    h, c = np.zeros((2, 4)), np.zeros((2, 4))
    for t in range(6):
        i, kept, g, o = lstm_step(x[:, t] @ W + h @ U + b, c)
        new = kept + i * g
        d_h, d_c = drawn[:, t, :4], drawn[:, t, 4:]
        h, c = d_h * h + (1 - d_h) * o * np.tanh(new), d_c * c + (1 - d_c) * new
        np.testing.assert_allclose(y[:, t], h, atol=1e-5)


def test_candidate_dropout_never_drops_the_memory():
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    layer, y, drawn = drawing("candidate_dropout", x, candidate_dropout=0.5, seed=1)
    W, U, b = (np.asarray(w, float) for w in layer.cell.get_weights())
    assert set(np.unique(drawn)) == {0.0, 2.0}
    h, c = np.zeros((2, 4)), np.zeros((2, 4))
    for t in range(6):
        i, kept, g, o = lstm_step(x[:, t] @ W + h @ U + b, c)
        c = kept + i * drawn[:, t] * g
        h = o * np.tanh(c)
        np.testing.assert_allclose(y[:, t], h, atol=1e-5)


def test_zoneout_draws_with_the_given_probability_and_wraps_any_cell():
    cell = cells.ZoneoutCell(cells.PeepholeLSTMCell(50), {"cell_state": 0.3}, seed=0)
    drawn = np.asarray(cell.draw(8, 25)["zoneout_mask"])
    assert not drawn[..., :50].any()
    assert drawn[..., 50:].mean() == pytest.approx(0.3, abs=0.03)
    again = cells.ZoneoutCell.from_config(cell.get_config())
    assert type(again.cell) is cells.PeepholeLSTMCell
    assert again.zoneout == {"cell_state": 0.3}
    for wrong, message in [
        ({"zoneout": {"cell": 0.1}}, "did you mean 'cell_state'"),
        ({"zoneout": 1.5}, "zoneout must be a fraction"),
    ]:
        with pytest.raises(ValueError, match=message):
            cells.ZoneoutCell(4, **wrong)
    with pytest.raises(ValueError, match="cell must not draw random numbers"):
        cells.ZoneoutCell(cells.CandidateDropoutLSTMCell(4))


@pytest.mark.parametrize("name", ["min_gru", "min_lstm", "mlstm"])
@pytest.mark.parametrize("masked", [False, True])
def test_parallel_form_equals_step_by_step(name, masked):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 7, 3))
    mask = np.array([[0, 1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 0, 1]], bool) if masked else None
    options = {"heads": 2} if name == "mlstm" else {}
    cell = cells.get(name)(4, dtype="float64", **options)
    cell.build((None, 3))
    states = [tf.constant(rng.normal(size=(2, size))) for size in cell.state_size]
    outputs, last = run_in_parallel(cell, x, states, mask)
    for t in range(7):
        _, after = cell(x[:, t], states)
        seen = np.ones((2, 1), bool) if mask is None else mask[:, t, None]
        states = [np.where(seen, new, old) for new, old in zip(after, states)]
        np.testing.assert_allclose(outputs[:, t], states[0], rtol=1e-9, atol=1e-11)
    for got, expected in zip(last, states):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)


def test_parallel_is_for_cells_whose_gates_see_the_input_alone():
    assert "parallel form" in lz.explain(lz.RNN(cells.MinGRUCell(2), parallel=True)).split(".")[0]
    with pytest.raises(ValueError, match="parallel must be False or 'auto'"):
        lz.RNN(cells.SLSTMCell(2), parallel=True)
    with pytest.raises(ValueError, match="recurrent_dropout must be 0 for MinGRUCell"):
        cells.MinGRUCell(2, recurrent_dropout=0.5)


def test_exponential_gates_stay_finite_for_large_inputs():
    for name in ("slstm", "mlstm"):
        layer = layer_for(name, 4, return_sequences=True)
        assert np.isfinite(layer(1e4 * np.random.default_rng(0).normal(size=(2, 5, 3)))).all()


def test_chrono_starts_the_gates_with_the_lags_of_the_task():
    bias = cells.LSTMCell(500, bias_initializer=cells.Chrono(100, seed=0))
    bias.build((None, 2))
    i, f, g, o = np.split(np.asarray(bias.bias), 4)
    np.testing.assert_array_equal(i, -f)
    assert not g.any()
    assert not o.any()
    assert np.exp(f).mean() == pytest.approx(50, rel=0.1)  # uniform from 1 to 99
    coupled = cells.CoupledLSTMCell(4, bias_initializer=cells.Chrono(100))
    coupled.build((None, 2))
    assert (coupled.bias[:4] > 0).numpy().all()
    with pytest.raises(ValueError, match="max_lag must be above 2"):
        cells.Chrono(2)


def test_each_gate_starts_with_its_own_matrix():
    blocks = np.split(np.asarray(cells.EachGate("orthogonal")((5, 20))), 4, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-5)
    assert not np.allclose(blocks[0], blocks[1])
    again = keras.initializers.deserialize(keras.initializers.serialize(cells.EachGate("identity")))
    np.testing.assert_array_equal(again((2, 4)), np.tile(np.eye(2), 2))


@pytest.mark.short("<lambda>0")
@pytest.mark.parametrize(
    "make",
    [
        lambda **o: lz.LSTM(3, **o),
        lambda **o: layer_for("slstm", 3, **o),
        lambda **o: lz.RNN([lz.LSTMCell(3), keras.layers.GRUCell(2)], **o),
    ],
)
def test_learned_initial_state_starts_every_sequence_and_is_trained(make, tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 4, 2)).astype("float32")
    layer = make(learned_initial_state=True, name="memory")
    plain = make()
    layer.build(x.shape)
    plain.build(x.shape)
    starts = layer.initial_states
    for k, start in enumerate(starts):
        start.assign(np.full(start.shape, 0.1 * (k + 1)))
    plain.cell.set_weights(layer.cell.get_weights())
    states = [tf.repeat(start, 2, axis=0) for start in starts]
    states = keras.tree.pack_sequence_as(layer.cell.state_size, states)
    expected = plain(x, initial_state=states)
    np.testing.assert_allclose(layer(x), expected, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True) ** 2)
    assert all(np.abs(g).max() > 0 for g in tape.gradient(loss, starts[:2]) if g is not None)
    model = keras.Sequential([keras.Input((4, 2)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), expected, atol=1e-6)
    with pytest.raises(ValueError, match="learned_initial_state must be False"):
        make(learned_initial_state=True, stateful=True)


def test_observations_carry_values_forward_and_count_the_time():
    x = np.array([[[1.0, np.nan], [np.nan, 5.0], [3.0, np.nan]]])
    values, seen, gaps = np.split(cells.observations(x, [0.0, 0.5, 2.0]), 3, axis=2)
    np.testing.assert_array_equal(values[0], [[1, 0], [1, 5], [3, 5]])
    np.testing.assert_array_equal(seen[0], [[1, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(gaps[0], [[0, 0], [0.5, 0.5], [2, 1.5]])
    with pytest.raises(ValueError, match="times must increase"):
        cells.observations(x, [0, 2, 1])
    with pytest.raises(ValueError, match="three features for each value .* got 4"):
        cells.GRUDCell(2).build((None, 4))


def test_layer_norm_keeps_only_the_sign_of_a_single_feature():
    layer = layer_for("layer_norm", 4)
    rng = np.random.default_rng(0)
    x = (rng.uniform(2, 8, (2, 5, 1)) * rng.choice([-1, 1], (2, 5, 1))).astype("float32")
    np.testing.assert_allclose(layer(x), layer(np.sign(x) * 9), atol=1e-3)
    assert np.abs(layer(x) - layer(-x)).max() > 0.1


def test_table_of_cells_names_papers_states_and_engines():
    table = cells.list()
    assert [entry.name for entry in table] == cells.names()
    for entry in table:
        assert entry.what.endswith(".") or "(" in entry.what, entry
    [lstm] = cells.list("lstm")
    assert lstm.states == ("hidden_state", "cell_state")
    assert "Hochreiter & Schmidhuber 1997" in lstm.what
    assert cells.names("*gru*") == ["gru", "min_gru", "gru_d"]
    assert "<td>min_gru</td>" in cells.list("min*")._repr_html_()
    assert len(repr(table).splitlines()) == len(table)
