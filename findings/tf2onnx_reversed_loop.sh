#!/usr/bin/env bash
# A loop that fills a TensorArray from its end comes out reversed in ONNX (tf2onnx 1.17.0).
#
# Guess: the ONNX file of a tf.while_loop with array.write(i, value) puts each value at its index i,
#   or tf2onnx refuses what it can't convert.
# What happens: each value is appended to a scan output of the ONNX Loop and the index is dropped.
#   A loop that runs backwards in time gives its sequence in reverse, without a warning.
# Output seen, for sums from the end of [1, 2, 3, 4]:
#   TensorFlow [10. 9. 7. 4.], ONNX Runtime [4. 7. 9. 10.]
# Do instead: reverse the input before the loop, write at indices 0, 1, 2, ..., and reverse the
#   result after it. Compare the file with the model on one input that is not symmetric.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 \
  onnxruntime==1.32.0
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - <<'PYTHON'
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx

print("tensorflow", tf.__version__, "tf2onnx", tf2onnx.__version__)
print("onnxruntime", onnxruntime.__version__)
SPEC = [tf.TensorSpec((None,), tf.float32, name="x")]


@tf.function(input_signature=SPEC)
def written_backwards(x):
    def body(t, array, total):
        total += x[t]
        return t - 1, array.write(t, total), total

    start = (tf.size(x) - 1, tf.TensorArray(tf.float32, tf.size(x)), 0.0)
    return tf.while_loop(lambda t, *_: t >= 0, body, start)[1].stack()


@tf.function(input_signature=SPEC)
def written_forwards(x):
    backwards = tf.reverse(x, [0])

    def body(t, array, total):
        total += backwards[t]
        return t + 1, array.write(t, total), total

    start = (0, tf.TensorArray(tf.float32, tf.size(x)), 0.0)
    return tf.reverse(tf.while_loop(lambda t, *_: t < tf.size(x), body, start)[1].stack(), [0])


x, right = np.arange(1, 5, dtype="float32"), [10.0, 9.0, 7.0, 4.0]
seen = []
for function in (written_backwards, written_forwards):
    file, _ = tf2onnx.convert.from_function(function, SPEC, opset=17)
    [onnx] = onnxruntime.InferenceSession(file.SerializeToString()).run(None, {"x": x})
    print(function.__name__, "TensorFlow", function(x).numpy(), "ONNX Runtime", onnx)
    assert function(x).numpy().tolist() == right
    seen.append(onnx.tolist())
assert seen == [right[::-1], right], seen
PYTHON
