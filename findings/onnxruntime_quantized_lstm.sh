#!/usr/bin/env bash
# A quantised LSTM knows the future and its neighbours in the batch (ONNX Runtime 1.32.0).
#
# Guess: quantize_dynamic rounds the weights of an LSTM, and each step's input by its own range.
# What happens: DynamicQuantizeLSTM measures one range over the whole input, all steps and rows. So
#   the output of the first step changes if only the last step changes, and a sequence's output
#   changes with the other sequences in the batch. A backtest of a forecaster sees the future.
# Output seen, if the last step of row 0 is 20 times larger:
#   float: step 0 moves by 0, row 1 by 0; quantised: step 0 by 0.02, row 1 by 0.05
# Do instead: run one sequence at a time, one step at a time with the states as inputs, or quantise
#   with a calibration set (fixed ranges).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 sympy==1.14.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

print("onnxruntime", onnxruntime.__version__)
rng = np.random.default_rng(0)
FEATURES, UNITS, STEPS = 3, 16, 20
shapes = {"W": (1, 4 * UNITS, FEATURES), "R": (1, 4 * UNITS, UNITS)}
weights = [
    numpy_helper.from_array(rng.normal(scale=0.4, size=shape).astype("float32"), name)
    for name, shape in shapes.items()
]
graph = helper.make_graph(
    [helper.make_node("LSTM", ["x", "W", "R"], ["y"], hidden_size=UNITS)],
    "lstm",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, (STEPS, 2, FEATURES))],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, (STEPS, 1, 2, UNITS))],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "float.onnx")
quantize_dynamic("float.onnx", "int8.onnx", op_types_to_quantize=["LSTM"])
x = rng.normal(size=(STEPS, 2, FEATURES)).astype("float32")
other = x.copy()
other[-1, 0] *= 20
moved = {}
for name in ("float", "int8"):
    session = onnxruntime.InferenceSession(f"{name}.onnx")
    [one], [two] = (session.run(None, {"x": a}) for a in (x, other))
    change = np.abs(one - two)[:, 0]
    moved[name] = float(change[0, 0].max()), float(change[:, 1].max())
    print(name, "step 0 moves by", moved[name][0], "row 1 moves by", moved[name][1])
assert moved["float"] == (0, 0)
assert min(moved["int8"]) > 1e-3
PYTHON
