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
from lstm_zoo.exporting.litert_lstm import TARGET, fused
from lstm_zoo.exporting.litert_order import in_order
from lstm_zoo.exporting.saved_model import refuse_names, write_for


@register
class LiteRT(Format):
    """A float32 file, or an int8 file if calibration data is given."""

    name, ending, title, place = "litert", ".tflite", "LiteRT", 3
    options = ("batch_size", "calibration")

    def refuse(self, model, path, whole, batch_size, calibration):
        examples = None if calibration is None else examples_of(whole, calibration)
        if batch_size is not None:
            checks.count("batch_size", batch_size)
        if examples is not None:
            refuse_int8(model, whole, examples, batch_size)
        refuse_names(model)

    def write(self, model, path, whole, batch_size, calibration):
        """Write a model to `path`."""
        calls = None
        if calibration is not None:
            calls = calls_of(model, whole, examples_of(whole, calibration), batch_size)
        # The extra step that resets the operation would widen the int8 ranges.
        target = TARGET._replace(whole=functools.partial(fused, forgets=calls is None))
        with tempfile.TemporaryDirectory() as folder:
            signature = write_for(target, model, folder, batch_size)
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
