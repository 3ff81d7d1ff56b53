"""LiteRT (once TensorFlow Lite): the file that phones and microcontrollers run.

A plain LSTM becomes one UNIDIRECTIONAL_SEQUENCE_LSTM, which wants the batch size in the file; any
other cell becomes a loop, which does not.
"""

import functools
import tempfile

from lstm_zoo import checks, files
from lstm_zoo.backend import tf
from lstm_zoo.exporting.litert_calibration import batches
from lstm_zoo.exporting.litert_order import in_order
from lstm_zoo.exporting.saved_model import write_for
from lstm_zoo.recurrence.portable import Target, fused_in_litert


def write(model, path, batch_size=1, examples=None):
    """Write a model to `path`; `examples` are those of `litert_calibration`, for int8."""
    if batch_size is not None:
        batch_size = checks.count("batch_size", batch_size)
    calls = None if examples is None else batches(model, examples, batch_size)
    with tempfile.TemporaryDirectory() as folder:
        # The step that makes the operation forget would widen the ranges of int8.
        fused = functools.partial(fused_in_litert, forgets=calls is None)
        target = Target("litert", fused, gives_states=False)
        signature = write_for(target, model, folder, batch_size)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if calls is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: iter(calls)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        inputs = [spec.name for spec in signature.specs]
        content = in_order(converter.convert(), inputs, signature.outputs)
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
