"""A format is one file: `lz.export`, its errors and the docs find it there."""

import pathlib
import runpy
import subprocess
import sys

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import lstm_zoo as lz
from lstm_zoo import exporting
from lstm_zoo.cli import app
from lstm_zoo.exporting import formats
from lstm_zoo.registry import import_all

DOCS = pathlib.Path(__file__).parents[2] / "docs"
TOY = """
from lstm_zoo import files
from lstm_zoo.exporting.formats import Format, register


@register
class Toy(Format):
    name, ending, title = "toy", ".toy", "Toy"

    def refuse(self, model, path, whole):
        if len(whole.inputs) > 1:
            raise ValueError(f"model must have one input for a toy, got {len(whole.inputs)}")

    def write(self, model, path, whole):
        with files.replacing(path) as temporary:
            temporary.write_text(f"{model.inputs[0].name} {model.count_params()}")
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A format whose file lies in a folder of the package `lstm_zoo.exporting`."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    monkeypatch.setattr(exporting, "__path__", [*exporting.__path__, str(folder)])
    import_all(exporting.__name__)
    yield formats.FORMATS["toy"]
    del formats.FORMATS["toy"], sys.modules["lstm_zoo.exporting.toy"], exporting.toy


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((None, 3), name="sequence")
    return keras.Model(inputs, lz.LSTM(2)(inputs))


PARAMETERS = 4 * 2 * (3 + 2 + 1)  # of four gates


def test_a_format_of_one_file_is_written_by_its_ending_and_by_its_name(toy, model, tmp_path):
    assert lz.export(model, tmp_path / "x.toy") == tmp_path / "x.toy"
    assert (tmp_path / "x.toy").read_text() == f"sequence {PARAMETERS}"
    lz.export(model, tmp_path / "x.txt", "toy", streaming=True)
    assert (tmp_path / "x.txt").read_text() == f"step {PARAMETERS}"


def test_a_refused_model_gives_one_error_and_no_file(toy, model, tmp_path):
    inputs = [keras.Input((None, 3)) for _ in range(2)]
    two = keras.Model(inputs, [lz.LSTM(2)(one) for one in inputs])
    for options, message in [
        ({"model": two}, "^model must have one input for a toy, got 2$"),
        ({"batch_size": 2}, "^batch_size and calibration are for litert only, got format='toy'$"),
        ({"calibration": np.zeros((2, 5, 3))}, "calibration are for litert only"),
    ]:
        with pytest.raises(ValueError, match=message):
            lz.export(**{"model": model, "path": tmp_path / "x.toy", **options})
    assert not (tmp_path / "x.toy").exists()


def test_errors_name_a_format_among_the_others(toy, model, tmp_path):
    known = r"\.onnx, \.tflite, \.h, \.toy or none at all \(a SavedModel\), got '\.toi'; did you "
    with pytest.raises(ValueError, match=f"^path's ending must be one of {known}mean '.toy'"):
        lz.export(model, tmp_path / "x.toi")
    with pytest.raises(ValueError, match="one of c, litert, onnx, saved_model, toy, got 'toi'"):
        lz.export(model, tmp_path / "x.toy", "toi")


def test_an_option_of_two_formats_is_named_with_both(toy, model, tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "options", ("batch_size",))
    with pytest.raises(ValueError, match="^batch_size is for litert, toy only, got format='onnx'"):
        lz.export(model, tmp_path / "x.onnx", batch_size=2)
    with pytest.raises(ValueError, match="^calibration is for litert only, got format='toy'"):
        lz.export(model, tmp_path / "x.toy", calibration=np.zeros((2, 5, 3)))


def test_the_help_of_the_command_lists_the_formats():
    said = CliRunner().invoke(app, ["export", "--help"]).output
    assert all(one.name in said and one.ending in said for one in formats.listed())


def test_the_table_of_the_page_lists_a_format(toy):
    columns = runpy.run_path(str(DOCS / "make_exports.py"))["COLUMNS"]
    assert columns["Toy"] == ("toy", False)
    assert columns["Toy, a step"] == ("toy", True)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": "onnx"}, "name must not be taken, got 'onnx', the name of ONNX"),
        ({"ending": ".h"}, "ending must not be taken, got '.h', the ending of C"),
        ({"options": ("batchsize",)}, "options must be one of .* did you mean 'batch_size'"),
    ],
)
def test_a_format_with_a_taken_name_or_ending_is_not_registered(attributes, message):
    before = dict(formats.FORMATS)
    attributes = {"name": "new", "ending": ".new", "title": "New", **attributes}
    with pytest.raises(ValueError, match=message):
        formats.register(type("New", (formats.Format,), attributes))
    assert before == formats.FORMATS


CONVERT = """
import pathlib, sys
import keras, tensorflow as tf
import lstm_zoo as lz
inputs = keras.Input((5, 3), batch_size=2)
model = keras.Model(inputs, lz.LSTM(4)(inputs))
content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
pathlib.Path(sys.argv[1]).write_bytes(content)
"""


@pytest.mark.long
def test_the_converter_of_litert_gets_the_fused_operation_where_nothing_was_exported(tmp_path):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = tmp_path / "m.tflite"
    command = [sys.executable, "-c", CONVERT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    as_written = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=as_written)
    found = [one["op_name"] for one in interpreter._get_ops_details()]
    assert found.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 1
