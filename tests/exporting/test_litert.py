"""LiteRT files for `CompiledModel`, which does not load the fused LSTM."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.layers import layer_for

RNG = np.random.default_rng(0)


def model_of(cell, both_ways=False, masked=False, steps=5, **options):
    inputs = keras.Input((steps, 3), name="x")
    layer = layer_for(cell, 4, **options)
    layer = keras.layers.Bidirectional(layer) if both_ways else layer
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs) if masked else inputs))
    model.set_weights([RNG.normal(scale=0.7, size=w.shape) for w in model.get_weights()])
    return model


def compiled(path, x, names):
    """The outputs of a file in `CompiledModel`."""
    from ai_edge_litert.compiled_model import CompiledModel

    model, key = CompiledModel.from_file(str(path)), "serving_default"
    given = {"x": model.create_input_buffer_by_name(key, "x")}
    given["x"].write(x)
    found = {name: model.create_output_buffer_by_name(key, name) for name in names}
    model.run_by_name(key, given, found)
    shapes = {name: one["shape"] for name, one in model.get_output_tensor_details(key).items()}
    return [
        found[name].read(int(np.prod(shapes[name])), np.float32).reshape(shapes[name])
        for name in names
    ]


@pytest.mark.parametrize("cell", ["lstm", "peephole", "layer_norm", "slstm", "gru"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_state": True},
        {"return_state": True, "masked": True},
        {"return_sequences": True, "both_ways": True, "masked": True},
    ],
    ids=", ".join,
)
def test_a_file_without_fused_operations_runs_in_compiled_model(cell, options, tmp_path):
    model = model_of(cell, **options)
    x = RNG.normal(size=(2, 5, 3)).astype("float32")
    x[0], x[1, 3:] = 0, 0
    path = lz.export(model, tmp_path / "m.tflite", batch_size=2, fused=False)
    expected = keras.tree.flatten(model.predict(x, verbose=0))
    for one, value in zip(compiled(path, x, signature_of(model).outputs), expected, strict=True):
        np.testing.assert_allclose(one, value, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "batch_size"), [(None, 1), (5, None)], ids=["length", "batch size"]
)
def test_loops_of_open_size_are_refused(steps, batch_size, tmp_path):
    with pytest.raises(ValueError, match="fused=False needs a batch_size and a model of fixed"):
        lz.export(
            model_of("lstm", steps=steps), tmp_path / "m.tflite", batch_size=batch_size, fused=False
        )


def test_the_way_to_a_fixed_length_that_the_error_names_works(tmp_path):
    inner = model_of("lstm", steps=None)
    x = keras.Input((5, 3), name="x")
    model = keras.Model(x, inner(x))
    values = RNG.normal(size=(1, 5, 3)).astype("float32")
    path = lz.export(model, tmp_path / "m.tflite", fused=False)
    [got] = compiled(path, values, signature_of(model).outputs)
    np.testing.assert_allclose(got, inner.predict(values, verbose=0), atol=1e-6)


# The operations of LiteRT for Microcontrollers that these files need, from its
# micro_mutable_op_resolver.h of 2026.
MICRO = """
ADD CAST CONCATENATION CONV_2D CUMSUM DIV EQUAL EXPAND_DIMS FULLY_CONNECTED GATHER GREATER
LESS_EQUAL LOGICAL_AND LOGICAL_NOT LOGISTIC MAXIMUM MEAN MINIMUM MUL NEG NOT_EQUAL PACK PAD
REDUCE_ALL REDUCE_MAX RESHAPE REVERSE_V2 RSQRT SELECT_V2 SOFTMAX SQUARED_DIFFERENCE STRIDED_SLICE
SUB SUM TANH TRANSPOSE UNIDIRECTIONAL_SEQUENCE_LSTM
"""
SMALL = {"lstm_units": 3, "mask_value": 0.0}
MASKED = {
    "last": lambda: lz.build_classifier((5, 3), 2, pooling="last", **SMALL),
    "mean": lambda: lz.build_classifier((5, 3), 2, pooling="mean", **SMALL),
    "max": lambda: lz.build_classifier((5, 3), 2, pooling="max", bidirectional=True, **SMALL),
    "attention": lambda: lz.build_classifier((5, 3), 2, pooling="attention", **SMALL),
    "regressor": lambda: lz.build_regressor((5, 3), 2, **SMALL),
    "tagger": lambda: lz.build_tagger((5, 3), 2, **SMALL),
    "keras": lambda: model_of(keras.layers.LSTM, masked=True),
}


@pytest.mark.parametrize("kind", MASKED)
def test_masked_models_need_only_operations_of_microcontrollers(kind, tmp_path):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    model = MASKED[kind]()
    path = str(lz.export(model, tmp_path / "m.tflite", batch_size=2))
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, experimental_op_resolver_type=plain)
    found = {one["op_name"] for one in interpreter._get_ops_details()}
    assert found <= set(MICRO.split()), found - set(MICRO.split())
    x = RNG.normal(size=(2, 5, 3)).astype("float32")
    x[0, 1:2], x[1, 3:] = 0, 0
    [name], [output] = [one.name for one in model.inputs], signature_of(model).outputs
    got = Interpreter(path).get_signature_runner("serving_default")(**{name: x})[output]
    np.testing.assert_allclose(got, model.predict(x, verbose=0), atol=1e-6)


@pytest.mark.parametrize("steps", [1024, 1030])
def test_masked_steps_move_to_the_end_in_long_sequences_too(steps, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    model = model_of("lstm", masked=True, steps=steps)
    x = RNG.normal(size=(1, steps, 3)).astype("float32")
    x[0, ::3] = 0
    path = str(lz.export(model, tmp_path / "m.tflite"))
    [output] = signature_of(model).outputs
    got = Interpreter(path).get_signature_runner("serving_default")(x=x)[output]
    np.testing.assert_allclose(got, model.predict(x, verbose=0), atol=1e-5)
