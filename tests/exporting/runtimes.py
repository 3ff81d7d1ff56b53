"""Each format's own runtime, as a function of named arrays; none of them knows LSTM Zoo."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lstm_zoo.recurrence import engines

TENSORFLOW = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "lstm_zoo":
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
import numpy, tensorflow
served = tensorflow.saved_model.load(sys.argv[1]).signatures["serving_default"]
calls = numpy.load(sys.argv[2])
results = {}
for call in sorted({name.split("|")[0] for name in calls}):
    given = {n.split("|")[1]: calls[n] for n in calls if n.startswith(call + "|")}
    found = served(**{name: tensorflow.constant(a) for name, a in given.items()})
    results |= {f"{call}|{name}": value.numpy() for name, value in found.items()}
numpy.savez(sys.argv[3], **results)
"""


def by_keras(model, inputs):
    """What a model gives with each layer in Keras's own loop, for which nothing is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "engine_for", lambda call: engines.ENGINES["keras"]())
        return model(inputs)


def saved_model(path, calls):
    """In a process of its own, in which LSTM Zoo cannot be imported."""
    given = {f"{k}|{name}": a for k, call in enumerate(calls) for name, a in call.items()}
    inputs, outputs = path.parent / "inputs.npz", path.parent / "outputs.npz"
    np.savez(inputs, **given)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", TENSORFLOW, str(path), str(inputs), str(outputs)]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    with np.load(outputs) as found:
        return [
            {n.split("|")[1]: found[n] for n in found if n.startswith(f"{k}|")}
            for k in range(len(calls))
        ]


def saved_model_here(path, calls):
    """In this process."""
    import tensorflow as tf

    served = tf.saved_model.load(path).signatures["serving_default"]
    calls = [{name: tf.constant(a) for name, a in call.items()} for call in calls]
    return [{name: a.numpy() for name, a in served(**call).items()} for call in calls]


def onnx(path, calls):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, call))) for call in calls]


def litert(path, calls):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path)).get_signature_runner("serving_default")
    return [runner(**call) for call in calls]


RUNTIMES = {"saved_model": saved_model, "onnx": onnx, "litert": litert}
ENDINGS = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite"}


def operations(path):
    """The names of the operations in a file, as a list; for LiteRT those in the file itself."""
    if path.suffix == ".onnx":
        import onnx

        return [node.op_type for node in onnx.load(path).graph.node]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), experimental_op_resolver_type=_as_written())
    return [one["op_name"] for one in interpreter._get_ops_details()]


def _as_written():
    """Without the delegate, which takes the place of the operations that it runs."""
    from ai_edge_litert.interpreter import OpResolverType

    return OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
