"""ONNX files of PyTorch's two exporters, of Keras and of tf2onnx give the numbers of their models.

tests/data/origins/make.py made the files, and the numbers with the original models.
"""

import pathlib

import numpy as np
import pytest

import lstm_zoo as lz

DATA = pathlib.Path(__file__).parents[1] / "data" / "origins"
FILES = {name: np.load(DATA / f"{name}.npz") for name in ("torch", "keras")}
CASES = {case: file for file in FILES.values() for case in file if ":" not in case}
LOOP = r"Loop '.*while_loop' \(no such operation is known\)"
REFUSED = {
    # It unrolls nn.RNN over the steps of the example, although the file says any number of steps.
    "new_rnn": r"SplitToSequence 'node_unbind_\d' \(no such operation",
    "new_rnn_relu": r"SplitToSequence 'node_unbind_\d' \(no such operation",
    # It leaves the projection out of the file.
    "new_projected": r"LSTM 'node_lstm__\d' \(its states must be 2 wide as its weights, got shape",
    **{f"{way}_{kind}": LOOP for way in ("keras", "tf2onnx") for kind in ("gru", "rnn", "masked")},
}


@pytest.fixture
def opened(tmp_path):
    """A function that opens the ONNX file of a case."""

    def open_case(case):
        (tmp_path / "model.onnx").write_bytes(CASES[case][case].tobytes())
        return lz.open_onnx(tmp_path / "model.onnx")

    return open_case


def values(case, which):
    """The inputs ("in") or outputs ("out") of a case."""
    names = sorted(key for key in CASES[case] if key.startswith(f"{case}:{which}"))
    return [CASES[case][name] for name in names]


@pytest.mark.parametrize("case", [case for case in CASES if case not in REFUSED])
def test_opened_file_gives_the_numbers_of_its_model(case, opened):
    model, inputs = opened(case), values(case, "in")
    by_name = {f"in{k}": x for k, x in enumerate(inputs)}
    got = model(by_name if len(inputs) > 1 else inputs[0])
    got = list(got.values()) if isinstance(got, dict) else [got]
    for one, wanted in zip(got, values(case, "out"), strict=True):
        assert tuple(one.shape) == wanted.shape
        np.testing.assert_allclose(one, wanted, atol=1e-5)


@pytest.mark.parametrize("case", REFUSED)
def test_file_of_another_model_than_the_original_is_refused_by_the_name_of_its_node(case, opened):
    with pytest.raises(ValueError, match=REFUSED[case]):
        opened(case)


@pytest.mark.parametrize(
    "case",
    ["old_lstm", "new_lstm", "old_gru_states", "new_gru_states", "new_attention", "tf2onnx_lstm"],
)
def test_opened_file_reads_any_batch_and_any_number_of_steps(case, opened):
    model, [x] = opened(case), values(case, "in")
    longer = np.concatenate([x, x[:, :2]], axis=1)
    whole = np.asarray(model(np.concatenate([longer, longer[:1]])))
    np.testing.assert_allclose(whole[2], whole[0], atol=1e-6)
    np.testing.assert_allclose(whole[1:2], model(longer[1:2]), atol=1e-6)
    assert np.abs(whole[:2] - model(x)).max() > 1e-4  # the further steps count


PLAIN = {
    "old_text": ["Embedding", "LSTM", "Dense"],
    "new_text": ["Embedding", "LSTM", "Dense"],
    "old_lstm_fixed_sizes": ["LSTM", "Dense"],
    "new_lstm_fixed_sizes": ["LSTM", "Dense"],
    "old_rnn_relu": ["SimpleRNN", "Dense"],
    "keras_lstm_relu": ["LSTM", "Dense"],
    "tf2onnx_lstm_relu": ["LSTM", "Dense"],
    "old_lstm": ["Bidirectional", "Bidirectional", "ONNXOperation", "Dense"],
    "new_gru": ["Bidirectional", "Bidirectional", "ONNXOperation", "Dense"],
}


@pytest.mark.parametrize("case", PLAIN)
def test_moves_of_axes_are_left_out(case, opened):
    layers = [type(layer).__name__ for layer in opened(case).layers]
    assert layers == ["InputLayer", *PLAIN[case]]


@pytest.mark.parametrize("case", [case for case in PLAIN if "Bidirectional" not in PLAIN[case]])
def test_opened_stack_is_streamed_and_written_in_c(case, opened, tmp_path):
    model, [x], [y] = opened(case), values(case, "in"), values(case, "out")
    stream = lz.stream(model)
    outputs = [stream.step(x[:1, t]) for t in range(x.shape[1])]
    np.testing.assert_allclose(outputs[-1], y[:1], atol=1e-5)
    assert lz.export(model, tmp_path / "model.h").read_text().startswith("/*")


@pytest.mark.parametrize(
    "case", ["old_lstm", "new_lstm_states", "old_packed", "new_convolution", "old_step"]
)
def test_opened_model_predicts_and_goes_out_to_onnx_again(case, opened, tmp_path):
    model, inputs = opened(case), values(case, "in")
    x = {f"in{k}": one for k, one in enumerate(inputs)} if len(inputs) > 1 else inputs[0]
    again = lz.open_onnx(lz.export(model, tmp_path / "again.onnx"))
    for made in (lz.predictor(model), again):
        got = made(x)
        got = list(got.values()) if isinstance(got, dict) else [got]
        for one, wanted in zip(got, values(case, "out"), strict=True):
            np.testing.assert_allclose(one, wanted, atol=1e-5)


def test_states_that_nothing_reads_are_not_returned(opened):
    for case, layer in [("old_lstm_fixed_sizes", "LSTM"), ("old_attention", "Bidirectional")]:
        [found] = [one for one in opened(case).layers if type(one).__name__ == layer]
        assert not getattr(found, "forward_layer", found).return_state


def test_states_that_are_inputs_must_have_their_own_number_of_rows(opened):
    model, [x, h, c] = opened("old_step"), values("old_step", "in")
    with pytest.raises(ValueError, match="is one step already, and lz.predictor runs it"):
        lz.stream(model)
    predictor = lz.predictor(model)
    with pytest.raises(ValueError, match="in1 must have 1 rows, got 2"):
        predictor({"in0": x, "in1": np.concatenate([h, h]), "in2": c})
