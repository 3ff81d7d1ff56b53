"""Each figure is read back from its artists and held against the numbers it was given."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

import lstm_zoo as lz
from lstm_zoo import inspection, plots


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
        ([1.0, 0.5], "loss", "history must be what fit returns"),
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
    assert len(ax.get_yticks()) == 20


@pytest.mark.parametrize(
    ("y_true", "y_pred", "names", "reason"),
    [
        ([0, 1], [0, 1, 1], None, "as long, got 2 and 3"),
        ([0, 1], [0, 2], ["a", "b"], "3 classes, 2 names"),
        ([0, 0.5], [0, 1], None, "y_true must be class numbers"),
        ([0, -1], [0, 1], None, "y_true must be class numbers"),
        ([], [], None, "y_true must hold finite numbers"),
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
    assert panels[-1].get_xlabel() == "time step"


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
    assert panel.get_title(loc="right") == f"wide, sample 0, {note}"
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
        ({"units": range(5), "kind": "lines"}, 'at most 4 for kind="lines", got 5'),
        ({"kind": "bars"}, "kind must be one of heatmap, lines, got 'bars'"),
        ({"values": ["reset_gate"]}, "values must be one of inputs, input_gate"),
        ({"ax": "here"}, "ax must hold 5 matplotlib Axes"),
    ],
)
def test_trace_refuses_what_the_trace_does_not_hold(wide, arguments, reason):
    with pytest.raises(ValueError, match=reason):
        plots.plot_trace(wide, **arguments)


def test_trace_refuses_both_directions_at_once_and_other_things(wide):
    with pytest.raises(ValueError, match=r"pass trace\.forward or trace\.backward"):
        plots.plot_trace(inspection.BidirectionalTrace(wide, wide))
    with pytest.raises(ValueError, match="trace must be what lstm_zoo.inspection.trace returns"):
        plots.plot_trace(np.zeros((2, 10, 4)))


# Every figure


def test_every_quantity_has_a_colour_of_its_own():
    quantities = {"input_gate", "forget_gate", "candidate", "output_gate"}
    quantities |= {"cell_state", "hidden_state", "update_gate", "reset_gate"}
    assert quantities <= set(plots.COLOURS)
    assert len(set(plots.COLOURS.values())) == len(plots.COLOURS)
