#!/usr/bin/env bash
# A GRU behind an LSTM starts from the LSTM's state in LiteRT (TensorFlow 2.21.0, LiteRT 2.3.0).
#
# Guess: a model of tf_keras with an LSTM layer and a GRU layer of as many units gives in LiteRT
#   what it gives in Keras, at least in the first call after the variables were reset.
# What happens: the converter makes the LSTM one fused operation, which writes its last state into
#   the tensor that it starts from. The loop of the GRU starts from zeros of the same shape, and
#   equal constants are one tensor: so the GRU starts from the LSTM's last state, in every call.
#   There is no warning. Layers of different sizes are right.
# Output seen, largest difference from Keras, three calls, variables reset before each: "units 4 and
#   4: 0.00621 0.00621 0.00621"; "units 4 and 5: 0.00000 0.00000 0.00000".
# Do instead: give the two layers different sizes, or build the LSTM with keras.layers.RNN(LSTMCell).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 tf_keras==2.21.0 ai-edge-litert==2.3.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - 2>/dev/null <<'PYTHON'
import sys

import numpy as np
import tensorflow as tf
import tf_keras
from ai_edge_litert.interpreter import Interpreter

sys.stderr = sys.stdout
print("tensorflow", tf.__version__, "tf_keras", tf_keras.__version__)
X = np.random.default_rng(0).normal(size=(1, 6, 3)).astype("float32")


def differences(first, units):
    """Three calls of the converted model beside Keras's answer."""
    tf_keras.utils.set_random_seed(0)
    inputs = tf_keras.Input((6, 3), batch_size=1)
    outputs = tf_keras.layers.GRU(units)(first(inputs))
    model = tf_keras.Model(inputs, outputs)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    found = []
    for _ in range(3):
        interpreter.reset_all_variables()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X)
        interpreter.invoke()
        answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        found.append(float(np.abs(answer - model(X)).max()))
    return found


lstm = tf_keras.layers.LSTM(4, return_sequences=True)
equal = differences(lstm, 4)
other = differences(tf_keras.layers.LSTM(4, return_sequences=True), 5)
loop = differences(tf_keras.layers.RNN(tf_keras.layers.LSTMCell(4), return_sequences=True), 4)
print("units 4 and 4:", *(f"{one:.5f}" for one in equal))
print("units 4 and 5:", *(f"{one:.5f}" for one in other))
print("units 4 and 4, the LSTM as a loop:", *(f"{one:.5f}" for one in loop))
assert min(equal) > 1e-3, equal
assert max(other) < 1e-5, other
assert max(loop) < 1e-5, loop
PYTHON
