"""What stands in an ONNX file, so that other runtimes than ONNX Runtime give the same numbers."""

import math

import keras
import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest

import lstm_zoo as lz
from lstm_zoo.layers import layer_for

RNG = np.random.default_rng(0)
LAYERS = [
    {"return_state": True},
    {"return_state": True, "masked": True},
    {"return_sequences": True, "masked": True},
    {"return_sequences": True, "go_backwards": True},
    {"return_state": True, "both_ways": True},
    {"return_state": True, "both_ways": True, "masked": True},
    {"return_sequences": True, "both_ways": True, "masked": True},
]


def model_of(cell, both_ways=False, masked=False, **options):
    inputs = keras.Input((None, 3), name="x")
    layer = layer_for(cell, 4, **options)
    layer = keras.layers.Bidirectional(layer) if both_ways else layer
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs) if masked else inputs))
    model.set_weights([RNG.normal(scale=0.7, size=w.shape) for w in model.get_weights()])
    return model


def padded():
    """A row that is masked whole, one with a hole, one padded at its end."""
    x = RNG.normal(size=(3, 5, 3)).astype("float32")
    x[0], x[1, 1:2], x[2, -2:] = 0, 0, 0
    return x


def assert_equal_in_two_runtimes(model, path, **options):
    """Compare the file with the model in ONNX Runtime and in ONNX's own evaluator."""
    x = padded()
    expected = keras.tree.flatten(model.predict(x, verbose=0))
    lz.export(model, path, **options)
    for runtime in (onnxruntime.InferenceSession, onnx.reference.ReferenceEvaluator):
        got = runtime(str(path)).run(None, {"x": x})
        for one, value in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, value, atol=1e-6)
    return onnx.load(path).graph


def operations(graph):
    """The operations of a graph and of the bodies of its loops."""
    inside = [one for node in graph.node for a in node.attribute for one in operations(a.g)]
    return [*(node.op_type for node in graph.node), *inside]


@pytest.mark.parametrize("options", LAYERS, ids=", ".join)
@pytest.mark.parametrize(
    ("cell", "operation"), [("lstm", "LSTM"), ("gru", "GRU"), ("simple_rnn", "RNN")]
)
def test_a_layer_is_a_node_with_the_same_numbers_in_two_runtimes(
    cell, operation, options, tmp_path
):
    model = model_of(cell, **options)
    found = operations(assert_equal_in_two_runtimes(model, tmp_path / "m.onnx"))
    assert found.count(operation) == 1 + options.get("both_ways", False)
    # OpenCV and tract don't know ReverseSequence.
    assert not {"Loop", "ReverseSequence"} & set(found)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("cell", ["layer_norm", "slstm"])
def test_a_loop_passes_on_only_states_that_change(cell, masked, tmp_path):
    """OpenVINO refuses a loop that returns a state as it came in."""
    model = model_of(cell, masked=masked, return_state=True)
    graph = assert_equal_in_two_runtimes(model, tmp_path / "m.onnx")
    [loop] = [node for node in graph.node if node.op_type == "Loop"]
    body = loop.attribute[0].g
    names = {one.name for one in body.input}
    assert len(body.input) == len(loop.input) > 4
    assert not [one.name for one in body.output if one.name in names]


@pytest.mark.parametrize("masked", [False, True])
def test_peepholes_are_a_loop_because_some_runtimes_misread_the_node(masked, tmp_path):
    """OpenVINO drops the peepholes of an LSTM node, OpenCV reads them in another order."""
    model = model_of("peephole", masked=masked, return_sequences=True)
    found = operations(assert_equal_in_two_runtimes(model, tmp_path / "m.onnx"))
    assert (found.count("Loop"), found.count("LSTM")) == (1, 0)
    fused = assert_equal_in_two_runtimes(model, tmp_path / "m.onnx", fused=True)
    assert (operations(fused).count("Loop"), operations(fused).count("LSTM")) == (0, 1)


def test_an_lstm_is_a_loop_if_the_user_says_so(tmp_path):
    model = model_of("lstm", return_sequences=True, masked=True)
    graph = assert_equal_in_two_runtimes(model, tmp_path / "m.onnx", fused=False)
    assert operations(graph).count("Loop") == 1
    assert "LSTM" not in operations(graph)


def test_states_of_a_loop_start_from_tensors_of_their_own(tmp_path):
    """OpenCV keeps states that start from one tensor in one place."""
    graph = assert_equal_in_two_runtimes(model_of("slstm"), tmp_path / "m.onnx")
    [loop] = [node for node in graph.node if node.op_type == "Loop"]
    assert len(set(loop.input[2:])) == len(loop.input[2:]) > 3


@pytest.mark.parametrize("options", [{"fused": 1.5}, {"fused": "yes"}, {"fused": None}])
def test_a_wrong_value_of_fused_is_refused(options, tmp_path):
    with pytest.raises(ValueError, match='fused must be "auto", True or False, got'):
        lz.export(model_of("lstm"), tmp_path / "m.onnx", **options)


def test_fused_is_refused_for_formats_that_always_write_loops(tmp_path):
    with pytest.raises(ValueError, match="fused is for onnx, litert only"):
        lz.export(model_of("lstm"), tmp_path / "m", fused=False)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", [{"reset_after": False}, {"use_bias": False}], ids=", ".join)
def test_a_gru_of_any_form_can_be_a_node(options, masked, tmp_path):
    model = model_of("gru", masked=masked, return_state=True, **options)
    graph = assert_equal_in_two_runtimes(model, tmp_path / "m.onnx", fused=True)
    [node] = [node for node in graph.node if node.op_type == "GRU"]
    [found] = [a.i for a in node.attribute if a.name == "linear_before_reset"]
    assert found == options.get("reset_after", True)


def test_the_gru_of_the_paper_is_a_loop_because_mnn_computes_another(tmp_path):
    model = model_of("gru", reset_after=False)
    assert "Loop" in operations(assert_equal_in_two_runtimes(model, tmp_path / "m.onnx"))


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_other_activations_are_a_loop(cell, tmp_path):
    model = model_of(cell, activation="relu")
    assert "Loop" in operations(assert_equal_in_two_runtimes(model, tmp_path / "m.onnx"))


ACTIVATIONS = """
celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear
log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign
sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink
"""


@pytest.mark.parametrize("activation", ACTIVATIONS.split())
def test_each_activation_of_keras_is_the_same_in_two_runtimes(activation, tmp_path):
    inputs = keras.Input((None, 3), name="x")
    model = keras.Model(inputs, keras.layers.Dense(4, activation=activation)(inputs))
    assert_equal_in_two_runtimes(model, tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("gelu", lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2)))),
        ("celu", lambda x: x if x > 0 else math.exp(x) - 1),
    ],
)
def test_gelu_and_celu_in_a_file_are_their_formulas(activation, formula, tmp_path):
    inputs = keras.Input((None, 1), name="x")
    model = keras.Model(inputs, keras.layers.Activation(activation)(inputs))
    path = lz.export(model, tmp_path / "m.onnx")
    x = np.linspace(-8, 8, 65, dtype="float32")
    [got] = onnxruntime.InferenceSession(path).run(None, {"x": x[None, :, None]})
    np.testing.assert_allclose(got.ravel(), [formula(float(value)) for value in x], atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("activation", ["gelu", "celu"])
def test_gelu_and_celu_run_inside_a_loop(cell, activation, tmp_path):
    model = model_of(cell, activation=activation, return_sequences=True)
    assert "Loop" in operations(assert_equal_in_two_runtimes(model, tmp_path / "m.onnx"))


@pytest.mark.parametrize(
    "layer",
    [
        lambda odd: keras.layers.Dense(2, activation=odd, name="odd"),
        lambda odd: lz.LSTM(2, activation=odd, name="odd"),
    ],
)
def test_a_function_that_onnx_lacks_is_refused_with_the_name_of_its_layer(layer, tmp_path):
    inputs = keras.Input((None, 3), name="x")
    model = keras.Model(inputs, layer(keras.ops.erfinv)(inputs))
    model(np.zeros((1, 2, 3)))  # TensorFlow appends a number to the name of a later call
    with pytest.raises(ValueError, match="layer 'odd' can't be written to ONNX.* Erfinv") as error:
        lz.export(model, tmp_path / "m.onnx")
    assert type(error.value) is ValueError
    assert not (tmp_path / "m.onnx").exists()


class _OwnLayer(keras.layers.Layer):
    """A layer without a configuration."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        (keras.layers.LSTM, "LSTM"),
        (keras.layers.GRU, "GRU"),
        (keras.layers.SimpleRNN, "RNN"),
    ],
)
@pytest.mark.parametrize("options", LAYERS[1:6:4], ids=", ".join)
def test_keras_own_layers_become_nodes(kind, operation, options, tmp_path):
    model = model_of(kind, **options)
    before = [type(layer) for layer in model.layers]
    found = operations(assert_equal_in_two_runtimes(model, tmp_path / "m.onnx"))
    assert found.count(operation) == 1 + options.get("both_ways", False)
    assert [type(layer) for layer in model.layers] == before


def test_a_model_that_cannot_be_rebuilt_keeps_keras_own_layers(tmp_path):
    inputs = keras.Input((5, 3), name="x")
    y = keras.layers.LSTM(4)(_OwnLayer(2.0)(inputs))
    model = keras.Model(inputs, y)
    path = lz.export(model, tmp_path / "m.onnx")
    x = padded()
    [got] = onnxruntime.InferenceSession(path).run(None, {"x": x})
    np.testing.assert_allclose(got, model.predict(x, verbose=0), atol=1e-6)
