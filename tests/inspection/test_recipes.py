"""Every line of docs/inspection.md runs on a trained model, with the results on the page."""

import pathlib
import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "inspection.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SHAPE = re.compile(r"^(\w+) = .*  # (\(\d.*\))$", flags=re.MULTILINE)
TABLE = PAGE[PAGE.index("| see-rnn |") : PAGE.index("see-rnn also drew")]

pytestmark = pytest.mark.long  # trains first


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """All names of the page, after its blocks ran one after the other."""
    keras.utils.set_random_seed(0)
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("recipes"))
        for block in BLOCKS:
            exec(compile(block, "docs/inspection.md", "exec"), names)
            plt.close("all")
            names.setdefault("weights", names["model"].get_weights())
    names["lengths"] = names["data"].lengths_test[::12]
    names["model"].set_weights(names["weights"])  # those that all but the last recipes saw
    return names


def test_every_shape_that_the_page_states_is_right(said):
    stated = dict(SHAPE.findall(PAGE))
    assert len(stated) >= 12
    for name, shape in stated.items():
        assert str(np.shape(said[name])) == shape, name


def test_model_of_the_page_has_learned(said):
    _, accuracy = said["model"].evaluate(said["data"].x_test, said["data"].y_test, verbose=0)
    assert accuracy > 0.5  # 0.24 for always naming the speaker heard most often


def test_states_are_those_that_keras_itself_returns_at_the_end(said):
    """`return_state` gives h and c after the last step that is not masked."""
    model, x, lengths = said["model"], said["x"], said["lengths"]
    layer = model.get_layer("first")
    layer.return_state = True
    mask = np.arange(x.shape[1]) < lengths[:, None]
    _, h, c = layer(np.nan_to_num(said["read"]), mask=mask)
    layer.return_state = False
    last = np.arange(len(x)), lengths - 1
    np.testing.assert_allclose(said["cell_state"][last], c, atol=1e-6)
    np.testing.assert_allclose(said["everything"]["hidden_state"][last], h, atol=1e-6)
    assert np.isnan(said["cell_state"][~mask]).all()


def test_gates_are_open_between_0_and_1_where_the_sequence_is(said):
    for name in ("forget_gate", "update_gate", "reset_gate"):
        gate = said[name]
        assert 0 < np.nanmin(gate) < np.nanmax(gate) < 1
        assert (np.isnan(gate).any(axis=(1, 2)) == (said["lengths"] < 29)).all()


def test_gradient_of_the_last_hidden_state_is_that_of_the_loss(said):
    """The last layer's h_T feeds a softmax alone, whose gradient is known: W (p - onehot) / n."""
    model, x, y = said["model"], said["x"], said["y"]
    p = model.predict(x, batch_size=len(x), verbose=0)
    kernel = model.layers[-1].get_weights()[0]
    flow = said["flow"].hidden["second"]
    expected = np.linalg.norm((p - np.eye(9)[y]) @ kernel.T / len(x), axis=1)
    last = np.arange(len(x)), said["lengths"] - 1
    np.testing.assert_allclose(flow[last], expected, rtol=1e-3, atol=1e-6)


def test_gradient_of_the_last_state_comes_from_later_layers(said):
    """In both directions nothing follows that state, so Keras's gradient of the output is it."""
    model, x, y, lengths = (said[name] for name in ("model", "x", "y", "lengths"))
    samples, mask = np.arange(len(x)), tf.constant(np.arange(29) < lengths[:, None])
    outputs = tf.constant(np.nan_to_num(said["read"]))
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        h = model.get_layer("second")(model.get_layer("first")(outputs, mask=mask), mask=mask)
        p = model.layers[-1](h)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, p))
    forward, backward = np.split(tape.gradient(loss, outputs).numpy(), 2, axis=2)
    for name, last, gradient in (
        ("both/forward", lengths - 1, forward),
        ("both/backward", np.zeros_like(lengths), backward),
    ):
        np.testing.assert_allclose(
            said["flow"].hidden[name][samples, last],
            np.linalg.norm(gradient[samples, last], axis=1),
            rtol=1e-3,
            atol=1e-7,
        )


def test_gradient_reaches_every_step_that_is_not_masked(said):
    mask = np.arange(29) < said["lengths"][:, None]
    for name, norms in said["flow"].hidden.items():
        assert ((norms > 0) == mask).all(), name


def test_recipes_about_memory_and_units_give_useful_numbers(said):
    assert set(said["horizons"]) == {"both/forward", "both/backward", "first", "second"}
    assert all(1 <= horizon <= 29 for horizon in said["horizons"].values())
    assert said["can_learn"] in (True, False)
    assert 0 < said["share"] < 1
    geometric_mean = np.exp(np.nanmean(np.log(said["forget_gate"]), axis=(0, 1)))
    np.testing.assert_allclose(geometric_mean ** said["half_life"], 0.5, rtol=1e-4)
    assert set(said["dead"]) <= set(range(16))


def test_direction_that_reads_from_the_end_ended_at_the_first_step(said):
    forward, backward = said["both"]
    np.testing.assert_array_equal(said["ended"], backward.hidden_state[:, 0])
    assert said["steps"] == list(range(said["lengths"][0]))[::-1]
    last = np.arange(len(said["x"])), said["lengths"] - 1
    np.testing.assert_array_equal(forward.last("hidden_state"), forward.hidden_state[last])
    assert not said["started"].any()


def test_monitor_of_the_page_has_a_norm_for_each_of_its_epochs(said):
    assert len(said["of_the_gradient"]) == len(said["of_the_weight"]) == 2
    before = np.linalg.norm(said["recurrent_kernel"])
    assert said["of_the_weight"][0] == pytest.approx(before, rel=0.2)  # an epoch later


def test_every_line_of_the_comparison_with_see_rnn_runs(said):
    rows = [row.split(" | ") for row in TABLE.splitlines()[2:] if row.startswith("|")]
    assert len(rows) > 18
    names = {**said, "layer": said["model"].get_layer("first")}
    for _, _, here in rows:
        codes = [code for code in re.findall(r"`([^`]+)`", here) if code not in ("layer", "hist")]
        assert codes or "`layer`" in here, here
        for code in codes:
            assert eval(code, names) is not None, code
        plt.close("all")


def test_contents_name_the_sections():
    sections = [title.lower().replace(" ", "-") for title in re.findall(r"^## (.*)", PAGE, re.M)]
    assert re.findall(r"^- \[.*\]\(#(.*)\)", PAGE, re.MULTILINE) == sections
