#!/usr/bin/env bash
# An int8 LSTM in front of a Concatenate gives wrong numbers in LiteRT (TensorFlow 2.21.0).
#
# Guess: int8 rounding moves the output of an LSTM by about one step of its scale (here 0.008),
#   whether the output is used alone or joined with another tensor.
# What happens: the quantizer gives the LSTM's output tensor the scale and zero point of the
#   concatenation, while the kernel writes it with those of the LSTM's own state. The file is
#   converted and runs without a warning. Bidirectional joins its two LSTMs in the same way.
# Output seen: "joined: largest error 0.494", "with a multiplication between: 0.008".
# Do instead: insert an operation with its own scale, such as a multiplication by 1 - 2**-24
#   (one by 1.0 is removed), and compare the file with the model on your data.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 tf_keras==2.21.0 ai-edge-litert==2.3.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - <<'PYTHON'
import importlib.metadata

import numpy as np
import tensorflow as tf
import tf_keras as keras
from ai_edge_litert.interpreter import Interpreter

litert = importlib.metadata.version("ai-edge-litert")
print("tensorflow", tf.__version__, "tf_keras", keras.__version__, "ai-edge-litert", litert)
rng = np.random.default_rng(0)
SERIES = rng.normal(size=(200, 1, 6, 3)).astype("float32")
FACTS = rng.uniform(-1, 1, size=(200, 1, 2)).astype("float32")
keras.utils.set_random_seed(0)
series, facts = keras.Input((6, 3), batch_size=1), keras.Input((2,), batch_size=1)
summary = keras.layers.LSTM(4)(series)


def largest_error(part):
    """The largest error of the LSTM's outputs in an int8 file, over 50 of the examples."""
    model = keras.Model([series, facts], keras.layers.Concatenate()([part, facts]))
    specs = [tf.TensorSpec(one.shape, name=name) for one, name in ((series, "s"), (facts, "f"))]
    call = tf.function(lambda s, f: {"joined": model([s, f])}, input_signature=specs)
    tf.saved_model.save(model, "saved", signatures={"serving_default": call})
    converter = tf.lite.TFLiteConverter.from_saved_model("saved")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ({"s": s, "f": f} for s, f in zip(SERIES, FACTS))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    run = interpreter.get_signature_runner()
    errors = []
    for s, f in zip(SERIES[:50], FACTS[:50]):
        interpreter.reset_all_variables()
        right = np.asarray(model([s, f]))
        errors.append(np.abs(run(s=s, f=f)["joined"] - right)[0, :4].max())
    return max(errors)


joined, between = largest_error(summary), largest_error(summary * (1 - 2**-24))
print(f"joined: largest error {joined:.3f}")
print(f"with a multiplication between: {between:.3f}")
assert joined > 0.1, joined
assert between < 0.02, between
PYTHON
