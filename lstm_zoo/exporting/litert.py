"""Exports to LiteRT (formerly TensorFlow Lite), for phones and microcontrollers.

A plain LSTM becomes one UNIDIRECTIONAL_SEQUENCE_LSTM, which needs a fixed batch size in the file.
Any other cell becomes a loop, which does not.
"""

import functools
import re
import tempfile

from lstm_zoo import checks, files
from lstm_zoo.backend import tf
from lstm_zoo.exporting.formats import Format, register
from lstm_zoo.exporting.litert_calibration import calls_of, examples_of, refuse_int8
from lstm_zoo.exporting.litert_lstm import TARGET, one_operation
from lstm_zoo.exporting.litert_order import in_order
from lstm_zoo.exporting.saved_model import refuse_names, write_for
from lstm_zoo.exporting.signature import looping_layers, signature_of


@register
class LiteRT(Format):
    """A float32 file, or an int8 file if calibration data is given."""

    name, ending, title, place = "litert", ".tflite", "LiteRT", 3
    options = ("batch_size", "calibration", "fused")
    replaces_layers = True

    def refuse(self, model, path, whole, batch_size, calibration, fused):
        examples = None if calibration is None else examples_of(whole, calibration)
        if batch_size is not None:
            checks.count("batch_size", batch_size)
        if examples is not None:
            refuse_int8(model, whole, examples, batch_size, fused)
        if not fused and looping_layers(model):
            _refuse_open_sizes(model, batch_size)
        refuse_names(model)

    def write(self, model, path, whole, batch_size, calibration, fused):
        """Write a model to `path`."""
        calls = None
        if calibration is not None:
            calls = calls_of(model, whole, examples_of(whole, calibration), batch_size)
        # The extra step that resets the operation would widen the int8 ranges.
        whole = functools.partial(one_operation, forgets=calls is None) if fused else None
        signature = signature_of(model, batch_size)
        if not fused:
            signature = signature._replace(function=_apart_from_loops(signature.function))
        with tempfile.TemporaryDirectory() as folder:
            write_for(TARGET._replace(whole=whole), model, folder, signature)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            if calls is not None:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.representative_dataset = lambda: iter(calls)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            inputs = [spec.name for spec in signature.specs]
            content = in_order(_converted(converter, batch_size), inputs, signature.outputs)
        with files.replacing(path) as temporary:
            temporary.write_bytes(content)


def _refuse_open_sizes(model, batch_size):
    """Raise a `ValueError` for a loop that LiteRT's CompiledModel gives wrong numbers for."""
    for one in model.inputs:
        if batch_size is None or None in one.shape[1:]:
            raise ValueError(
                "fused=False needs a batch_size and a model of fixed length, because LiteRT's "
                f"CompiledModel can't run loops of variable size, got batch_size={batch_size} and "
                f"the input {one.name!r} of shape {one.shape}. For a fixed length, call the model "
                "on an input of that length: x = keras.Input((timesteps, features)) and "
                "keras.Model(x, model(x))"
            )


def _apart_from_loops(function):
    """The same function; its results are tensors of their own, not those of a loop.

    CompiledModel returns neither the tensors of a loop nor one tensor under two names. The maximum
    with a huge negative number, another one for each result, changes nothing, and the converter
    keeps it.
    """

    def separated(*tensors):
        results = function(*tensors)
        return {
            name: tf.maximum(a, a.dtype.min / (k + 1)) if a.dtype.is_floating else a
            for k, (name, a) in enumerate(results.items())
        }

    return separated


def _converted(converter, batch_size):
    """The bytes of the file; turns the converter's long errors into a short `ValueError`."""
    try:
        return converter.convert()
    except Exception as problem:
        if type(problem).__name__ != "ConverterError":  # which has no public name
            raise
        found = re.search(r"'(tf\.\w+)' op ([^\n]*)", str(problem))
        why = f" ({found[1]} {found[2]})" if found else ""
    if batch_size is None:
        raise ValueError(
            f"batch_size must be a number for this model, got None: LiteRT's converter can't write "
            f"a Keras layer's loop for a variable batch size{why}"
        )
    raise ValueError(
        f"LiteRT's converter can't write the model{why}; ONNX (.onnx) and SavedModel support more"
    )
