"""The artists of each figure are compared with the plotted numbers."""

import base64
import io
import itertools
import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image
from sklearn.decomposition import PCA

import lstm_zoo as lz
from lstm_zoo import inspection, plots
from lstm_zoo.plots import animation
from lstm_zoo.plots import style as palette
from lstm_zoo.plots.cell import walk_through


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def speech():
    """A classifier trained on recordings of nine speakers, and 40 recordings it has not heard."""
    keras.utils.set_random_seed(1)
    data = lz.datasets.load("japanese_vowels")
    inputs = keras.Input(data.x_train.shape[1:])
    masked = keras.layers.Masking()(inputs)
    hidden = lz.LSTM(6, name="memory")(masked)
    outputs = keras.layers.Dense(len(data.class_names), activation="softmax")(hidden)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    few = slice(0, None, 9)
    x, y = data.x_test[few], data.y_test[few]
    history = model.fit(
        data.x_train, data.y_train, epochs=6, batch_size=32, validation_data=(x, y), verbose=0
    )
    return {
        "model": model,
        "history": history,
        "x": x,
        "y": y,
        "lengths": data.lengths_test[few],
        "class_names": data.class_names,
    }


@pytest.fixture(scope="module")
def seen(speech):
    return inspection.trace(speech["model"], speech["x"])


@pytest.fixture
def wide():
    """A made-up trace of 64 units and 3 features, whose values are no model's."""
    rng = np.random.default_rng(0)
    gates = {name: rng.random((2, 10, 64)) for name in ("input_gate", "forget_gate")}
    states = {name: rng.normal(size=(2, 10, 64)) for name in ("cell_state", "hidden_state")}
    return inspection.Trace("wide", "lstm", rng.normal(size=(2, 10, 3)), {**gates, **states}, None)


def labels_of(ax):
    return [label.get_text() for label in ax.get_legend().get_texts()]


# plot_history


@pytest.mark.slow
def test_history_draws_training_and_validation_loss_from_epoch_1(speech):
    ax = plots.plot_history(speech["history"])
    training, validation, best = ax.lines
    curves = speech["history"].history
    np.testing.assert_array_equal(training.get_xdata(), np.arange(1, 7))
    np.testing.assert_array_equal(training.get_ydata(), curves["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), curves["val_loss"])
    assert best.get_ydata() == [min(curves["val_loss"])]
    assert labels_of(ax)[:2] == ["training", "validation"]
    assert training.get_linestyle() != validation.get_linestyle()


def test_history_draws_a_metric_from_a_dict_on_the_axes_given():
    _, ax = plt.subplots()
    drawn = plots.plot_history({"loss": [3.0, 2.0], "grad_norm": [7.0, 5.0]}, "grad_norm", ax)
    assert drawn is ax
    assert [list(line.get_ydata()) for line in ax.lines] == [[7.0, 5.0]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "grad norm")


@pytest.mark.parametrize(
    ("history", "metric", "reason"),
    [
        ({"loss": [1.0]}, "accuracy", "metric must be one of loss, got 'accuracy'"),
        ([1.0, 0.5], "loss", "history must be a History from lz.fit"),
        ({"loss": [np.nan]}, "loss", "loss must hold finite numbers"),
    ],
)
def test_history_refuses_what_it_cannot_draw(history, metric, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_history(history, metric)


# plot_confusion


def test_confusion_shows_row_fractions_and_counts():
    y_true, y_pred = [0, 0, 0, 0, 1, 1, 2], [0, 0, 0, 2, 1, 0, 2]
    ax = plots.plot_confusion(y_true, y_pred, ["walk", "run", "rest"])
    by_hand = [[0.75, 0, 0.25], [0.5, 0.5, 0], [0, 0, 1]]
    np.testing.assert_allclose(ax.images[0].get_array(), by_hand)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written[(0, 0)] == "3"
    assert written[(2, 0)] == "1"  # column 2, row 0: a walk taken for rest
    assert written[(0, 2)] == ""
    assert [t.get_text() for t in ax.get_yticklabels()] == ["walk", "run", "rest"]
    assert ax.get_title() == "accuracy 0.71, 7 samples"


@pytest.mark.slow
def test_confusion_takes_probabilities_of_a_trained_model(speech):
    probabilities = speech["model"].predict(speech["x"], verbose=0)
    ax = plots.plot_confusion(speech["y"], probabilities, speech["class_names"])
    expected = np.zeros((9, 9))
    for truth, row in zip(speech["y"], probabilities):
        expected[truth, list(row).index(max(row))] += 1
    expected /= np.bincount(speech["y"])[:, None]
    np.testing.assert_allclose(ax.images[0].get_array(), expected)


def test_confusion_of_many_classes_leaves_the_numbers_out():
    y = np.arange(30)
    ax = plots.plot_confusion(y, y)
    assert len(ax.texts) == 0
    assert [label.get_text() for label in ax.get_yticklabels()][:3] == ["0", "2", "4"]


@pytest.mark.parametrize(
    ("y_true", "y_pred", "names", "reason"),
    [
        ([0, 1], [0, 1, 1], None, "as long, got 2 and 3"),
        ([0, 1], [0, 2], ["a", "b"], "3 classes, 2 names"),
        ([0, 0.5], [0, 1], None, "y_true must be class numbers"),
        ([0, -1], [0, 1], None, "y_true must be class numbers"),
        ([], [], None, "y_true must not be empty"),
    ],
)
def test_confusion_refuses_labels_that_do_not_match(y_true, y_pred, names, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_confusion(y_true, y_pred, names)


# plot_trace


def test_trace_heat_maps_hold_the_values_with_masked_steps_blank(speech, seen):
    shortest = int(np.argmin(speech["lengths"]))
    length = speech["lengths"][shortest]
    assert length < seen.timesteps
    panels = plots.plot_trace(seen, sample=shortest)
    names = ["inputs", *seen.values]
    assert [p.get_title(loc="left") for p in panels] == [n.replace("_", " ") for n in names]
    for name, panel in zip(names[1:], panels[1:]):
        drawn = panel.images[0].get_array()
        np.testing.assert_array_equal(
            drawn[:, :length].filled(np.nan), seen.values[name][shortest, :length].T
        )
        assert np.ma.getmaskarray(drawn)[:, length:].all()
    assert np.ma.getmaskarray(panels[0].images[0].get_array())[:, length:].all()
    assert panels[-1].get_xlabel() == f"time step of sample {shortest}, {seen.layer}"


def test_trace_scales_gates_from_0_to_1_and_states_around_0(seen):
    panels = plots.plot_trace(seen, values=["forget_gate", "cell_state"])
    gate, state = (panel.images[0] for panel in panels)
    assert gate.get_clim() == (0, 1)
    low, high = state.get_clim()
    assert low == -high
    largest = np.nanmax(np.abs(seen.cell_state[0]))
    assert largest <= high <= 1.1 * largest


def test_trace_lines_follow_the_units_asked_for_in_the_gate_s_colour(seen):
    panels = plots.plot_trace(seen, sample=2, units=[4, 1], kind="lines", values=["output_gate"])
    for line, unit in zip(panels[0].lines, [4, 1]):
        np.testing.assert_array_equal(line.get_ydata(), seen.output_gate[2, :, unit])
        assert to_hex(line.get_color(), keep_alpha=False).upper() == plots.COLOURS["output_gate"]
    assert labels_of(panels[0]) == ["4", "1"]
    assert panels[0].lines[0].get_linestyle() != panels[0].lines[1].get_linestyle()


@pytest.mark.parametrize(
    ("kind", "note", "rows"), [("heatmap", "32 of 64 units", 32), ("lines", "4 of 64 units", 4)]
)
def test_trace_thins_many_units_evenly_and_says_so(wide, kind, note, rows):
    panel = plots.plot_trace(wide, kind=kind, values=["forget_gate"])[0]
    assert panel.get_title(loc="right") == note
    assert panel.get_xlabel() == "time step of sample 0, wide"
    if kind == "lines":
        shown = np.stack([line.get_ydata() for line in panel.lines])
    else:
        shown = panel.images[0].get_array()
    assert len(shown) == rows
    np.testing.assert_array_equal(shown[0], wide.forget_gate[0, :, 0])
    np.testing.assert_array_equal(shown[-1], wide.forget_gate[0, :, 63])


def test_trace_draws_on_the_axes_given(wide):
    _, axes = plt.subplots(2)
    panels = plots.plot_trace(wide, values=["inputs", "hidden_state"], ax=axes)
    assert list(panels) == list(axes)


def test_trace_of_a_gru_shows_its_own_gates():
    model = keras.Sequential([keras.Input((7, 2)), keras.layers.GRU(3, name="gru")])
    x = np.random.default_rng(0).normal(size=(1, 7, 2))
    panels = plots.plot_trace(inspection.trace(model, x))
    titles = [panel.get_title(loc="left") for panel in panels]
    assert set(titles) == {"inputs", "update gate", "reset gate", "candidate", "hidden state"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"sample": 2}, "sample must be a whole number from 0 to 1, got 2"),
        ({"units": [64]}, "units must be a whole number from 0 to 63, got 64"),
        ({"units": range(5), "kind": "lines"}, '1 to 4 units for kind="lines"'),
        ({"kind": "bars"}, "kind must be one of heatmap, lines, steps, got 'bars'"),
        ({"values": ["reset_gate"]}, "values must be one of inputs, input_gate"),
        ({"units": []}, "a list of 1 to 32 units"),
        ({"ax": "here"}, "ax must hold 5 matplotlib Axes"),
    ],
)
def test_trace_refuses_samples_units_and_values_that_do_not_exist(wide, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_trace(wide, **arguments)


def test_trace_refuses_other_things(wide):
    with pytest.raises(ValueError, match="trace must be a Trace from lz.trace"):
        plots.plot_trace(np.zeros((2, 10, 4)))


@pytest.fixture(scope="module")
def both():
    """A built `Bidirectional` of plain Keras, a masked batch, and what each direction computed."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.Bidirectional(keras.layers.LSTM(3), name="both")
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Masking(), layer])
    x = np.random.default_rng(0).normal(size=(4, 6, 2))
    x[1:, 4:] = 0
    return layer, x, inspection.trace(model, x)


@pytest.mark.parametrize("kind", ["heatmap", "lines"])
def test_trace_of_a_bidirectional_has_a_row_of_panels_a_direction(both, kind):
    panels = plots.plot_trace(both[2], sample=1, kind=kind, values=["inputs", "cell_state"])
    assert panels.shape == (2, 2)
    for row, name in zip(panels, ("forward", "backward")):
        titles = [panel.get_title(loc="left") for panel in row]
        assert titles == [f"inputs, {name}", f"cell state, {name}"]
        assert row[-1].get_xlabel() == f"time step of sample 1, {getattr(both[2], name).layer}"
        expected = getattr(both[2], name).cell_state[1].T
        if kind == "lines":
            drawn = np.stack([line.get_ydata() for line in row[1].lines[:3]])
        else:
            drawn = row[1].images[0].get_array().filled(np.nan)
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize(
    "draw",
    [
        plots.plot_gate_saturation,
        plots.plot_cell_diagram,
        plots.animate_trace,
        lambda trace: plots.plot_embedding(trace, [0, 1, 2, 3]),
    ],
)
def test_plots_of_one_direction_say_which_to_pass(both, draw):
    with pytest.raises(ValueError, match=r"pass trace\.forward or trace\.backward"):
        draw(both[2])


# plot_gate_saturation


def test_saturation_counts_the_steps_below_0_1_and_above_0_9_of_each_unit(seen):
    ax = plots.plot_gate_saturation(seen)
    assert labels_of(ax) == ["input gate", "forget gate", "output gate"]
    for name, line in zip(("input_gate", "forget_gate", "output_gate"), ax.lines):
        for unit, (shut, opened) in enumerate(line.get_xydata()):
            read = [v for v in seen.values[name][:, :, unit].ravel() if not np.isnan(v)]
            assert shut == pytest.approx(sum(v < 0.1 for v in read) / len(read))
            assert opened == pytest.approx(sum(v > 0.9 for v in read) / len(read))
    assert len({line.get_marker() for line in ax.lines[:3]}) == 3


def test_saturation_refuses_a_trace_without_gates():
    simple = inspection.Trace(
        "rnn", "simple_rnn", np.ones((1, 4, 2)), {"hidden_state": np.ones((1, 4, 3))}, None
    )
    with pytest.raises(ValueError, match="a layer with gates, got kind 'simple_rnn'"):
        plots.plot_gate_saturation(simple)


# plot_gradient_flow


def test_gradient_flow_draws_the_mean_norm_at_each_step_on_a_log_scale(speech):
    flow = inspection.gradient_flow(speech["model"], speech["x"], speech["y"])
    ax = plots.plot_gradient_flow(flow)
    norms = np.array(flow.hidden["memory"])
    read = ~np.isnan(norms)
    by_hand = [n[r].mean() if r.any() else np.nan for n, r in zip(norms.T, read.T)]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), by_hand, rtol=1e-6)
    assert ax.get_yscale() == "log"
    assert labels_of(ax) == [f"memory: horizon {flow.horizon('memory')} steps"]
    cell = plots.plot_gradient_flow(flow, state="cell")
    assert "c_t" in cell.get_ylabel()
    drawn, norms = cell.lines[0].get_ydata(), flow.cell["memory"]
    np.testing.assert_allclose(drawn[0], norms[:, 0].mean(), rtol=1e-6)


def test_gradient_flow_compares_several_models():
    def falling(rate):
        return inspection.GradientFlow({"rnn": rate ** np.arange(9.0, -1, -1)[None]}, {})

    ax = plots.plot_gradient_flow({"fast": falling(0.09), "slow": falling(0.5)})
    fast, slow = ax.lines
    np.testing.assert_allclose(fast.get_ydata()[-3:], [0.0081, 0.09, 1])
    np.testing.assert_allclose(slow.get_ydata()[-3:], [0.25, 0.5, 1])
    # 0.09 falls below 1 % at the power 2, 0.5 at the power 7
    assert labels_of(ax) == ["fast: horizon 2 steps", "slow: horizon 7 steps"]
    assert fast.get_linestyle() != slow.get_linestyle()
    assert fast.get_marker() != slow.get_marker()


def test_gradient_flow_refuses_what_it_cannot_draw():
    flow = inspection.GradientFlow({"rnn": np.ones((1, 4))}, {})
    many = {str(k): flow for k in range(9)}
    nothing = inspection.GradientFlow({"rnn": np.zeros((1, 4))}, {})
    for arguments, reason in (
        ((flow, "gru"), r"layer must be one with a hidden state, \['rnn'\], got 'gru'"),
        ((flow, None, "cell"), "layer must be one with a cell state"),
        ((flow, None, "gate"), "state must be one of hidden, cell"),
        ((np.ones(4),), "flow must be a GradientFlow from lz.gradient_flow"),
        ((many,), "at most 8 lines, got 9"),
        ((nothing,), "must be above 0 at some step"),
    ):
        with pytest.raises(ValueError, match=reason):
            plots.plot_gradient_flow(*arguments)


# plot_weights


def test_weights_as_heat_maps_hold_both_kernels_with_each_gate_named_below_its_block(speech):
    layer = speech["model"].get_layer("memory")
    panels = plots.plot_weights(layer)
    for panel, matrix in zip(panels, layer.get_weights()):
        np.testing.assert_array_equal(panel.images[0].get_array(), matrix)
        low, high = panel.images[0].get_clim()
        assert low == -high
        names = [label.get_text() for label in panel.get_xticklabels()]
        assert names == ["input gate", "forget gate", "candidate", "output gate"]
        np.testing.assert_allclose(panel.get_xticks(), [2.5, 8.5, 14.5, 20.5])  # of 6 units each


def test_weights_as_histograms_count_each_gate_s_weights():
    layer = keras.layers.GRU(4)
    layer.build((None, None, 3))
    panels = plots.plot_weights(layer.cell, kind="histogram")
    for panel, matrix in zip(panels, layer.get_weights()):
        assert [patch.get_label() for patch in panel.patches] == [
            "update gate",
            "reset gate",
            "candidate",
        ]
        for k, patch in enumerate(panel.patches):
            counts, edges, _ = patch.get_data()
            block = matrix[:, 4 * k : 4 * k + 4]
            inside = [((block >= a) & (block < b)).sum() for a, b in zip(edges, edges[1:])]
            inside[-1] += (block == edges[-1]).sum()
            np.testing.assert_array_equal(counts, inside)
            assert counts.sum() == block.size


def test_weights_of_a_bidirectional_have_a_row_of_panels_a_direction(both):
    layer = both[0]
    panels = plots.plot_weights(layer)
    assert panels.shape == (2, 2)
    matrices = [*layer.forward_layer.get_weights()[:2], *layer.backward_layer.get_weights()[:2]]
    for panel, matrix in zip(panels.ravel(), matrices):
        np.testing.assert_array_equal(panel.images[0].get_array(), matrix)
    titles = [panel.get_title(loc="left") for panel in panels[1]]
    assert titles == ["kernel, backward", "recurrent kernel, backward"]


class SixGates(lz.cells.Cell):
    gate_names = tuple(f"gate_{k}" for k in range(6))

    def step(self, z, states):
        gates = dict(zip(self.gate_names, keras.ops.split(z, 6, axis=-1)))
        return {**gates, "hidden_state": keras.ops.tanh(sum(gates.values()))}


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (lz.CoupledLSTM(4), ["forget gate", "candidate", "output gate"]),
        (keras.layers.SimpleRNN(4), ["hidden state"]),
        (keras.layers.RNN(SixGates(4)), [f"gate {k}" for k in range(6)]),
    ],
)
def test_weights_take_any_number_of_gates(layer, names):
    layer.build((None, None, 3))
    kernel, _ = plots.plot_weights(layer)
    assert [label.get_text() for label in kernel.get_xticklabels()] == names
    kernel, _ = plots.plot_weights(layer, kind="histogram")
    assert [patch.get_label() for patch in kernel.patches] == names


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (keras.layers.Dense(3), "got Dense"),
        (keras.layers.LSTM(3), "got one without weights"),
        (keras.layers.Bidirectional(keras.layers.LSTM(3)), "got one without weights"),
    ],
)
def test_weights_refuses_layers_without_a_recurrent_kernel(layer, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_weights(layer)


# plot_saliency


@pytest.mark.slow
def test_saliency_darkens_the_steps_of_the_6_features_that_matter_most(speech):
    x = speech["x"][:3]
    saliency = inspection.saliency(speech["model"], x)
    panels = plots.plot_saliency(saliency, x, sample=2)
    means = np.abs(saliency[2]).mean(axis=0)
    strongest = sorted(sorted(range(12), key=lambda k: means[k])[-6:])
    assert [p.get_title(loc="left") for p in panels] == [f"feature {k}" for k in strongest]
    assert panels[0].get_title(loc="right") == "sample 2, 6 of 12 features"
    for panel, k in zip(panels, strongest):
        np.testing.assert_allclose(panel.images[0].get_array()[0], np.abs(saliency[2, :, k]))
        np.testing.assert_allclose(panel.lines[0].get_ydata(), x[2, :, k])


def test_saliency_leaves_padding_blank():
    x = np.arange(10.0).reshape(1, 10, 1)
    x[:, 7:] = np.nan
    [panel] = plots.plot_saliency(np.ones((1, 10, 1)), x, feature_names=["load"])
    assert np.ma.getmaskarray(panel.images[0].get_array())[0].tolist() == [False] * 7 + [True] * 3
    assert panel.get_title(loc="left") == "load"


def test_saliency_of_tokens_is_a_bar_for_each_with_the_token_below():
    [panel] = plots.plot_saliency([[0.1, 0.5, 0.0]] * 2, [["a", "dog", "barks"]] * 2, sample=1)
    np.testing.assert_allclose([bar.get_height() for bar in panel.patches], [0.1, 0.5, 0.0])
    assert [label.get_text() for label in panel.get_xticklabels()] == ["a", "dog", "barks"]
    with pytest.raises(ValueError, match=r"have the same shape, got \(1, 3\) and \(1, 2\)"):
        plots.plot_saliency(np.ones((1, 3)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="feature_names must be None for tokens"):
        plots.plot_saliency(np.ones((1, 3)), np.ones((1, 3)), feature_names=["load"])


def test_saliency_refuses_shapes_and_names_that_do_not_match():
    with pytest.raises(ValueError, match=r"have the same shape, got \(1, 5, 2\) and"):
        plots.plot_saliency(np.ones((1, 5, 2)), np.ones((1, 5, 3)))
    with pytest.raises(ValueError, match="must name 2 features, got 1"):
        plots.plot_saliency(np.ones((1, 5, 2)), np.ones((1, 5, 2)), feature_names=["load"])
    with pytest.raises(ValueError, match="must have numbers for every feature"):
        plots.plot_saliency(np.ones((1, 5, 2)), np.ones((1, 5, 2)) * [1, np.nan])


# plot_forecast


def test_forecast_draws_history_truth_median_and_bands_of_a_real_series():
    series = lz.datasets.load("sunspots").x_train.ravel()[:60]
    history, truth = series[:48], series[48:]
    spread = np.outer(np.arange(12), [-2, -1, 0, 1, 2]) + truth[:, None]
    ax = plots.plot_forecast(history, truth, spread, (0.05, 0.25, 0.5, 0.75, 0.95))
    past, future, median = ax.lines[:3]
    np.testing.assert_array_equal(past.get_xdata(), np.arange(-47, 1))
    np.testing.assert_array_equal(past.get_ydata(), history)
    np.testing.assert_array_equal(future.get_ydata(), [history[-1], *truth])
    np.testing.assert_array_equal(median.get_xdata(), np.arange(1, 13))
    np.testing.assert_array_equal(median.get_ydata(), spread[:, 2])
    assert labels_of(ax) == ["truth", "median forecast", "5 to 95 %", "25 to 75 %"]
    for band, low, high in zip(ax.collections, (0, 1), (4, 3)):
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
        edges = [*zip(range(1, 13), spread[:, low]), *zip(range(1, 13), spread[:, high])]
        assert set(edges) <= corners


def test_forecast_without_quantiles_or_truth_is_one_line():
    ax = plots.plot_forecast([1.0, 2.0], None, [3.0, 4.0], ylabel="load (kW)")
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[1, 2], [3, 4]]
    assert labels_of(ax) == ["truth", "forecast"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("steps from now", "load (kW)")


@pytest.mark.parametrize(
    ("truth", "prediction", "quantiles", "reason"),
    [
        ([1.0], [1.0, 2.0], None, "as long as prediction, 2 steps, got 1"),
        ([1.0], [[1.0, 2.0]], (0.1, 0.5, 0.9), "a column for each of 3 quantiles, got 2"),
        ([1.0], [[1.0, 2.0]], (0.9, 0.1), "quantiles must be rising fractions"),
        ([1.0], [[1.0, 2.0]], None, r"prediction must have 1 axes, got shape \(1, 2\)"),
    ],
)
def test_forecast_refuses_what_does_not_match(truth, prediction, quantiles, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_forecast([0.0, 1.0], truth, prediction, quantiles)


# plot_embedding


def test_embedding_agrees_with_scikit_learn_s_principal_components(speech, seen):
    ax = plots.plot_embedding(seen, speech["y"], speech["class_names"])
    rows = np.arange(len(speech["y"]))
    last = seen.hidden_state[rows, speech["lengths"] - 1]
    reference = PCA(2).fit(last)
    expected = reference.transform(last)
    present = np.unique(speech["y"])
    assert labels_of(ax) == [speech["class_names"][k] for k in present]
    for k, points in zip(present, ax.collections):
        drawn = points.get_offsets()
        np.testing.assert_allclose(np.abs(drawn), np.abs(expected[speech["y"] == k]), atol=1e-4)
    share = reference.explained_variance_ratio_[0]
    assert ax.get_xlabel() == f"component 1 ({share:.0%} of variance)"
    looks = {
        (to_hex(p.get_facecolor()[0]), p.get_paths()[0].vertices.tobytes()) for p in ax.collections
    }
    assert len(looks) == len(present) == 9


def test_embedding_shows_the_last_state_that_each_direction_read(both):
    """A backward layer reads step 0 last; the padding is at the end."""
    layer, x, (forward, backward) = both
    outputs = layer(x, mask=np.any(x != 0, axis=-1)).numpy()
    for trace, expected in ((forward, outputs[:, :3]), (backward, outputs[:, 3:])):
        of_trace = plots.plot_embedding(trace, np.zeros(4, int)).collections[0]
        of_states = plots.plot_embedding(expected, np.zeros(4, int)).collections[0]
        np.testing.assert_allclose(of_trace.get_offsets(), of_states.get_offsets(), atol=1e-5)


@pytest.mark.parametrize(
    ("states", "labels", "names", "reason"),
    [
        (np.eye(4), [0, 1], None, "must name 4 samples, got 2"),
        (np.eye(4), [0, 1, 2, 3], ["a", "b"], "must name 4 classes, got 2 names"),
        (np.eye(2), [0, 1], None, "3 samples and 2 units or more"),
        (np.eye(30), range(30), None, "at most 20 classes"),
    ],
)
def test_embedding_refuses_what_it_cannot_show(states, labels, names, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_embedding(states, labels, names)


# plot_cell_diagram and animate_trace

BY_HAND = {  # 0.5 * 2 + 0.25 * -0.8 = 0.8; tanh 0.8 = 0.664; 0.5 * 0.664 = 0.332
    "forget_gate": 0.5,
    "input_gate": 0.25,
    "candidate": -0.8,
    "output_gate": 0.5,
    "previous_cell_state": 2.0,
}


def texts_of(ax):
    return [text.get_text().replace("\N{MINUS SIGN}", "-") for text in ax.texts]


def test_diagram_follows_the_equations():
    texts = texts_of(plots.plot_cell_diagram(BY_HAND))
    for symbol, number in (
        ("$f_t$\n", "0.50"),
        ("$i_t$\n", "0.25"),
        ("$g_t$\n", "-0.80"),
        ("$o_t$\n", "0.50"),
        ("$c_{t-1}$\n", "2.00"),
        (r"$f_t\,c_{t-1}$ = ", "1.00"),
        ("$i_t\\,g_t$\n", "-0.20"),
        ("$c_t$\n", "0.80"),
        ("", "0.66"),  # after tanh
        ("$h_t$\n", "0.33"),
    ):
        assert symbol + number in texts


def test_diagram_fills_each_gate_as_far_as_it_is_open():
    ax = plots.plot_cell_diagram({**BY_HAND, "forget_gate": 1.0, "output_gate": 0.0})
    heights = {
        to_hex(patch.get_facecolor()).upper(): patch.get_height()
        for patch in ax.patches
        if isinstance(patch, Rectangle)
    }
    full = heights[plots.COLOURS["forget_gate"]]
    assert heights[plots.COLOURS["input_gate"]] == pytest.approx(0.25 * full)
    assert heights[plots.COLOURS["output_gate"]] == 0
    assert heights[plots.COLOURS["candidate"]] == pytest.approx(0.4 * full)  # 0.8 of its half


def test_diagram_without_values_only_shows_symbols():
    texts = texts_of(plots.plot_cell_diagram())
    assert {"$f_t$", "$i_t$", "$g_t$", "$o_t$", "$x_t$"} <= set(texts)
    assert not any(character.isdigit() for text in texts for character in text.replace("t-1", ""))


def test_diagram_shows_one_step_of_a_trained_model(seen):
    texts = texts_of(plots.plot_cell_diagram(seen, step=4, sample=1, unit=2))
    before, now = seen.cell_state[1, 3, 2], seen.cell_state[1, 4, 2]
    kept = seen.forget_gate[1, 4, 2] * before
    assert f"$c_{{t-1}}$\n{before:.2f}" in texts
    assert f"$c_t$\n{now:.2f}" in texts
    assert rf"$f_t\,c_{{t-1}}$ = {kept:.2f}" in texts
    assert f"$h_t$\n{seen.hidden_state[1, 4, 2]:.2f}" in texts


def test_diagram_starts_from_the_initial_state():
    layer = keras.layers.LSTM(3)
    start = [np.full((1, 3), 0.25, "float32"), np.full((1, 3), -1.5, "float32")]
    inputs = keras.Input((4, 1))
    model = keras.Model(inputs, layer(inputs, initial_state=[keras.ops.array(s) for s in start]))
    x = np.array([[[0.5], [1.0], [0.0], [2.0]]])
    texts = texts_of(plots.plot_cell_diagram(inspection.trace(model, x), unit=1))
    assert "$c_{t-1}$\n-1.50" in texts
    assert "$x_t$ = 0.50" in texts


def test_diagram_labels_cover_neither_each_other_nor_the_edge(seen):
    ax = plots.plot_cell_diagram(
        {
            **BY_HAND,
            "previous_cell_state": -2.5,
            "input": -1.5,
            "previous_hidden_state": -0.5,
            "output_gate": 0.99,
        }
    )
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text().strip()]
    for k, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= ax.figure.bbox.width
        assert not any(box.overlaps(other) for other in boxes[:k])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"forget_gate": 1.0}, "missing .'input_gate', 'candidate'"),
        ({**BY_HAND, "reset_gate": 1.0}, "unknown .'reset_gate'"),
        ({**BY_HAND, "candidate": np.nan}, "candidate must hold finite numbers"),
        (7, "values must be a Trace, a dict or None, got int"),
    ],
)
def test_diagram_refuses_invalid_values(values, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_cell_diagram(values)


def test_diagram_and_animation_refuse_masked_steps_and_other_layers(speech, seen):
    shortest = int(np.argmin(speech["lengths"]))
    with pytest.raises(ValueError, match="step must not be masked, got step 28"):
        plots.plot_cell_diagram(seen, step=28, sample=shortest)
    model = keras.Sequential([keras.Input((7, 2)), keras.layers.GRU(3)])
    gru = inspection.trace(model, np.ones((1, 7, 2)))
    with pytest.raises(ValueError, match="trace must come from an LSTM .* got kind 'gru'"):
        plots.animate_trace(gru)
    with pytest.raises(ValueError, match="most_steps must be a whole number from 2 to 200, got 1"):
        plots.animate_trace(seen, most_steps=1)
    with pytest.raises(ValueError, match="seconds_a_step must be a number above 0, got 0"):
        plots.animate_trace(seen, seconds_a_step=0)


def pictures_in(page):
    return [
        Image.open(io.BytesIO(base64.b64decode(code)))
        for code in re.findall(r"data:image/png;base64,([^\"]+)", page)
    ]


def test_animation_has_a_picture_for_each_step_that_is_not_masked(speech, seen):
    shortest = int(np.argmin(speech["lengths"]))
    page = plots.animate_trace(seen, sample=shortest, unit=1)
    pictures = pictures_in(page)
    assert len(pictures) == speech["lengths"][shortest]
    assert len({picture.size for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert f'max="{len(pictures) - 1}"' in page
    assert page._repr_html_() == page
    assert "http" not in page


def test_animation_plays_without_a_script_and_its_axis_ends_with_the_utterance(
    speech, seen, monkeypatch
):
    shortest = int(np.argmin(speech["lengths"]))
    steps = int(speech["lengths"][shortest])
    axes, draw = [], animation._draw_course
    monkeypatch.setattr(animation, "_draw_course", lambda ax, *of: axes.append(ax) or draw(ax, *of))
    page = plots.animate_trace(seen, sample=shortest, seconds_a_step=0.25)
    [shown] = re.findall(r'<img src="data:image/apng;base64,([^"]+)"', page)
    moving = Image.open(io.BytesIO(base64.b64decode(shown)))
    assert (moving.n_frames, moving.info["duration"], moving.info["loop"]) == (steps, 250, 0)
    assert axes[0].get_xlim() == (-0.5, steps - 0.5)


def test_animation_of_a_long_sequence_is_thinned_and_bounded(wide):
    rng = np.random.default_rng(0)
    names = ("input_gate", "forget_gate", "candidate", "output_gate", "cell_state", "hidden_state")
    values = {name: rng.random((1, 300, 1)) for name in names}
    page = plots.animate_trace(
        inspection.Trace("l", "lstm", np.ones((1, 300, 1)), values, None), most_steps=8
    )
    assert len(pictures_in(page)) == 8
    assert "8 of 300 steps" in page
    assert len(page) < 8 * 90_000  # each picture twice, and base64 adds a third


def test_walk_through_closed_forget_gates_has_order_and_previous_state():
    """If f = 0, cell states reveal neither their order nor the previous state."""
    layer = keras.layers.LSTM(2, go_backwards=True, unit_forget_bias=False)
    layer.build((None, 3, 1))
    kernel, recurrent, bias = layer.get_weights()
    bias[2:4] = -200
    layer.set_weights([kernel, recurrent, bias])
    inputs, h, c = keras.Input((3, 1)), keras.Input((2,)), keras.Input((2,))
    model = keras.Model([inputs, h, c], layer(inputs, initial_state=[h, c]))
    start = [np.full((1, 2), 0.25), np.full((1, 2), -1.5)]
    seen = inspection.trace(model, [np.ones((1, 3, 1)), *start])
    assert (seen.forget_gate == 0).all()
    walk = walk_through(seen, 0, 0)
    assert list(walk) == [2, 1, 0]
    assert (walk[2]["previous_cell_state"], walk[2]["previous_hidden_state"]) == (-1.5, 0.25)
    assert walk[1]["previous_cell_state"] == pytest.approx(seen.cell_state[0, 2, 0])


def test_walk_through_a_backward_layer_starts_at_its_end():
    layer = keras.layers.Bidirectional(keras.layers.LSTM(2))
    model = keras.Sequential([keras.Input((5, 3)), layer])
    both = inspection.trace(model, np.random.default_rng(0).normal(size=(1, 5, 3)))
    assert list(walk_through(both.forward, 0, 0)) == [0, 1, 2, 3, 4]
    walk = walk_through(both.backward, 0, 0)
    assert list(walk) == [4, 3, 2, 1, 0]
    assert walk[1]["previous_cell_state"] == pytest.approx(both.backward.cell_state[0, 2, 0])
    with pytest.raises(ValueError, match=r"pass trace\.forward or trace\.backward"):
        plots.animate_trace(both)


# Every figure


@pytest.fixture
def every_figure(speech, seen):
    """Each figure in a new one of its own, by name."""
    flow = inspection.gradient_flow(speech["model"], speech["x"][:8], speech["y"][:8])
    layer, x = speech["model"].get_layer("memory"), speech["x"][:2]
    drawn = {
        "history": plots.plot_history(speech["history"]),
        "confusion": plots.plot_confusion(speech["y"], speech["y"], speech["class_names"]),
        "forecast": plots.plot_forecast(x[0, :, 0], x[1, :3, 0], x[1, :3, :3], (0.1, 0.5, 0.9)),
        "embedding": plots.plot_embedding(seen, speech["y"], speech["class_names"]),
        "trace": plots.plot_trace(seen),
        "trace in lines": plots.plot_trace(seen, kind="lines"),
        "saturation": plots.plot_gate_saturation(seen),
        "saliency": plots.plot_saliency(np.abs(x), x),
        "gradient flow": plots.plot_gradient_flow(flow),
        "weights": plots.plot_weights(layer),
        "histogram": plots.plot_weights(layer, kind="histogram"),
        "diagram": plots.plot_cell_diagram(seen, step=3),
    }
    return {name: np.atleast_1d(axes)[0].figure for name, axes in drawn.items()}


@pytest.mark.slow
def test_text_of_every_figure_is_7_points_or_more_at_half_a_page(every_figure):
    for name, figure in every_figure.items():
        figure.canvas.draw()
        shrunk = 3.3 / figure.get_figwidth()
        for text in figure.findobj(Text):
            if text.get_text().strip() and text.get_visible():
                assert text.get_fontsize() * shrunk >= 7, (name, text)


def test_every_axis_of_every_figure_is_labelled(every_figure):
    for name, figure in every_figure.items():
        for ax in figure.axes:
            if ax.axison and ax.get_label() != "<colorbar>":
                assert ax.get_ylabel(), name
        panels = [ax for ax in figure.axes if ax.get_label() != "<colorbar>" and ax.axison]
        named = name == "weights" or not panels  # its columns carry the gates' names
        assert named or panels[-1].get_xlabel(), name


def test_figures_look_the_same_whatever_the_settings_and_leave_them_alone():
    with plt.rc_context({"font.size": 30, "axes.spines.top": True}):
        ax = plots.plot_history({"loss": [2.0, 1.0]})
        assert plt.rcParams["font.size"] == 30
    assert ax.xaxis.label.get_fontsize() == 11
    assert not ax.spines["top"].get_visible()


def colours_in(figure):
    """Of all that is drawn from data: lines, points, bands and outlines."""
    for ax in figure.axes:
        yield from (to_hex(line.get_color()).upper() for line in ax.lines if of_data(line, ax))
        for points in ax.collections:
            yield from (to_hex(colour).upper() for colour in points.get_facecolor())


def of_data(line, ax):
    """Whether a line is drawn from data, and is no guide across the whole panel."""
    return line.get_transform() == ax.transData


@pytest.mark.parametrize(
    "name", ["history", "forecast", "embedding", "gradient flow", "saliency", "confusion"]
)
def test_everything_except_gates_and_states_has_the_second_palette(every_figure, name):
    assert set(colours_in(every_figure[name])).isdisjoint(plots.COLOURS.values())


def test_lines_of_data_have_names(every_figure):
    for name in ("history", "forecast", "trace in lines", "gradient flow", "saliency"):
        for ax in every_figure[name].axes:
            if ax.get_label() != "<colorbar>":
                continuations = 1 if name == "forecast" else 0  # the truth goes on behind now
                unnamed = [line for line in ax.lines if line.get_label().startswith("_")]
                assert sum(of_data(line, ax) for line in unnamed) <= continuations, name


def test_cursor_of_an_animation_has_no_gate_s_colour(seen):
    for panel in plots.plot_trace(seen, values=["cell_state"], kind="lines"):
        assert animation._draw_course(panel, seen, 0, 0).get_color() in plots.CYCLE


SEEN_BY = {  # Machado, Oliveira & Fernandes 2009, severity 1, for linear RGB
    "most": np.eye(3),
    "protanopes": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopes": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def lab(colour, matrix):
    """A colour in CIELAB as seen by those with `matrix`, where distances are as perceived."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(matrix @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(xyz @ seen / [0.9505, 1, 1.089], 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("matrix", SEEN_BY.values(), ids=SEEN_BY)
def test_colours_of_each_palette_are_told_apart(matrix):
    quantities = [colour for name, colour in plots.COLOURS.items() if name != "inputs"]
    for colours in (quantities, plots.CYCLE):  # the inputs have a panel of their own
        for one, other in itertools.combinations(colours, 2):
            distance = np.linalg.norm(lab(one, np.array(matrix)) - lab(other, np.array(matrix)))
            assert distance > 15, (one, other)  # 2.3 can just be noticed side by side


def test_palettes_share_no_colour():
    assert set(plots.CYCLE).isdisjoint(plots.COLOURS.values())
    assert len(set(plots.CYCLE)) == len(plots.CYCLE) == 8


def test_colours_are_those_of_okabe_and_ito():
    okabe_ito = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    quantities = ["input_gate", "forget_gate", "candidate", "output_gate", "cell_state"]
    quantities += ["hidden_state", "update_gate"]
    assert {plots.COLOURS[name] for name in quantities} <= okabe_ito | {"#000000"}
    assert len(set(plots.COLOURS.values())) == len(plots.COLOURS)


@pytest.mark.parametrize("colours", [palette.OPENNESS, palette.SIGNED, palette.AMOUNT])
def test_colour_maps_keep_their_order_in_grey(colours):
    rgb = colours(np.linspace(0, 1, 101))[:, :3]
    grey = rgb @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    steps = np.diff(grey) * np.sign(grey[-1] - grey[0])
    assert (steps > 0).all()


def test_trace_in_steps_holds_the_level_of_each_time_step(seen):
    panels = plots.plot_trace(seen, units=[0], kind="steps", values=["inputs", "forget_gate"])
    [gate] = panels[1].lines
    np.testing.assert_array_equal(gate.get_ydata(), seen.forget_gate[0, :, 0])
    assert (
        {line.get_drawstyle() for line in panels[0].lines}
        == {gate.get_drawstyle()}
        == {"steps-mid"}
    )
