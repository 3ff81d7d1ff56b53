"""How objects show themselves: a line of text, a table with curves, names for completion."""

import base64
import html.parser
import re

import keras
import numpy as np
import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter

import lstm_zoo as lz
from lstm_zoo import display, inspection
from lstm_zoo.training.history import History


class Cells(html.parser.HTMLParser):
    """The rows of a table, as a reader sees them; a picture is its alt text."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.rows[-1][-1] += dict(attributes)["alt"]
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "tr" in self.open:
            self.rows[-1][-1] += data


def points(image):
    """Of each line that a curve has: (points, 2), in pixels from the top left."""
    address = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', image)[1]
    lines = re.findall(r'points="([^"]*)"', base64.b64decode(address).decode())
    return [np.array([list(map(float, p.split(","))) for p in line.split()]) for line in lines]


@pytest.fixture
def seen():
    gates = np.array([[[0.0, 0.5], [1.0, 0.5], [np.nan, np.nan]]])
    values = {"forget_gate": gates, "hidden_state": -gates}
    mask = np.array([[True, True, False]])
    return inspection.Trace("memory", "lstm", np.zeros((1, 3, 4)), values, mask)


def test_a_curve_rises_from_the_bottom_to_the_top_and_leaves_a_gap_at_nan():
    first, last = points(display.curve([0.0, 1.0, np.nan, 3.0], "a < b"))
    width, height = display.SIZE
    np.testing.assert_allclose(first[:, 1], [height - 3, height - 3 - (height - 6) / 3], atol=0.1)
    np.testing.assert_allclose(last[:, 1], 3)
    np.testing.assert_allclose([first[0, 0], last[-1, 0]], [3, width - 3])
    assert 'alt="a &lt; b"' in display.curve([0.0, 1.0], "a < b")


@pytest.mark.parametrize("values", [[], [np.nan], [2.0], [1.0, 1.0], np.arange(10_000), [np.inf]])
def test_a_curve_stays_small_and_finite_for_any_values(values):
    drawn = display.curve(values, "any")
    assert len(drawn) < 8_000
    assert all(np.isfinite(line).all() for line in points(drawn))


def test_a_trace_is_a_line_in_text_and_a_row_a_value_in_html(seen):
    text = repr(seen)
    assert text == (
        "Trace('memory', lstm, 1 x 3 steps of 4 features, 2 units: forget_gate, hidden_state)"
    )
    head, forget, hidden = Cells(seen._repr_html_()).rows
    assert head == ["value", "mean", "lowest", "highest", "mean at each step"]
    assert forget == ["forget gate", "0.5", "0", "1", "mean forget gate over time"]
    assert hidden[:4] == ["hidden state", "−0.5", "−1", "0"]


def test_the_picture_of_a_trace_is_the_mean_over_sequences_and_units(seen):
    *_, forget, _ = seen._repr_html_().split("<img ")
    [line] = points(forget)
    assert len(line) == 2  # the masked step is not drawn
    assert line[0, 1] > line[1, 1]  # 0.25 and then 0.75: up
    assert (
        display.COLOURS["forget_gate"]
        in base64.b64decode(re.search(r"base64,([^\"]+)", forget)[1]).decode()
    )


def test_a_trace_of_two_directions_says_where_the_gates_are(seen):
    both = inspection.BidirectionalTrace(seen, seen)
    assert both._repr_html_() == 2 * seen._repr_html_()
    with pytest.raises(AttributeError, match=r"use trace\.forward\.forget_gate or"):
        _ = both.forget_gate


def test_gradient_flow_gives_the_horizon_of_each_layer():
    norms = np.array([[1e-4, 1e-2, 1.0]])  # a hundredth one step before the last
    flow = inspection.GradientFlow({"lstm": norms}, {"lstm": 0 * norms + 1})
    assert repr(flow) == "GradientFlow(hidden state, memory horizon in steps: 'lstm' 1)"
    _, hidden, cell = Cells(flow._repr_html_()).rows
    assert hidden == ["lstm", "hidden state", "0.0001", "1", "1", "log norm of lstm, hidden state"]
    assert cell[:5] == ["lstm", "cell state", "1", "1", "3"]


def test_history_gives_the_first_and_the_last_epoch():
    history = History()
    assert repr(history) == "History(0 epochs, 0 s: no curves)"
    history.history = {"loss": [1.0, 0.25, 0.5], "grad_norm": [3.0, 2.0, 1.0], "seconds": [1, 2, 3]}
    assert repr(history) == "History(3 epochs, 6 s: loss 1 to 0.5)"
    _, loss, norm = Cells(history._repr_html_()).rows
    assert loss == ["loss", "1", "0.5", "0.25", "1", "loss over the epochs"]
    assert norm[:3] == ["grad norm", "3", "1"]


@pytest.mark.slow
def test_fit_returns_a_keras_history_with_an_informative_repr():
    model = lz.build_regressor((5, 2), lstm_units=(2,), dense_units=())
    x, y = lz.tasks.adding(16, timesteps=5, seed=0)
    history = lz.fit(model, x, y, epochs=2, verbose=0, seed=0)
    assert isinstance(history, keras.callbacks.History)
    assert model.history is history
    assert re.fullmatch(r"History\(2 epochs, .* s: loss .* to .*\)", repr(history))
    own = keras.callbacks.History()  # one that the user gives is the one that comes back
    assert lz.fit(model, x, y, epochs=1, verbose=0, callbacks=[own]) is own


@pytest.mark.parametrize("name", lz.datasets.names())
def test_a_data_set_shows_its_shapes_its_beginning_and_its_licence(name):
    data = lz.datasets.load(name)
    assert "\n" not in repr(data)
    rows = {row[0]: row[1] for row in Cells(data._repr_html_()).rows if row[0]}
    assert rows["x_test"].split()[:-1] == " x ".join(map(str, data.x_test.shape)).split()
    assert rows["licence"] == data.licence
    assert any(key.startswith("first steps") and shown for key, shown in rows.items())


def test_summaries_are_one_line(seen):
    summary = lz.gate_summary(seen)
    assert repr(summary) == "GateSummary(2 units, 0 dead; saturated: forget_gate 1)"
    assert Cells(summary._repr_html_()).rows[1] == ["forget gate", "25%", "25%", "1"]
    ones = np.ones((2, 3))
    norms = inspection.JacobianNorms(ones, None, ones, ones)
    assert repr(norms) == "JacobianNorms(2 x 3 steps: mean norm of dh_T/dh_0 1)"


def test_reprs_show_shapes_but_neither_numbers_nor_addresses():
    forecaster = lz.build_forecaster(
        (4, 1), 2, scale_windows=False, lstm_units=2, dense_units=(), name="small"
    )
    long = {"unique_id": [0] * 500 + [1] * 499, "ds": [*range(500), *range(499)]}
    long["y"] = np.ones(999)
    for found, text in (
        (
            lz.panel(long),
            "Panel(2 series of 499 to 500 steps, 1 features: y; 0 known ahead, 0 static)",
        ),
        (
            lz.windows(np.ones((500, 3)), 5, 2),
            "Windows(494 of 1 series, 5 steps of 3 features to 2 ahead, in 16 batches of 32)",
        ),
        (
            lz.batches_by_length([np.ones(n) for n in range(1, 500)], np.ones(499)),
            "batches_by_length(499 sequences in 16 batches of up to 32, 125 to 499 steps)",
        ),
        (lz.encode_labels(["b", "a"] * 500), "Labels(1000 of 2 classes: a, b)"),
        (lz.stream(forecaster), "Stream('small', batch_size=1: step shape (1,), 2 states)"),
        (lz.GradientMonitor([1.0], [1.0]), "GradientMonitor(0 epochs, 0 weights, limit 1000)"),
        (lz.presets.task_of(lz.presets.read_recipe("fat")), "Regression('fat')"),
    ):
        assert (
            re.sub(", run (in C|by Keras)", "", repr(found)) == text
        )  # with and without a compiler


@pytest.mark.parametrize("jedi", [True, False])
def test_the_tab_key_offers_the_gates_of_a_trace_and_what_draws(seen, jedi):
    completer = IPCompleter(namespace={"inside": seen, "lz": lz}, use_jedi=jedi)

    def offered(text):
        with provisionalcompleter():
            return [found.text.lstrip(".") for found in completer.completions(text, len(text))]

    assert "forget_gate" in offered("inside.")
    assert offered("inside.forg") == ["forget_gate"]
    assert {name.split("_")[0] for name in offered("lz.plots.")} == {"plot", "animate"}
    assert "plot_trace" in offered("lz.plots.")
