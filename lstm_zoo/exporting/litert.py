"""LiteRT (once TensorFlow Lite): the file that phones and microcontrollers run.

A plain LSTM becomes one UNIDIRECTIONAL_SEQUENCE_LSTM, which wants the batch size in the file; any
other cell becomes a loop, which does not.
"""

import functools
import tempfile

import numpy as np

from lstm_zoo import checks, files
from lstm_zoo.backend import tf
from lstm_zoo.cells.lstm import LSTMCell
from lstm_zoo.exporting.litert_order import in_order
from lstm_zoo.exporting.saved_model import write_for
from lstm_zoo.exporting.signature import recurrent_layers
from lstm_zoo.recurrence.portable import Target, fused_in_litert


def write(model, path, batch_size=1, calibration=None):
    """Write a model to `path`; arguments as in `export`."""
    if batch_size is not None:
        batch_size = checks.count("batch_size", batch_size)
    if calibration is not None:
        calibration = _checked_calibration(model, calibration, batch_size)
    with tempfile.TemporaryDirectory() as folder:
        # The step that makes the operation forget would widen the ranges of int8.
        fused = functools.partial(fused_in_litert, forgets=calibration is None)
        target = Target("litert", fused, gives_states=False)
        signature = write_for(target, model, folder, batch_size)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([row] for row in calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        inputs = [spec.name for spec in signature.specs]
        content = in_order(converter.convert(), inputs, signature.outputs)
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)


def _checked_calibration(model, calibration, batch_size):
    """Examples as batches of `batch_size`."""
    for layer in recurrent_layers(model):
        if type(getattr(layer, "cell", None)) is not LSTMCell or batch_size is None:
            raise ValueError(
                "calibration needs the plain LSTM and a batch_size, for LiteRT's converter makes "
                f"no int8 of a loop, got the layer {layer.name!r} and batch_size={batch_size}"
            )
    x = checks.finite("calibration", calibration, 3)
    checks.shape("calibration", x.shape, ("batch", *model.inputs[0].shape[1:]))
    if len(x) < batch_size:
        raise ValueError(
            f"calibration must hold at least batch_size={batch_size} sequences, got {len(x)}"
        )
    x = x[: len(x) // batch_size * batch_size].astype("float32")
    return np.split(x, len(x) // batch_size)
