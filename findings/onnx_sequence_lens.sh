#!/usr/bin/env bash
# Runtimes ignore the lengths of an ONNX LSTM (OpenVINO 2026.4.1, OpenCV 5.0.0, onnx 1.23.2).
#
# Guess: a runtime that reads an LSTM node obeys its optional input sequence_lens, or refuses it.
# What happens: ONNX Runtime obeys it. ONNX's own ReferenceEvaluator, OpenCV, and OpenVINO with an
#   open length ignore it without a warning: the last state Y_h of a padded sequence is that of its
#   padding. OpenVINO obeys it if the length is fixed.
# Output seen, as the largest difference from ONNX Runtime: 0.2 each; OpenVINO of fixed sizes
#   1e-7.
# Do instead: take the last state from Y by a gather at the last real step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 \
  openvino==2026.4.1 opencv-python-headless==5.0.0.93
cd "$folder"
venv/bin/python - <<'PYTHON'
import cv2
import numpy as np
import onnx
import onnx.reference
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

print("onnx", onnx.__version__, "openvino", openvino.__version__, "opencv", cv2.__version__)
rng = np.random.default_rng(0)
FEATURES, UNITS, STEPS = 3, 4, 6
shapes = {"W": (1, 4 * UNITS, FEATURES), "R": (1, 4 * UNITS, UNITS), "B": (1, 8 * UNITS)}
values = [
    numpy_helper.from_array(rng.normal(scale=0.5, size=shape).astype("float32"), name)
    for name, shape in shapes.items()
]
values.append(numpy_helper.from_array(np.int32([6, 2]), "lengths"))
zeros = np.zeros((1, 2, UNITS), "float32")
values += [numpy_helper.from_array(zeros, name) for name in ("h0", "c0")]
inputs = ["x", "W", "R", "B", "lengths", "h0", "c0"]
node = helper.make_node("LSTM", inputs, ["", "h"], hidden_size=UNITS)
x = rng.normal(size=(STEPS, 2, FEATURES)).astype("float32")


def write(sizes):
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, (*sizes, FEATURES))
    result = helper.make_tensor_value_info("h", TensorProto.FLOAT, (1, sizes[1], UNITS))
    graph = helper.make_graph([node], "lstm", [given], [result], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "lstm.onnx")


def in_openvino():
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model("lstm.onnx", "CPU", options)(x)[0]


def in_opencv():
    network = cv2.dnn.readNetFromONNX("lstm.onnx")
    network.setInput(x, "x")
    return network.forward()


write(("steps", 2))
[right] = onnxruntime.InferenceSession("lstm.onnx").run(None, {"x": x})
got = {
    "ReferenceEvaluator": onnx.reference.ReferenceEvaluator("lstm.onnx").run(None, {"x": x})[0],
    "OpenVINO": in_openvino(),
    "OpenCV": in_opencv(),
}
write((STEPS, 2))
got["OpenVINO, fixed sizes"] = in_openvino()
off = {name: float(np.abs(a.reshape(right.shape) - right).max()) for name, a in got.items()}
print(off)
assert off.pop("OpenVINO, fixed sizes") < 1e-5
assert min(off.values()) > 0.05, off
PYTHON
