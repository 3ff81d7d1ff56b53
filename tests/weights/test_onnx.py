"""Nodes of ONNX in Keras's layers: the numbers are those that ONNX Runtime gives."""

import pathlib
import runpy

import keras
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import lstm_zoo as lz
from lstm_zoo.weights import from_onnx

graphs = runpy.run_path(str(pathlib.Path(__file__).with_name("onnx_graphs.py")))
UNITS, X, arrays, by_batch = (graphs[name] for name in ("UNITS", "X", "arrays", "by_batch"))
in_onnx_runtime, recurrent, saved = (graphs[k] for k in ("in_onnx_runtime", "recurrent", "saved"))
GRU, RNN, Both = keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.Bidirectional


def layer_of(kind, **options):
    return kind(UNITS, return_sequences=True, **options)


KINDS = {
    "LSTM": ("LSTM", {}, lambda: layer_of(lz.LSTM)),
    "Keras's LSTM": ("LSTM", {}, lambda: layer_of(keras.layers.LSTM)),
    "hard sigmoid": (
        "LSTM",
        {"activations": ["HardSigmoid", "Relu", "Relu"]},
        lambda: layer_of(
            lz.LSTM, recurrent_activation=lz.cells.keras2_hard_sigmoid, activation="relu"
        ),
    ),
    "Keras 3's hard sigmoid": (
        "LSTM",
        {"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_alpha": [1 / 6]},
        lambda: layer_of(lz.LSTM, recurrent_activation="hard_sigmoid"),
    ),
    "reverse": ("LSTM", {"direction": "reverse"}, lambda: layer_of(lz.LSTM, go_backwards=True)),
    "both": ("LSTM", {"direction": "bidirectional"}, lambda: Both(layer_of(lz.LSTM))),
    "coupled": ("LSTM", {"input_forget": 1}, lambda: layer_of(lz.CoupledLSTM)),
    "GRU": ("GRU", {}, lambda: layer_of(GRU, reset_after=False)),
    "GRU of cuDNN": ("GRU", {"linear_before_reset": 1}, lambda: layer_of(GRU)),
    "GRU both": (
        "GRU",
        {"linear_before_reset": 1, "direction": "bidirectional"},
        lambda: Both(layer_of(GRU)),
    ),
    "RNN": ("RNN", {}, lambda: layer_of(RNN)),
    "RNN relu": ("RNN", {"activations": ["Relu"]}, lambda: layer_of(RNN, activation="relu")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_layer_gives_the_numbers_of_onnx_runtime(kind, tmp_path):
    operator, attributes, make = KINDS[kind]
    path = recurrent(tmp_path / "node.onnx", operator, **attributes)
    layer = make()
    from_onnx(layer, path)
    [y] = in_onnx_runtime(path, x=np.swapaxes(X, 0, 1))
    y = by_batch(y)[:, :: -1 if attributes.get("direction") == "reverse" else 1]
    np.testing.assert_allclose(layer(X), y, atol=1e-6)


def test_peepholes_give_the_numbers_of_onnx_runtime(tmp_path):
    path = recurrent(tmp_path / "node.onnx", weights=arrays(peepholes=True))
    layer = layer_of(lz.PeepholeLSTM)
    from_onnx(layer, path, node="node")
    [y] = in_onnx_runtime(path, x=np.swapaxes(X, 0, 1))
    np.testing.assert_allclose(layer(X), by_batch(y), atol=1e-6)


def test_node_without_biases_sets_them_to_zero(tmp_path):
    weights = {k: v for k, v in arrays().items() if k != "B"}
    path = recurrent(tmp_path / "node.onnx", weights=weights)
    [y] = in_onnx_runtime(path, x=np.swapaxes(X, 0, 1))
    for use_bias in (True, False):
        layer = layer_of(lz.LSTM, use_bias=use_bias)
        from_onnx(layer, path)
        np.testing.assert_allclose(layer(X), by_batch(y), atol=1e-6)


def test_weights_are_found_behind_constant_operations(tmp_path):
    """As PyTorch writes them: the gates of its order i, f, g, o cut and joined in ONNX's."""
    weights = arrays()
    i, o, f, g = np.split(weights["W"][0], 4)
    stored = {
        "torch_w": np.concatenate([i, f, g, o]).T.copy(),
        "axes": np.array([0]),
        **{f"at_{k}": np.array([k]) for k in (0, 4, 8, 12, 16)},
        "half_r": weights["R"] / 2,
    }
    moved = [helper.make_node("Transpose", ["torch_w"], ["rows"], perm=[1, 0])]
    moved += [
        helper.make_node("Slice", ["rows", f"at_{k}", f"at_{k + 4}", "axes"], [f"gate_{k}"])
        for k in (0, 4, 8, 12)
    ]
    gates = ["gate_0", "gate_12", "gate_4", "gate_8"]
    moved += [
        helper.make_node("Concat", gates, ["joined"], axis=0),
        helper.make_node("Unsqueeze", ["joined", "axes"], ["W"]),
        helper.make_node("Add", ["half_r", "half_r"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["wide"], to=onnx.TensorProto.DOUBLE),
        helper.make_node("Cast", ["wide"], ["R"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Constant", [], ["B"], value=numpy_helper.from_array(weights["B"])),
    ]
    node = helper.make_node("LSTM", ["x", "W", "R", "B"], ["y"], name="node", hidden_size=UNITS)
    path = saved(tmp_path / "node.onnx", [*moved, node], stored)
    layer = layer_of(lz.LSTM)
    from_onnx(layer, path)
    [y] = in_onnx_runtime(path, x=np.swapaxes(X, 0, 1))
    np.testing.assert_allclose(layer(X), by_batch(y), atol=1e-6)


def with_branches(path):
    """A file whose LSTM is the first or the second, by an input."""

    def branch(name):
        node = helper.make_node("LSTM", ["x", f"W{name}", "R", "B"], [name], hidden_size=UNITS)
        result = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        return helper.make_graph([node], name, [], [result])

    condition = helper.make_node("Greater", ["which", "zero"], ["is_first"])
    switch = helper.make_node(
        "If", ["is_first"], ["y"], "if", then_branch=branch("first"), else_branch=branch("second")
    )
    first, second = arrays(), arrays()
    weights = {"Wfirst": first["W"], "Wsecond": second["W"], "R": first["R"], "B": first["B"]}
    weights["zero"] = np.float32(0)
    inputs = (("x", (None, None, 3)), ("which", ()))
    return saved(path, [condition, switch], weights, inputs)


def test_nodes_inside_branches_are_listed_and_read(tmp_path):
    path = with_branches(tmp_path / "branches.onnx")
    found = lz.onnx_summary(path)
    assert [one.name for one in found] == ["if/else_branch/second", "if/then_branch/first"]
    for which, name in ((1, "if/then_branch/first"), (-1, 0)):
        layer = layer_of(lz.LSTM)
        from_onnx(layer, path, node=name)
        [y] = in_onnx_runtime(path, x=np.swapaxes(X, 0, 1), which=np.array(which, "float32"))
        np.testing.assert_allclose(layer(X), by_batch(y), atol=1e-6)
    layers = [layer_of(lz.LSTM) for _ in range(2)]
    with pytest.raises(ValueError, match="layers must be as many as the nodes, 2"):
        from_onnx(layers[0], path)
    from_onnx(layers, path)
    np.testing.assert_array_equal(layer(X), layers[0](X))


def quantized(path, zero):
    """A file with a DynamicQuantizeLSTM, and the weights that its integers stand for."""
    rng = np.random.default_rng(1)
    dtype = "uint8" if zero else "int8"
    w = rng.integers(-127, 128, size=(1, 3, 4 * UNITS)) + zero
    r = rng.integers(-127, 128, size=(1, UNITS, 4 * UNITS)) + zero
    scale = np.float32([0.01])
    stored = {"W": w.astype(dtype), "R": r.astype(dtype), "B": arrays()["B"]}
    stored |= {"w_scale": scale, "r_scale": scale, "zero": np.array([zero], dtype)}
    inputs = ["x", "W", "R", "B", "", "", "", "", "w_scale", "zero", "r_scale", "zero"]
    node = helper.make_node(
        "DynamicQuantizeLSTM", inputs, ["y"], "node", domain="com.microsoft", hidden_size=UNITS
    )
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return (
        saved(path, [node], stored, opset_imports=domains),
        (w - zero) * scale,
        (r - zero) * scale,
    )


@pytest.mark.parametrize("zero", [0, 128])
def test_quantized_lstm_is_dequantised_and_said_so(zero, tmp_path):
    path, w, r = quantized(tmp_path / "quantized.onnx", zero)
    [found] = lz.onnx_summary(path)
    assert (found.features, found.units) == (3, UNITS)
    assert found.layer == "lz.LSTM(4), dequantised"
    layer = layer_of(lz.LSTM)
    from_onnx(layer, path)
    i, o, f, g = np.split(w[0], 4, axis=1)
    np.testing.assert_allclose(layer.get_weights()[0], np.concatenate([i, f, g, o], 1), atol=1e-6)
    [y] = in_onnx_runtime(path, x=np.swapaxes(X, 0, 1))
    np.testing.assert_allclose(layer(X), by_batch(y), atol=0.05)  # it rounds its inputs too


@pytest.mark.parametrize(
    "make",
    [lambda: lz.LSTM(4), lambda: lz.PeepholeLSTM(4, peephole_initializer="glorot_uniform"),
     lambda: lz.CoupledLSTM(4)],
)  # fmt: skip
def test_round_trip_through_onnx_changes_no_bit(make, tmp_path):
    model = keras.Sequential([keras.Input((None, 3)), make()])
    weights = [np.random.default_rng(2).normal(size=w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    again = make()
    from_onnx(again, lz.export(model, tmp_path / "model.onnx", fused=True))
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


WRONG = {
    "another cell": ({}, lambda: layer_of(lz.CoupledLSTM), r"must be lz.LSTM\(4\) for 'node'"),
    "another kind": ({}, lambda: layer_of(GRU), r"must be lz.LSTM\(4\) for 'node', got GRU"),
    "other units": ({}, lambda: lz.LSTM(5), "recurrent kernel must be of shape"),
    "one direction": (
        {"direction": "bidirectional"},
        lambda: lz.LSTM(4),
        r"must be keras.layers.Bidirectional\(lz.LSTM\(4\)\)",
    ),
    "forward": ({"direction": "reverse"}, lambda: lz.LSTM(4), "go_backwards must be True"),
    "backward": ({}, lambda: lz.LSTM(4, go_backwards=True), "go_backwards must be False"),
    "activation": (
        {"activations": ["Sigmoid", "Relu", "Relu"]},
        lambda: lz.LSTM(4),
        "activation must be 'relu' as in 'node', got 'tanh'",
    ),
    "reset": ({"operator": "GRU"}, lambda: GRU(4), "reset_after must be False"),
    "clip": ({"clip": 3.0}, lambda: lz.LSTM(4), "LSTM 'node' must have no clip"),
    "unknown activation": (
        {"activations": ["Sigmoid", "LeakyRelu", "Tanh"]},
        lambda: lz.LSTM(4),
        r"must have activations that Keras has, got LeakyRelu\(0.01\)",
    ),
    "two activations": (
        {"activations": ["Sigmoid", "Relu", "Tanh"]},
        lambda: lz.LSTM(4),
        "must have the same activation throughout",
    ),
    "both at once": (
        {"input_forget": 1, "weights": arrays(peepholes=True)},
        lambda: lz.CoupledLSTM(4),
        "must not have both input_forget and peepholes",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_node_that_computes_something_else_is_refused(kind, tmp_path):
    attributes, make, message = WRONG[kind]
    path = recurrent(tmp_path / "node.onnx", **attributes)
    with pytest.raises(ValueError, match=message):
        from_onnx(make(), path)


def changed(path, change):
    """A sound file in which a function has changed something."""
    recurrent(path)
    proto = onnx.load(path)
    change(proto)
    path.write_bytes(proto.SerializeToString())
    return path


def claim(proto):
    proto.graph.initializer[0].dims[:] = [1, 2**16, 2**15]


def claim_by_shape(proto):
    nodes = [
        numpy_helper.from_array(np.array([2**20, 2**20]), "huge"),
        helper.make_node("ConstantOfShape", ["huge"], ["W"]),
    ]
    proto.graph.initializer[0].name = "unused"
    proto.graph.initializer.append(nodes[0])
    proto.graph.node.insert(0, nodes[1])


def claim_by_doubling(proto):
    proto.graph.initializer[0].name = "0"
    for k in range(60):
        name = "W" if k == 59 else str(k + 1)
        proto.graph.node.insert(k, helper.make_node("Concat", [str(k)] * 2, [name], axis=0))


def outside(proto):
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../../../../../../etc/hostname")


def shorter(proto):
    tensor = proto.graph.initializer[0]
    tensor.raw_data = tensor.raw_data[:-4]


def other_shape(proto):
    tensor = proto.graph.initializer[1]
    tensor.dims[:] = [1, 8, 8]


def circle(proto):
    proto.graph.initializer[0].name = "unused"
    proto.graph.node.add(op_type="Identity", input=["W"], output=["W"])


FAULTS = {
    "2 GB claimed": (claim, "tensor 'W' has the shape .* and 48 numbers"),
    "a huge shape": (claim_by_shape, "ConstantOfShape 'W' can't be computed: it would hold"),
    "doubling": (claim_by_doubling, "Concat .* can't be computed: it would hold"),
    "outside the folder": (outside, "must be in a file beside node.onnx"),
    "shorter": (shorter, "has the shape .* and 47 numbers"),
    "other shape": (other_shape, "must have weights of the same units"),
    "missing": (lambda p: p.graph.initializer.pop(0), "must have constant weights W, got 'W'"),
    "a circle": (circle, "must have constant weights W"),
    "strings": (
        lambda p: p.graph.initializer[0].ClearField("data_type"),
        "has a data type of ONNX that is not read",
    ),
    "no direction": (
        lambda p: p.graph.node[0].attribute.add(name="direction", type=3, s=b"up"),
        "a direction of ONNX, got 'up'",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_wrong_file_is_refused_before_an_array_is_made(kind, tmp_path):
    change, message = FAULTS[kind]
    path = changed(tmp_path / "node.onnx", change)
    layer = lz.LSTM(4)
    for read in (lz.onnx_summary, lambda path: from_onnx(layer, path)):
        with pytest.raises(ValueError, match=message):
            read(path)
    with pytest.raises(ValueError, match="node.onnx"):
        lz.open_onnx(path)
    assert not layer.built


def test_file_that_is_no_onnx_file_is_refused(tmp_path):
    sound = recurrent(tmp_path / "sound.onnx").read_bytes()
    for content in (b"", b"\x80\x05pickle", sound[: len(sound) // 2], b"\xff" * 100):
        (tmp_path / "bad.onnx").write_bytes(content)
        for read in (lz.onnx_summary, lz.open_onnx):
            with pytest.raises(ValueError, match="path must be an ONNX file, got '.*bad.onnx'"):
                read(tmp_path / "bad.onnx")


def test_weights_in_a_second_file_beside_it_are_read(tmp_path):
    path = recurrent(tmp_path / "node.onnx")
    inside = layer_of(lz.LSTM)
    from_onnx(inside, path)
    proto = onnx.load(path)
    (tmp_path / "apart").mkdir()
    onnx.save(proto, tmp_path / "apart/node.onnx", save_as_external_data=True, size_threshold=0,
              location="node.data")  # fmt: skip
    apart = layer_of(lz.LSTM)
    from_onnx(apart, tmp_path / "apart/node.onnx")
    np.testing.assert_array_equal(apart(X), inside(X))
    content = (tmp_path / "apart/node.data").read_bytes()
    (tmp_path / "apart/node.data").write_bytes(content[:100])
    with pytest.raises(ValueError, match="which node.data does not"):
        from_onnx(apart, tmp_path / "apart/node.onnx")


def test_summary_prints_as_a_table(tmp_path):
    found = lz.onnx_summary(recurrent(tmp_path / "node.onnx", direction="bidirectional"))
    head, row = repr(found).splitlines()
    assert head.split() == ["name", "operator", "features", "units", "direction", "layer"]
    assert row.split()[:5] == ["node", "LSTM", "3", "4", "bidirectional"]
    assert "<td>keras.layers.Bidirectional(lz.LSTM(4))</td>" in found._repr_html_()


def test_file_without_recurrent_nodes_is_refused_by_from_onnx(tmp_path):
    path = saved(tmp_path / "add.onnx", [helper.make_node("Add", ["x", "x"], ["y"])], {})
    assert lz.onnx_summary(path) == ()
    with pytest.raises(ValueError, match="has no LSTM, GRU or RNN node"):
        from_onnx(lz.LSTM(4), path)
