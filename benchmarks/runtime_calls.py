"""Each runtime as a function that opens an exported file; none of them knows LSTM Zoo.

`benchmarks/runtimes.py` starts this file once for each runtime, in a process of its own, because
some runtimes end the process on a file that they don't support:

    python benchmarks/runtime_calls.py RUNTIME FOLDER
"""

import contextlib
import importlib.metadata
import json
import pathlib
import shutil
import subprocess
import sys
from unittest import mock

import numpy as np

NODE = """
const ort = require('onnxruntime-web');
const tf = require('@tensorflow/tfjs');
const fs = require('fs'), readline = require('readline');
const files = {};
async function open(path) {
  if (path.endsWith('.onnx')) {
    const session = await ort.InferenceSession.create(fs.readFileSync(path));
    return async (inputs, names) => {
      const given = {};
      for (const [name, [kind, shape, values]] of Object.entries(inputs))
        given[name] = new ort.Tensor(kind, values, shape);
      const found = await session.run(given);
      return names.map(name => [found[name].dims, Array.from(found[name].data)]);
    };
  }
  const modelTopology = JSON.parse(fs.readFileSync(path + '/model.json'));
  const manifest = modelTopology.weightsManifest;
  const parts = manifest.flatMap(group => group.paths).map(p => fs.readFileSync(path + '/' + p));
  const bytes = Buffer.concat(parts);
  const model = await tf.loadGraphModel({load: async () => ({
    ...modelTopology, weightSpecs: manifest.flatMap(group => group.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)})});
  return async (inputs, names) => {
    const given = {};
    for (const [name, [kind, shape, values]] of Object.entries(inputs))
      given[name] = tf.tensor(values, shape, kind);
    // By number: predictAsync gives outputs under each other's names.
    const keys = model.structuredOutputKeys || Object.keys(model.signature.outputs);
    const found = await model.executeAsync(given, names.map(name => keys.indexOf(name))
      .map(k => k ? `Identity_${k}:0` : 'Identity:0'));
    return [].concat(found).map(one => [one.shape, Array.from(one.dataSync())]);
  };
}
readline.createInterface({input: process.stdin}).on('line', async line => {
  const {path, inputs, names} = JSON.parse(line);
  try {
    files[path] = files[path] || await open(path);
    console.log('>' + JSON.stringify(await files[path](inputs, names)));
  } catch (problem) { console.log('>' + JSON.stringify(String(problem.message || problem))); }
});
"""


def onnxruntime(path, inputs, outputs, call):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return lambda call: session.run(outputs, call)


def reference(path, inputs, outputs, call):
    import onnx.reference

    evaluator = onnx.reference.ReferenceEvaluator(str(path))
    return lambda call: evaluator.run(outputs, call)


def openvino(path, inputs, outputs, call):
    import openvino

    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", options)

    def run(call):
        found = compiled(call)
        return [found[name] for name in outputs]

    return run


def opencv(path, inputs, outputs, call):
    import cv2

    network = cv2.dnn.readNetFromONNX(str(path))

    def run(call):
        for name, a in call.items():
            network.setInput(a, name)
        return network.forward(outputs)

    return run


def mnn(path, inputs, outputs, call):
    import MNN

    converted = path.with_suffix(".mnn")
    command = [pathlib.Path(sys.executable).with_name("mnnconvert"), "-f", "ONNX", "--bizCode"]
    command += ["zoo", "--modelFile", path, "--MNNModel", converted]
    subprocess.run(command, check=True, capture_output=True)
    module = MNN.nn.load_module_from_file(str(converted), inputs, outputs)

    def run(call):
        # A variable of MNN borrows the array's memory, so copy it.
        kinds = [MNN.expr.float if a.dtype == "float32" else MNN.expr.int for a in call.values()]
        arrays = zip([a.copy() for a in call.values()], kinds)
        given = [MNN.expr.const(a, a.shape, MNN.expr.NCHW, kind) for a, kind in arrays]
        found = module.onForward(given)
        return [np.array(one.read()) for one in found]

    return run


def tract(path, inputs, outputs, call):
    import tract

    model = tract.onnx().load(str(path))
    for k in range(model.input_count()):
        a = call[model.input_name(k)]
        kind = "f32" if a.dtype == "float32" else "i32"
        model.set_input_fact(k, ",".join([*map(str, a.shape), kind]))
    order = [model.input_name(k) for k in range(model.input_count())]
    runnable = model.into_model().into_runnable()
    # It renames outputs, and keeps their order.
    return lambda call: [one.to_numpy() for one in runnable.run([call[name] for name in order])]


def litert(path, inputs, outputs, call):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path)).get_signature_runner("serving_default")

    def run(call):
        found = runner(**call)
        return [found[name] for name in outputs]

    return run


def compiled_model(path, inputs, outputs, call):
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_file(str(path))
    sizes = model.get_input_tensor_details("serving_default")
    for name, a in call.items():
        if sizes[name]["shape"] != list(a.shape):  # open sizes are 1
            model.resize_input_tensor_by_name("serving_default", name, list(a.shape))
    details = model.get_output_tensor_details("serving_default")

    def run(call):
        made = model.create_input_buffer_by_name, model.create_output_buffer_by_name
        given = {name: made[0]("serving_default", name) for name in inputs}
        found = {name: made[1]("serving_default", name) for name in outputs}
        for name, a in call.items():
            given[name].write(a)
        model.run_by_name("serving_default", given, found)
        shapes = {name: details[name]["shape"] for name in outputs}
        return [
            found[name].read(int(np.prod(shapes[name])), np.float32).reshape(shapes[name])
            for name in outputs
        ]

    return run


def tfjs(path, inputs, outputs, call):
    for name in ("tensorflow_decision_forests", "tensorflow_hub", "jax", "tf_keras", "flax"):
        sys.modules[name] = mock.MagicMock()  # imported by the converter, and not used for this
    sys.modules["jax.experimental"] = sys.modules["jax.experimental.jax2tf"] = mock.MagicMock()
    from tensorflowjs.converters import tf_saved_model_conversion_v2 as converter

    converted = path.with_name("tfjs")
    converter.convert_tf_saved_model(
        str(path), str(converted), control_flow_v2=True, use_structured_outputs_names=True
    )
    return _in_node(converted, outputs)


def onnxruntime_web(path, inputs, outputs, call):
    return _in_node(path, outputs)


def _in_node(path, outputs):
    """A file in Node.js, which finds the packages below the working folder."""
    command = [shutil.which("node"), "-e", NODE]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, text=True, **pipe)

    def run(call):
        given = {n: [str(a.dtype), a.shape, a.ravel().tolist()] for n, a in call.items()}
        request = {"path": str(path), "inputs": given, "names": outputs}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = next(line for line in process.stdout if line.startswith(">"))
        found = json.loads(line[1:])
        if isinstance(found, str):
            raise RuntimeError(found)
        return [np.reshape(np.array(values, "float32"), shape) for shape, values in found]

    run.close = process.kill
    return run


# From a column of the table to the package in it, the file that it reads, and the function.
RUNTIMES = {
    "ONNX Runtime": ("onnxruntime", "model.onnx", onnxruntime),
    "ONNX Runtime Web": ("onnxruntime-web", "model.onnx", onnxruntime_web),
    "OpenVINO, f32": ("openvino", "model.onnx", openvino),
    "OpenCV": ("opencv-python-headless", "model.onnx", opencv),
    "MNN": ("MNN", "model.onnx", mnn),
    "tract": ("tract", "model.onnx", tract),
    "onnx.reference": ("onnx", "model.onnx", reference),
    "LiteRT `Interpreter`": ("ai-edge-litert", "model.tflite", litert),
    "LiteRT `CompiledModel`": ("ai-edge-litert", "loops.tflite", compiled_model),
    "TensorFlow.js": ("@tensorflow/tfjs", "served", tfjs),
}


def version(package):
    """The installed version of a package of Python or, in the working folder, of Node.js."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    about = pathlib.Path("node_modules", package, "package.json")
    if not (about.exists() and shutil.which("node")):
        return None
    return json.loads(about.read_text())["version"]


def answers(run, case):
    """The outputs of a file; of one that takes a step, its last output."""
    call = {name: np.array(a) for name, a in case["call"].items()}
    if not case["streamed"]:
        return run(call)
    first, *states = case["inputs"]
    steps = call.pop(first)
    for t in range(steps.shape[1]):
        outputs = run({first: np.ascontiguousarray(steps[:, t]), **call})
        call = dict(zip(states, outputs[1:], strict=True))
    return outputs[:1]


def read(folder):
    """A case from its folder: names, and arrays by name."""
    case = json.loads((folder / "case.json").read_text())
    with np.load(folder / "call.npz") as found:
        case["call"] = {name: found[name] for name in case["inputs"]}
    with np.load(folder / "expected.npz") as found:
        case["expected"] = [found[name] for name in sorted(found.files)]
    return case


def difference(runtime, folder):
    """The largest difference of a file's outputs from the model's."""
    _, file, opened = RUNTIMES[runtime]
    if (folder / f"{file}.refused").exists():
        raise ValueError((folder / f"{file}.refused").read_text())
    case = read(folder)
    first = dict(case["call"])
    if case["streamed"]:
        first[case["inputs"][0]] = first[case["inputs"][0]][:, 0]
    outputs = case["fixed_outputs" if file == "loops.tflite" else "outputs"]
    run = opened(folder / file, case["inputs"], outputs, first)
    try:
        got = answers(run, case)
    finally:
        getattr(run, "close", lambda: None)()
    if len(got) != len(case["expected"]):
        raise ValueError(f"{len(got)} outputs")
    found = []
    for a, b in zip(got, case["expected"], strict=True):
        a = np.asarray(a)
        if a.shape != b.shape and a.size != b.size:
            raise ValueError(f"an output of shape {a.shape} in place of {b.shape}")
        found.append(float(np.abs(a.reshape(b.shape) - b).max()))
    return max(found) if np.isfinite(found).all() else float("inf")


def main(runtime, root):
    """Append a line of JSON to FOLDER/results.jsonl for each case of a runtime."""
    with open(root / "results.jsonl", "a+") as file:
        file.seek(0)
        done = {one["case"] for one in map(json.loads, file) if one["runtime"] == runtime}
        for folder in sorted(path.parent for path in root.glob("*/case.json")):
            if folder.name in done:
                continue
            line = {"runtime": runtime, "case": folder.name}
            print(json.dumps({**line, "off": "the process ended"}), file=file, flush=True)
            try:
                line["off"] = difference(runtime, folder)
            except Exception as problem:  # whatever a runtime raises, it has refused the file
                line["off"] = " ".join(f"{type(problem).__name__}: {problem}".split())[:400]
            print(json.dumps(line), file=file, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]).resolve())
