"""ONNX files as Keras models: the numbers are those that ONNX Runtime gives."""

import pathlib
import runpy

import keras
import numpy as np
import onnx
import pytest
from onnx import helper

import lstm_zoo as lz

graphs = runpy.run_path(str(pathlib.Path(__file__).parents[1] / "weights/onnx_graphs.py"))
UNITS, X, arrays, saved = (graphs[name] for name in ("UNITS", "X", "arrays", "saved"))
in_onnx_runtime = graphs["in_onnx_runtime"]
RNG = np.random.default_rng(0)
LONG = X.swapaxes(0, 1)  # timesteps first, as ONNX's nodes have it


def of_shape(*shape):
    return RNG.normal(size=shape).astype("float32")


def opened_as(path, inputs, atol=1e-6, **options):
    """The model of a file, once it has given what ONNX Runtime gives."""
    fixed = {k: np.asarray(v) for k, v in options.get("constants", {}).items()}
    wanted = in_onnx_runtime(path, **inputs, **fixed)
    model = lz.open_onnx(path, **options)
    got = model(inputs if len(inputs) > 1 else next(iter(inputs.values())))
    for one, other in zip(list(got.values()) if isinstance(got, dict) else [got], wanted):
        assert tuple(one.shape) == other.shape
        np.testing.assert_allclose(one, other, atol=atol)
    return model


MADE = {
    "regressor": lambda: lz.build_regressor((6, 3), lstm_units=(4, 3), dense_units=(5,)),
    "both": lambda: lz.build_classifier((None, 3), 3, lstm_units=(4,), bidirectional=True),
    "masked": lambda: lz.build_classifier((None, 3), 3, lstm_units=(4,), mask_value=0.0),
    "peephole": lambda: lz.build_regressor((None, 3), lstm_units=(4,), cell="peephole"),
    "coupled": lambda: lz.build_regressor((None, 3), lstm_units=(4,), cell="coupled"),
    "convolutions": lambda: lz.build_lstm_fcn((8, 3), 3),
    "forecaster": lambda: lz.build_forecaster((6, 3), 2, lstm_units=(4,)),
}


@pytest.mark.parametrize("kind", MADE)
def test_exported_model_comes_back_and_gives_the_same_numbers(kind, tmp_path):
    keras.utils.set_random_seed(0)
    model = MADE[kind]()
    x = of_shape(2, model.input_shape[1] or 7, 3)
    x[0, 4:] = 0
    path = lz.export(model, tmp_path / "model.onnx", fused=True)
    [name] = [value.name for value in onnx.load(path).graph.input]
    again = opened_as(path, {name: x})
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)


@pytest.mark.parametrize("kind", [lz.LSTM, lz.GRU, lz.SimpleRNN])
def test_exported_stack_comes_back_as_the_same_layers_and_streams(kind, tmp_path):
    layers = [kind(4, return_sequences=True), kind(4), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((None, 3)), *layers])
    again = lz.open_onnx(lz.export(model, tmp_path / "model.onnx"))
    assert [type(layer) for layer in again.layers[1:]] == [kind, kind, keras.layers.Dense]
    for old, new in zip(layers[:2], again.layers[1:3], strict=True):
        for one, other in zip(old.get_weights(), new.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    stream = lz.stream(again)
    outputs = [stream.step(X[:1, t]) for t in range(X.shape[1])]
    np.testing.assert_allclose(outputs[-1], model(X[:1]), atol=1e-6)


def test_language_model_comes_back_with_its_embedding(tmp_path):
    model = lz.build_language_model(5, lstm_units=(2,), embedding_dim=2)
    x = np.array([[0, 1, 4, 2]], "int32")
    again = opened_as(lz.export(model, tmp_path / "model.onnx"), {"tokens": x})
    assert [type(layer) for layer in again.layers].count(keras.layers.Embedding) == 1


def test_opened_model_is_traced_saved_exported_and_trained(tmp_path):
    model = lz.build_classifier((None, 3), 3, lstm_units=(4,))
    opened = lz.open_onnx(lz.export(model, tmp_path / "model.onnx"))
    theirs, ours = lz.trace(opened, X), lz.trace(model, X)
    np.testing.assert_allclose(theirs.forget_gate, ours.forget_gate, atol=1e-6)
    again = lz.load(lz.save(opened, tmp_path / "model.keras"))
    np.testing.assert_array_equal(again(X), opened(X))
    path = lz.export(opened, tmp_path / "again.onnx")
    np.testing.assert_allclose(in_onnx_runtime(path, sequence=X)[0], model(X), atol=1e-6)
    before = opened.get_weights()
    opened.compile("adam", "sparse_categorical_crossentropy")
    opened.fit(X, np.array([0, 1]), verbose=0)
    assert sum(not np.array_equal(*pair) for pair in zip(before, opened.get_weights())) > 4


KINDS = {
    "LSTM": {},
    "reverse": {"direction": "reverse"},
    "both": {"direction": "bidirectional"},
    "coupled": {"input_forget": 1},
    "peepholes": {},
    "hard": {"activations": ["HardSigmoid", "Relu", "Relu"]},
    "GRU": {"direction": "bidirectional"},
    "GRU of cuDNN": {"linear_before_reset": 1},
    "RNN": {"direction": "reverse"},
}


@pytest.mark.parametrize("with_lengths", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_node_with_states_and_lengths_gives_the_same_numbers(
    kind, with_lengths, tmp_path
):
    attributes = KINDS[kind]
    operator = kind.split()[0] if kind[:3] in ("GRU", "RNN") else "LSTM"
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    states = ["h", "c"] if operator == "LSTM" else ["h"]
    weights = arrays(operator, directions, peepholes=kind == "peepholes")
    weights["lengths"] = np.array([5, 3], "int32")
    inputs = ["x", "W", "R", "B", "lengths" if with_lengths else "", *states]
    inputs += ["P"] if kind == "peepholes" else []
    outputs = ["y", *(f"last_{state}" for state in states)]
    node = helper.make_node(operator, inputs, outputs, "node", hidden_size=UNITS, **attributes)
    shape = (directions, None, UNITS)
    given = (("x", (None, None, 3)), *((state, shape) for state in states))
    path = saved(tmp_path / "node.onnx", [node], weights, given, outputs)
    values = {state: of_shape(directions, 2, UNITS) for state in states}
    opened_as(path, {"x": LONG, **values})


NODES = {
    "Add": ("Add", {}, ["x", of_shape(3)]),
    "ArgMax": ("ArgMax", {"axis": 1, "keepdims": 0}, ["x"]),
    "AveragePool": ("AveragePool", {"kernel_shape": [2], "strides": [2]}, ["x"]),
    "BatchNormalization": (
        "BatchNormalization",
        {"epsilon": 0.01},
        ["x", of_shape(5), of_shape(5), of_shape(5), np.abs(of_shape(5))],
    ),
    "Cast": ("Cast", {"to": onnx.TensorProto.INT64}, ["x"]),
    "Clip": ("Clip", {}, ["x", np.float32(-0.5), np.float32(0.5)]),
    "Concat": ("Concat", {"axis": -1}, ["x", "x"]),
    "Conv": ("Conv", {"pads": [1, 2], "strides": [2]}, ["x", of_shape(4, 5, 3), of_shape(4)]),
    "dilated Conv": ("Conv", {"pads": [2, 2], "dilations": [2]}, ["x", of_shape(4, 5, 3)]),
    "CumSum": ("CumSum", {"reverse": 1}, ["x", np.int64(1)]),
    "Div": ("Div", {}, [of_shape(5, 1), "x"]),
    "Dropout": ("Dropout", {}, ["x"]),
    "Einsum": ("Einsum", {"equation": "btf,fu->bu"}, ["x", of_shape(3, 2)]),
    "Elu": ("Elu", {"alpha": 0.5}, ["x"]),
    "Erf": ("Erf", {}, ["x"]),
    "Flatten": ("Flatten", {}, ["x"]),
    "Gather": ("Gather", {"axis": 1}, ["x", np.array([0, -1])]),
    "GlobalMaxPool": ("GlobalMaxPool", {}, ["x"]),
    "HardSigmoid": ("HardSigmoid", {"alpha": 0.3}, ["x"]),
    "HardSwish": ("HardSwish", {}, ["x"]),
    "LayerNormalization": ("LayerNormalization", {}, ["x", of_shape(3), of_shape(3)]),
    "LeakyRelu": ("LeakyRelu", {}, ["x"]),
    "LogSoftmax": ("LogSoftmax", {"axis": 1}, ["x"]),
    "MatMul": ("MatMul", {}, ["x", of_shape(3, 4)]),
    "MatMul from the left": ("MatMul", {}, [of_shape(2, 5), "x"]),
    "Max": ("Max", {}, ["x", of_shape(3), of_shape(5, 1)]),
    "MaxPool": ("MaxPool", {"kernel_shape": [2], "pads": [1, 0]}, ["x"]),
    "Pad": ("Pad", {}, ["x", np.array([0, 1, -1, 0, 2, 0]), np.float32(3)]),
    "reflecting Pad": ("Pad", {"mode": "reflect"}, ["x", np.array([0, 2, 0, 0, 1, 1])]),
    "edge Pad": ("Pad", {"mode": "edge"}, ["x", np.array([0, 2, 0, 0, 3, 1])]),
    "Pow": ("Pow", {}, ["x", np.float32(2)]),
    "ReduceL2": ("ReduceL2", {}, ["x", np.array([1])]),
    "ReduceMean": ("ReduceMean", {"keepdims": 0}, ["x", np.array([-1])]),
    "ReduceSum": ("ReduceSum", {}, ["x"]),
    "Reshape": ("Reshape", {}, ["x", np.array([0, -1])]),
    "ReverseSequence": (
        "ReverseSequence",
        {"batch_axis": 0, "time_axis": 1},
        ["x", np.array([2, 5])],
    ),
    "Slice": ("Slice", {}, ["x", *(np.array([k]) for k in (-1, -(2**63), 1, -2))]),
    "Softmax": ("Softmax", {"axis": 1}, ["x"]),
    "Softplus": ("Softplus", {}, ["x"]),
    "Squeeze and back": ("Unsqueeze", {}, ["x", np.array([0, -1])]),
    "Split": ("Split", {"axis": 1}, ["x", np.array([2, 3])]),
    "Tile": ("Tile", {}, ["x", np.array([1, 2, 1])]),
    "TopK": ("TopK", {}, ["x", np.array([2])]),
    "Transpose": ("Transpose", {}, ["x"]),
    "Where": ("Where", {}, [np.array([True, False, True]), "x", np.float32(7)]),
}


@pytest.mark.parametrize("kind", NODES)
def test_operation_gives_the_numbers_of_onnx_runtime(kind, tmp_path):
    operator, attributes, inputs = NODES[kind]
    names = [one if isinstance(one, str) else str(k) for k, one in enumerate(inputs)]
    constants = {str(k): one for k, one in enumerate(inputs) if not isinstance(one, str)}
    outputs = ["y", "z"][: 2 if operator in ("Split", "TopK") else 1]
    node = helper.make_node(operator, names, outputs, **attributes)
    path = saved(tmp_path / "node.onnx", [node], constants, outputs=())
    proto = onnx.shape_inference.infer_shapes(onnx.load(path))
    proto.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs)
    onnx.save(proto, path)
    opened_as(path, {"x": X}, atol=1e-5)


def test_gemm_becomes_a_dense_layer(tmp_path):
    weights = {"w": of_shape(4, 3), "b": of_shape(4)}
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    path = saved(tmp_path / "gemm.onnx", [node], weights, (("x", (None, 3)),))
    model = opened_as(path, {"x": of_shape(2, 3)})
    assert type(model.layers[-1]) is keras.layers.Dense


def zeros_by_shape(path):
    """As PyTorch exports an LSTM: its first states are zeros for as many rows as the input has."""
    sizes = {"at": np.array([1]), "one": np.array([1]), "units": np.array([UNITS])}
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "at"], ["rows"]),
        helper.make_node("Concat", ["one", "rows", "units"], ["sizes"], axis=0),
        helper.make_node("ConstantOfShape", ["sizes"], ["zeros"]),
        helper.make_node(
            "LSTM", ["x", "W", "R", "B", "", "zeros", "zeros"], ["y"], hidden_size=UNITS
        ),
    ]
    return saved(path, nodes, arrays() | sizes)


def test_zero_states_made_by_size_are_left_to_the_layer(tmp_path):
    model = opened_as(zeros_by_shape(tmp_path / "zeros.onnx"), {"x": LONG})
    assert not [layer for layer in model.layers if getattr(layer, "operator", "") == "Expand"]


def branches(path):
    """A file with a branch that an input chooses, and one that a size chooses."""

    def branch(name, operator):
        result = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(operator, ["x"], [name])], name, [], [result])

    def switch(condition, name):
        first, second = branch(f"{name}_t", "Tanh"), branch(f"{name}_e", "Exp")
        return helper.make_node(
            "If", [condition], [name], name, then_branch=first, else_branch=second
        )

    nodes = [
        helper.make_node("Greater", ["rate", "limit"], ["fast"]),
        switch("fast", "a"),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "at"], ["steps"]),
        helper.make_node("Equal", ["steps", "five"], ["is_five"]),
        switch("is_five", "b"),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    constants = {"limit": np.float32(8), "at": np.int64(1), "five": np.int64(5)}
    return saved(path, nodes, constants, (("x", (None, None, 3)), ("rate", ())))


@pytest.mark.parametrize("rate", [16.0, 4.0])
def test_branch_is_chosen_by_a_constant_and_by_a_size(rate, tmp_path):
    path = branches(tmp_path / "branches.onnx")
    options = {"constants": {"rate": np.float32(rate)}, "shapes": {"x": (None, 5, None)}}
    opened_as(path, {"x": X}, **options)
    with pytest.raises(ValueError, match="If 'a', whose condition is known at run time only"):
        lz.open_onnx(path, shapes=options["shapes"])
    with pytest.raises(ValueError, match=r"If 'b', whose .* \(an input may be fixed by constants"):
        lz.open_onnx(path, constants=options["constants"])


def test_unknown_nodes_are_listed_in_one_error(tmp_path):
    weights = arrays()
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B"], ["h"], "lstm", hidden_size=UNITS, clip=1.0),
        helper.make_node("Det", ["x"], ["d"], "det"),
        helper.make_node("Add", ["d", "d"], ["e"], "follows"),
        helper.make_node("Mine", ["x"], ["f"], "mine", domain="my.own"),
        helper.make_node("Sum", ["h", "e", "f"], ["y"], "sum"),
    ]
    path = saved(tmp_path / "unknown.onnx", nodes, weights)
    with pytest.raises(ValueError, match="has nodes that are not known") as found:
        lz.open_onnx(path)
    told = str(found.value)
    assert all(name in told for name in ("LSTM 'lstm'", "no clip", "Det 'det'", "Mine 'mine'"))
    assert "follows" not in told
    assert "lz.weights.from_onnx" in told


WRONG = {
    "no such input": ({"constants": {"z": 1}}, "constants must be one of x, got 'z'"),
    "another rank": ({"shapes": {"x": (None, 3)}}, "shapes must fit 'x'"),
    "another size": ({"shapes": {"x": (None, 5, 4)}}, "shapes must fit 'x'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_arguments_are_refused(kind, tmp_path):
    options, message = WRONG[kind]
    path = saved(tmp_path / "add.onnx", [helper.make_node("Add", ["x", "x"], ["y"])], {})
    with pytest.raises(ValueError, match=message):
        lz.open_onnx(path, **options)


def test_constant_that_would_fill_the_memory_is_refused(tmp_path):
    nodes = [
        helper.make_node("Tile", ["one", "times"], ["huge"], "tile"),
        helper.make_node("Add", ["x", "huge"], ["y"]),
    ]
    constants = {"one": np.ones((1, 1), "float32"), "times": np.array([2**20, 2**20])}
    path = saved(tmp_path / "huge.onnx", nodes, constants)
    with pytest.raises(ValueError, match=r"Tile 'tile' \(the result would be too large\)"):
        lz.open_onnx(path)
