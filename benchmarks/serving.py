"""How long a trained model takes to answer: one step, one sequence or a batch, warm and from cold.

    python benchmarks/serving.py             the table, milliseconds: the minimum of many rounds
    python benchmarks/serving.py --cold      new processes: import, load, one answer
    python benchmarks/serving.py --quick     fewer rounds, and no file is written

Each time also goes to results/DATE-serving.csv. Two LSTM layers and a Dense layer, the same weights
for all. ONNX Runtime, OpenVINO and PyTorch take part where they are installed. All answer in turn,
round after round, so that load on the machine meets all of them; the answers are compared. Columns
that are no library: `predict` and `predict_on_batch` of Keras, `graph` (a `tf.function` of the
model), `predictor` (`lz.predictor`) and `stream` (`lz.stream`).
"""

import argparse
import importlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import rows
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.serving.compiled import simd

SHAPES = [  # units, features, timesteps
    (64, 8, 100),
    (128, 32, 100),
    (256, 64, 200),
    (32, 4, 50),
    (96, 16, 300),
    (100, 10, 24),
    (128, 8, 30),
    (512, 32, 50),
]
BATCHES = 1, 64
PEERS = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "PyTorch": "torch"}


def model_of(units, features, timesteps):
    """Two LSTM layers and a Dense layer, with weights as of a trained model."""
    inputs = keras.Input((timesteps, features))
    x = lz.LSTM(units, return_sequences=True)(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(lz.LSTM(units)(x)))


def keras_ways(model):
    """Keras's own ways to ask a model."""
    graph = tf.function(lambda x: model(x, training=False))
    return {
        "predict": lambda x: model.predict(x, verbose=0, batch_size=len(x)),
        "predict_on_batch": model.predict_on_batch,
        "graph": lambda x: graph(tf.constant(x)).numpy(),
        "predictor": lz.predictor(model),
    }


def onnx_of(model, folder):
    """The path of an ONNX file of a model."""
    path = pathlib.Path(folder) / f"{model.name}.onnx"
    lz.export(model, path)
    return path


def onnx_runtime(path):
    """A function that asks ONNX Runtime, from its file, with its own settings."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(names, arrays)))[0]


def openvino(path):
    """A function that asks OpenVINO in float32."""
    import openvino

    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.compile_model(path, "CPU", options).create_infer_request()
    return lambda x: request.infer([x])[0]


class TorchModel:
    """The same model in PyTorch, with the same weights."""

    def __init__(self, model):
        import torch

        self.torch = torch
        first, second, dense = (one for one in model.layers if one.get_weights())
        self.layers = [self._lstm(one) for one in (first, second)]
        kernel, bias = (torch.from_numpy(w) for w in dense.get_weights())
        self.dense = torch.nn.Linear(kernel.shape[0], kernel.shape[1])
        with torch.no_grad():
            self.dense.weight.copy_(kernel.T)
            self.dense.bias.copy_(bias)

    def _lstm(self, layer):
        torch = self.torch
        kernel, recurrent, bias = (torch.from_numpy(w) for w in layer.get_weights())
        lstm = torch.nn.LSTM(kernel.shape[0], recurrent.shape[0], batch_first=True)
        with torch.no_grad():  # PyTorch's gates are in the order of Keras's
            lstm.weight_ih_l0.copy_(kernel.T)
            lstm.weight_hh_l0.copy_(recurrent.T)
            lstm.bias_ih_l0.copy_(bias)
            lstm.bias_hh_l0.zero_()
        return lstm

    def __call__(self, x):
        with self.torch.inference_mode():
            y = self.torch.from_numpy(x)
            for lstm in self.layers:
                y, _ = lstm(y)
            return self.dense(y[:, -1]).numpy()

    def stepper(self):
        """A function that reads a step and keeps the states."""
        states = [None, None]

        def step(x):
            with self.torch.inference_mode():
                y = self.torch.from_numpy(x[:, None])
                for k, lstm in enumerate(self.layers):
                    y, states[k] = lstm(y, states[k])
                return self.dense(y[:, -1]).numpy()

        return step


def installed(name):
    """Whether a library can be imported."""
    return importlib.util.find_spec(name) is not None


def others(model, folder):
    """The other libraries that are there."""
    ways = {}
    if installed("onnxruntime"):
        ways["ONNX Runtime"] = onnx_runtime(onnx_of(model, folder))
    if installed("openvino"):
        ways["OpenVINO"] = openvino(onnx_of(model, folder))
    if installed("torch"):
        ways["PyTorch"] = TorchModel(model)
    return ways


def timed(ways, x, rounds):
    """The shortest time of each way, milliseconds; each of `rounds` rounds asks all in turn."""
    answers = {name: way(x) for name, way in ways.items()}
    first = next(iter(answers.values()))
    for name, answer in answers.items():
        np.testing.assert_allclose(answer, first, atol=1e-4, err_msg=name)
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            for _ in range(3):
                start = time.perf_counter()
                way(x)
                best[name] = min(best[name], time.perf_counter() - start)
    return {name: 1000 * seconds for name, seconds in best.items()}


def steppers(model, folder):
    """Ways to read one step of a stream."""
    reader = lz.stream(model)
    ways = {"stream": reader.step}
    if installed("onnxruntime"):
        path = pathlib.Path(folder) / f"{model.name}_step.onnx"
        lz.export(model, path, streaming=True)
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        first, *states = session.get_inputs()
        carried = [np.zeros((1, one.shape[1]), "float32") for one in states]

        def step(x):
            given = {first.name: x, **dict(zip((one.name for one in states), carried))}
            answer, *carried[:] = session.run(None, given)
            return answer

        ways["ONNX Runtime"] = step
    if installed("torch"):
        ways["PyTorch"] = TorchModel(model).stepper()
    return ways


def kept(table, shape, asked, times, rounds):
    """Add a row for each library to a table; None keeps nothing."""
    units, features, timesteps = shape
    for name, milliseconds in times.items() if table else ():
        version = importlib.import_module(PEERS[name]).__version__ if name in PEERS else ""
        table.add(
            {
                "units": units,
                "features": features,
                "timesteps": timesteps,
                "asked": asked,
                "library": f"{name} {version}".strip(),
                "min_ms": f"{milliseconds:.4g}",
                "rounds": rounds,
                "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "",
                "simd": simd(),
            }
        )


def shown(what, times):
    """A line of the table, and the ratio to the best of the others."""
    ours = times.get("predictor", times.get("stream"))
    peers = {name: t for name, t in times.items() if name in PEERS}
    cells = "  ".join(f"{name} {t:.4g}" for name, t in times.items())
    ratios = "  ".join(f"{ours / t:.2f} of {name}" for name, t in peers.items())
    print(f"{what}: {cells}  |  {ratios}", flush=True)


COLD = {
    "predictor": """
import numpy as np
import lstm_zoo as lz
print(lz.load_predictor({path!r})(np.zeros({shape}, "float32")).sum())
""",
    "ONNX Runtime": """
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession({path!r}, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
print(session.run(None, {{name: np.zeros({shape}, "float32")}})[0].sum())
""",
    "Keras": """
import lstm_zoo, keras, numpy as np
print(keras.models.load_model({path!r}).predict(np.zeros({shape}, "float32"), verbose=0).sum())
""",
}


def cold(table, rounds):
    """Seconds of new processes that import, load and answer once."""
    shape = 128, 32, 100
    with tempfile.TemporaryDirectory() as folder:
        model = model_of(*shape)
        paths = {
            name: f"{folder}/model{end}"
            for name, end in (("predictor", ".npz"), ("ONNX Runtime", ".onnx"), ("Keras", ".keras"))
        }
        lz.predictor(model).save(paths["predictor"])
        lz.export(model, paths["ONNX Runtime"])
        model.save(paths["Keras"])
        scripts = {n: one for n, one in COLD.items() if n not in PEERS or installed(PEERS[n])}
        best = dict.fromkeys(scripts, float("inf"))
        for _ in range(rounds):
            for name, script in scripts.items():
                command = [
                    sys.executable,
                    "-c",
                    script.format(path=paths[name], shape=(1, 100, 32)),
                ]
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                best[name] = min(best[name], time.perf_counter() - start)
    kept(table, shape, "from cold", {name: 1000 * t for name, t in best.items()}, rounds)
    print("from cold, seconds: " + "  ".join(f"{name} {t:.3f}" for name, t in best.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--shapes", type=int, default=len(SHAPES))
    parser.add_argument("--only", nargs="*", default=["1", "64", "stream"])
    given = parser.parse_args()
    table = None if given.quick else rows.Table(rows.newest("serving", new=True))
    if given.cold:
        cold(table, 3 if given.quick else 10)
        return
    for shape in SHAPES[: given.shapes]:
        units, features, timesteps = shape
        model = model_of(*shape)
        where = f"{units} units, {features} features, {timesteps} steps"
        with tempfile.TemporaryDirectory() as folder:
            if "stream" in given.only:
                x = np.random.default_rng(0).normal(size=(1, features)).astype("float32")
                ways = steppers(model, folder)
                rounds = 100 if given.quick else 2000
                times = timed(ways, x, rounds)
                kept(table, shape, "one step", times, rounds)
                shown(f"{where}, one step", times)
            ways = {**keras_ways(model), **others(model, folder)}
            for batch in BATCHES:
                if str(batch) not in given.only:
                    continue
                x = np.random.default_rng(0).normal(size=(batch, timesteps, features))
                if batch > 1:
                    ways.pop("predict", None)
                rounds = (10 if given.quick else 60) * (4 if batch == 1 else 1)
                times = timed(ways, x.astype("float32"), rounds)
                kept(table, shape, f"batch {batch}", times, rounds)
                shown(f"{where}, batch {batch}", times)


if __name__ == "__main__":
    main()
