#!/usr/bin/env bash
# Peepholes of an ONNX LSTM are dropped or mixed up (OpenVINO 2026.4.1, OpenCV 5.0.0).
#
# Guess: a runtime that reads an LSTM node uses its input P (peepholes; ONNX: in the order i, o, f),
#   or refuses it.
# What happens: OpenVINO computes the LSTM without peepholes. OpenCV reads P in the order i, f, o.
#   Neither warns.
# Output seen, as the largest difference from ONNX Runtime: OpenVINO 0.17 (0 from the same LSTM
#   without P), OpenCV 0.22 (0 from the same LSTM with P reordered).
# Do instead: write the cell as a Loop of plain operations, with a separate start for each state.
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
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

print("onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__)
print("opencv", cv2.__version__)
rng = np.random.default_rng(0)
FEATURES, UNITS, STEPS = 3, 4, 6
shapes = {"W": (1, 4 * UNITS, FEATURES), "R": (1, 4 * UNITS, UNITS), "B": (1, 8 * UNITS)}
shapes |= {"P": (1, 3 * UNITS), "h": (1, 2, UNITS), "c": (1, 2, UNITS)}
arrays = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
arrays["h"] *= 0
arrays["c"] *= 0
x = rng.normal(size=(STEPS, 2, FEATURES)).astype("float32")


def write(peepholes):
    values = arrays | {"P": peepholes}
    node = helper.make_node(
        "LSTM", ["x", "W", "R", "B", "", "h", "c", "P"], ["y"], hidden_size=UNITS
    )
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, (STEPS, 1, 2, UNITS))
    constants = [numpy_helper.from_array(a, name) for name, a in values.items()]
    graph = helper.make_graph([node], "lstm", [given], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "lstm.onnx")


def in_onnxruntime():
    return onnxruntime.InferenceSession("lstm.onnx").run(None, {"x": x})[0]


P = arrays["P"]
write(P)
right = in_onnxruntime()
options = {"INFERENCE_PRECISION_HINT": "f32"}
by_openvino = openvino.Core().compile_model("lstm.onnx", "CPU", options)(x)[0]
network = cv2.dnn.readNetFromONNX("lstm.onnx")
network.setInput(x, "x")
by_opencv = network.forward().reshape(right.shape)
write(np.zeros_like(P))
without = in_onnxruntime()
i, o, f = np.split(P, 3, axis=1)
write(np.concatenate([i, f, o], axis=1))
reordered = in_onnxruntime()


def off(a, b):
    return float(np.abs(a - b).max())


print("OpenVINO", off(by_openvino, right), "from the LSTM without P", off(by_openvino, without))
print("OpenCV", off(by_opencv, right), "from the LSTM with f and o swapped", off(by_opencv, reordered))
assert off(by_openvino, right) > 0.01 > 1e-5 > off(by_openvino, without)
assert off(by_opencv, right) > 0.01 > 1e-5 > off(by_opencv, reordered)
PYTHON
