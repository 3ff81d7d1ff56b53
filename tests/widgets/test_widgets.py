"""Each control is moved, and the numbers are compared with NumPy, Keras and `gradient_flow`."""

import base64
import functools
import importlib
import io
import re
import sys
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import lstm_zoo as lz
from lstm_zoo import widgets
from lstm_zoo.plots.cell import walk_through
from lstm_zoo.widgets.gradients import UNITS, example_networks


@pytest.fixture(scope="module")
def speech():
    """A stack trained on recordings of nine speakers, its last layer bidirectional, and some x."""
    keras.utils.set_random_seed(0)
    data = lz.datasets.load("japanese_vowels")
    model = keras.Sequential(
        [
            keras.Input(data.x_train.shape[1:]),
            keras.layers.Masking(),
            lz.LSTM(6, return_sequences=True, name="memory"),
            keras.layers.GRU(5, return_sequences=True, name="gru"),
            keras.layers.SimpleRNN(4, return_sequences=True, name="plain"),
            keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True), name="both"),
            keras.layers.Dense(len(data.class_names), activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    few = slice(0, None, 9)
    y = np.repeat(data.y_train[few, None], data.x_train.shape[1], axis=1)
    model.fit(data.x_train[few], y, epochs=2, verbose=0)
    return model, data.x_test[::40], data.lengths_test[::40]


def shown(explorer):
    """The numbers that a reader sees under the picture, by name."""
    found = re.findall(r'<b class="(\w+)">([^<]*)</b>', explorer.text.value)
    return {name: float(text.replace("\N{MINUS SIGN}", "-")) for name, text in found}


def pixels(explorer):
    return np.asarray(Image.open(io.BytesIO(explorer.picture.value)).convert("L"), int)


def move(explorer, **settings):
    for name, value in settings.items():
        explorer.controls[name].value = value


def by_formulas(x, h, c, b_i, b_f, b_g, b_o):
    bias = np.array([b_i, b_f, b_g, b_o])
    hidden, cell = lz.lstm_in_numpy(
        np.full((1, 1, 1), x),
        np.ones((1, 4)),
        np.ones((1, 4)),
        bias,
        np.full((1, 1), h),
        np.full((1, 1), c),
    )
    i, f, _, o = 1 / (1 + np.exp(-(x + h + bias)))
    return {
        "input_gate": i,
        "forget_gate": f,
        "candidate": np.tanh(x + h + b_g),
        "output_gate": o,
        "cell_state": cell.item(),
        "hidden_state": hidden.item(),
    }


@pytest.mark.parametrize(
    "where",
    [
        {"x": 0.0, "h": 0.0, "c": 0.0, "b_i": 0.0, "b_f": 0.0, "b_g": 0.0, "b_o": 0.0},
        {"x": -2.35, "h": 0.6, "c": -1.1, "b_i": 0.5, "b_f": 2.0, "b_g": -1.25, "b_o": 3.0},
        {"x": 3.0, "h": -1.0, "c": 3.0, "b_i": -5.0, "b_f": 5.0, "b_g": 5.0, "b_o": -5.0},
    ],
)
def test_cell_computes_the_six_equations_for_any_slider_values(where):
    cell = widgets.explore_cell()
    move(cell, **where)
    assert cell.numbers == pytest.approx(by_formulas(**where), abs=1e-12)


def test_cell_shows_the_numbers_below_the_picture_and_updates_both():
    cell = widgets.explore_cell()
    before = pixels(cell)
    move(cell, b_f=-5.0, c=-3.0)
    expected = by_formulas(x=1.0, h=0.0, c=-3.0, b_i=0.0, b_f=-5.0, b_g=0.0, b_o=0.0)
    assert shown(cell) == pytest.approx(expected, abs=0.0005)
    assert "σ(1.00 · 1.00 + 1.00 · 0.00 + −5.00)" in cell.text.value
    assert before.shape == pixels(cell).shape
    assert np.abs(before - pixels(cell)).max() > 100


@pytest.mark.slow
def test_cell_takes_the_weights_of_a_layer():
    layer = keras.layers.LSTM(1, return_sequences=True, bias_initializer="random_normal")
    x = np.linspace(-1, 1, 5, dtype="float32").reshape(1, 5, 1)
    hidden = np.asarray(layer(x))[0, :, 0]
    cell = widgets.explore_cell(layer.get_weights())
    h = c = 0.0
    for x_t, h_t in zip(x.ravel(), hidden):
        for name, value in (("x", x_t), ("h", h), ("c", c)):
            cell.controls[name].value = float(value)
        h, c = cell.numbers["hidden_state"], cell.numbers["cell_state"]
        assert h == pytest.approx(h_t, abs=1e-6)


@pytest.mark.parametrize(
    "weights",
    [
        [],
        [np.ones((1, 4)), np.ones((1, 4))],
        [np.ones((2, 4)), np.ones((1, 4)), np.ones(4)],
        [np.ones((1, 8)), np.ones((2, 8)), np.ones(8)],
        [np.ones((1, 4)), np.ones((1, 4)), np.array([0, np.nan, 0, 0])],
        5,
        ["a", "b", "c"],
    ],
)
def test_cell_refuses_weights_that_are_not_of_one_unit_and_one_feature(weights):
    with pytest.raises(ValueError, match="weights must be"):
        widgets.explore_cell(weights)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["memory", "gru", "plain"])
def test_trace_shows_the_output_of_the_layer(speech, layer):
    model, x, lengths = speech
    outputs = keras.Model(model.inputs, model.get_layer(layer).output).predict(x, verbose=0)
    seen = widgets.explore_trace(model, x, layer)
    for sample, unit, step in [(0, 0, 0), (3, 2, 5), (8, 3, lengths[8] - 1)]:
        move(seen, sample=sample, unit=unit, step=step)
        expected = outputs[sample, step, unit]
        assert seen.numbers["hidden_state"] == pytest.approx(expected, abs=1e-6)
        assert shown(seen)["hidden_state"] == pytest.approx(expected, abs=0.0006)
        assert f"unit {unit}, step {step}" in seen.text.value


@pytest.mark.slow
def test_trace_of_an_lstm_obeys_the_equations_from_step_to_step(speech):
    model, x, _ = speech
    seen = widgets.explore_trace(model, x, "memory")
    move(seen, step=3)
    before = seen.numbers
    move(seen, step=4)
    now = seen.numbers
    kept = now["forget_gate"] * before["cell_state"]
    assert now["cell_state"] == pytest.approx(kept + now["input_gate"] * now["candidate"], abs=1e-6)
    assert now["hidden_state"] == pytest.approx(
        now["output_gate"] * np.tanh(now["cell_state"]), abs=1e-6
    )


@pytest.mark.slow
def test_trace_draws_the_cell_of_an_lstm_at_that_step_and_a_line_there(speech):
    model, x, _ = speech
    seen = widgets.explore_trace(model, x, "memory")
    move(seen, sample=2, unit=1, step=6)
    trace = lz.trace(model, x, "memory")
    *panels, cell = seen.drawing.figure.axes
    written = " ".join(text.get_text() for text in cell.texts).replace("\N{MINUS SIGN}", "-")
    for value in walk_through(trace, sample=2, unit=1)[6].values():
        assert f"{value:.2f}".replace("-0.00", "0.00") in written
    assert [panel.lines[-1].get_xdata()[0] for panel in panels] == [6, 6]
    for panel in panels:
        for line in panel.lines[:-1]:
            expected = trace.values[line.get_label().replace(" ", "_")][2, :, 1]
            np.testing.assert_array_equal(line.get_ydata(), expected)
            low, high = panel.get_ylim()
            assert low <= np.nanmin(expected)
            assert np.nanmax(expected) <= high
    labels = [text.get_text() for panel in panels for text in panel.get_legend().get_texts()]
    assert sorted(labels) == sorted(name.replace("_", " ") for name in seen.numbers)


@pytest.mark.slow
def test_a_redraw_equals_drawing_anew(speech):
    model, x, _ = speech
    moved, fresh = (widgets.explore_trace(model, x, "memory") for _ in range(2))
    move(moved, sample=5, unit=4, step=11)
    move(moved, sample=2, unit=1, step=6)
    move(fresh, sample=2, unit=1, step=6)
    np.testing.assert_array_equal(pixels(moved), pixels(fresh))
    moved, fresh = widgets.explore_gradients(), widgets.explore_gradients()
    move(moved, scale=2.0, timesteps=30)
    moved.buttons["reset"].click()
    np.testing.assert_array_equal(pixels(moved), pixels(fresh))


def _least_cpu(calls):
    """The least CPU time of one of the calls, in seconds."""
    taken = []
    for call in calls:
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.mark.long
def test_a_redraw_takes_less_than_drawing_anew(speech):
    model, x, _ = speech

    def explore_trace():
        return widgets.explore_trace(model, x, "memory")

    for explore, name, values in (
        (widgets.explore_cell, "b_f", [-2.0, 0.0, 2.0]),
        (widgets.explore_gradients, "forget_bias", [-2.0, 0.0, 2.0]),
        (explore_trace, "step", [1, 2, 3]),
        (explore_trace, "unit", [1, 2, 3]),
    ):
        slider = explore().controls[name]
        move = functools.partial(slider.set_trait, "value")
        redraw = _least_cpu([functools.partial(move, value) for value in values * 4])
        anew = _least_cpu([explore] * 3)
        assert redraw < 0.6 * anew, name  # 0.2 to 0.35 of it; close to 1 where it draws anew


def test_trace_says_that_a_step_is_masked(speech):
    model, x, lengths = speech
    seen = widgets.explore_trace(model, x)
    assert "masked" not in seen.text.value
    move(seen, step=int(lengths[0]))
    assert "masked, the layer skips this step" in seen.text.value
    assert np.isnan([*seen.numbers.values()]).all()
    assert re.findall(r'<b class="\w+">([^<]*)</b>', seen.text.value) == ["masked"] * 6


@pytest.mark.slow
def test_trace_of_a_bidirectional_chooses_the_direction(speech):
    model, x, _ = speech
    forward = lz.trace(model, x, "both").forward.cell_state[1, 2, 1]
    backward = lz.trace(model, x, "both").backward.cell_state[1, 2, 1]
    seen = widgets.explore_trace(model, x, "both")
    move(seen, sample=1, unit=1, step=2)
    assert seen.numbers["cell_state"] == pytest.approx(forward, abs=1e-6)
    move(seen, direction="backward")
    assert seen.numbers["cell_state"] == pytest.approx(backward, abs=1e-6)
    assert abs(forward - backward) > 1e-3


@pytest.mark.slow
def test_trace_refuses_what_lz_trace_refuses(speech):
    model, x, _ = speech
    with pytest.raises(ValueError, match="layer"):
        widgets.explore_trace(model, x, "no such layer")
    with pytest.raises(ValueError, match="x must"):
        widgets.explore_trace(model, x * np.nan)


@pytest.mark.parametrize(
    ("scale", "timesteps", "forget_bias"), [(1.0, 40, 1.0), (0.5, 25, 5.0), (1.6, 30, -2.0)]
)
def test_gradients_are_those_of_keras_layers_with_these_weights(scale, timesteps, forget_bias):
    x, rnn, lstm = example_networks(scale, timesteps, forget_bias)
    explorer = widgets.explore_gradients()
    move(explorer, scale=scale, timesteps=timesteps, forget_bias=forget_bias)

    def flow_of(layer, weights):
        model = keras.Sequential([keras.Input(x.shape[1:]), layer])
        layer.set_weights(weights)
        loss = lambda y, h: keras.ops.sum(h) / UNITS**0.5  # noqa: E731
        return lz.gradient_flow(model, x, np.zeros((len(x), UNITS)), loss)

    simple, long = flow_of(keras.layers.SimpleRNN(UNITS), rnn), flow_of(lz.LSTM(UNITS), lstm)
    for name, expected in {
        "SimpleRNN, hidden state": simple.mean(),
        "LSTM, hidden state": long.mean(),
        "LSTM, cell state": long.mean(state="cell"),
    }.items():
        np.testing.assert_allclose(explorer.numbers[name], expected, rtol=2e-4, atol=1e-9)
        assert f"{name}: norm {explorer.numbers[name][0]:.2g} at step 0" in explorer.text.value


def test_recurrent_matrices_stretch_every_vector_by_the_scale():
    _, (_, simple, _), (_, long, bias) = example_networks(0.7, 10, 3.0)
    for block in [simple, *np.split(long, 4, axis=1)]:
        np.testing.assert_allclose(np.linalg.svd(block)[1], 0.7, atol=1e-12)
    np.testing.assert_array_equal(bias.reshape(4, UNITS)[:, 0], [0, 3, 0, 0])


def test_an_open_forget_gate_carries_the_gradient_where_a_simple_rnn_loses_it():
    explorer = widgets.explore_gradients()
    move(explorer, scale=0.5, forget_bias=5.0)
    first = {name: norms[0] for name, norms in explorer.numbers.items()}
    assert first["SimpleRNN, hidden state"] < 0.5**99  # 99 steps, each at most half
    assert first["LSTM, cell state"] > 0.1
    picture = pixels(explorer)
    move(explorer, forget_bias=-3.0)
    assert explorer.numbers["LSTM, cell state"][0] < 1e-9
    assert np.abs(pixels(explorer) - picture).max() > 100


@pytest.mark.slow
def test_moving_sliders_leaves_no_figure_behind():
    plt.close("all")
    for explorer in (widgets.explore_cell(), widgets.explore_gradients()):
        for control in explorer.controls.values():
            control.value = control.min
    assert plt.get_fignums() == []


def test_controls_picture_and_numbers_are_what_a_notebook_shows():
    for explorer in (widgets.explore_cell(), widgets.explore_gradients()):
        assert explorer.get_view_spec()["model_id"] == explorer.model_id
        beside, *below = explorer.children
        column, picture = beside.children
        assert picture is explorer.picture
        number = len(explorer.controls)
        *shown, text = [*column.children, *below]
        assert [*shown[:number], text] == [*explorer.controls.values(), explorer.text]
        assert list(shown[number].children) == list(explorer.buttons.values())


def test_presets_of_the_gradients_do_what_they_say():
    explorer = widgets.explore_gradients()

    def first(preset):
        explorer.buttons[preset].click()
        return [norms[0] for norms in explorer.numbers.values()]

    assert max(first("vanishing")) < 1e-10
    simple, *lstm = first("exploding")
    assert simple > 10
    assert max(lstm) < 1
    simple, _, cell = first("open forget gate")
    assert simple < 1e-10
    assert cell > 0.1
    assert first("reset") == [norms[0] for norms in widgets.explore_gradients().numbers.values()]


def test_buttons_set_several_controls_with_one_picture_and_reset_them():
    explorer = widgets.explore_cell()
    first = explorer.picture.value
    pictures = []
    explorer.picture.observe(pictures.append, names="value")
    explorer.buttons["latch"].click()
    kept = 0.5 / (1 + np.exp(-5 - 1))  # x = 1 and h = 0, both weights are 1
    written = np.tanh(1) / (1 + np.exp(5 - 1))
    assert explorer.numbers["cell_state"] == pytest.approx(kept + written)
    assert [explorer.controls[f"b_{k}"].value for k in "ifgo"] == [-5.0, 5.0, 0.0, 5.0]
    assert len(pictures) == 1
    explorer.buttons["reset"].click()
    assert explorer.controls["b_f"].value == 1.0
    assert explorer.picture.value == first


def test_a_page_where_no_kernel_runs_has_the_picture():
    explorer = widgets.explore_cell()
    shown = explorer._repr_mimebundle_()
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert base64.b64decode(shown["image/png"]) == explorer.picture.value


def test_without_ipywidgets_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    for name in [name for name in sys.modules if name.startswith("lstm_zoo.widgets")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match="needs ipywidgets: run `pip install ipywidgets`"):
        importlib.import_module("lstm_zoo.widgets")
