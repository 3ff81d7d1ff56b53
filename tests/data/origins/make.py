"""Makes the .npz files here: ONNX files of other exporters, and the numbers of the models in them.

python make.py torch   torch 2.13, onnx, onnxscript 0.7.2: the old and the new torch.onnx.export
python make.py keras   keras 3.15, tensorflow 2.21, tf2onnx 1.17: Keras's own export, and tf2onnx

torch.npz and keras.npz hold for each model its ONNX file under "name", its inputs in order under
"name:in0", and its outputs under "name:out0". Texts that describe nodes are left out.
"""

import pathlib
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 5, 3)).astype("float32")
H, C = (RNG.normal(size=(1, 2, 4)).astype("float32") for _ in "hc")


def plain(path):
    """The bytes of an ONNX file without descriptions, which name files of the machine."""
    import onnx

    model = onnx.load(path)
    model.ClearField("metadata_props")
    graph = model.graph
    for one in [graph, *graph.node, *graph.input, *graph.output, *graph.value_info]:
        one.ClearField("doc_string")
        one.ClearField("metadata_props")
    graph.ClearField("value_info")
    return np.frombuffer(model.SerializeToString(), "uint8")


def torch_files():
    import torch

    torch.manual_seed(0)
    nn = torch.nn

    class Net(nn.Module):
        """A recurrent module, and a Dense layer on its last output or its last states."""

        def __init__(self, kind, states=False, **options):
            super().__init__()
            self.rnn, self.states = getattr(nn, kind)(3, 4, batch_first=True, **options), states
            size = options.get("proj_size", 4) * (2 if options.get("bidirectional") else 1)
            self.head = nn.Linear(size, 2)

        def forward(self, x):
            y, h = self.rnn(x)
            h = h[0] if isinstance(h, tuple) else h
            return self.head(torch.cat([h[-2], h[-1]], -1) if self.states else y[:, -1])

    class Text(Net):
        def __init__(self):
            super().__init__("LSTM")
            self.embedding = nn.Embedding(7, 3)

        def forward(self, x):
            return super().forward(self.embedding(x))

    class Convolution(Net):
        def __init__(self):
            super().__init__("LSTM")
            self.conv, self.norm = nn.Conv1d(3, 3, 3, padding=1), nn.BatchNorm1d(3)
            self.layer_norm, self.drop = nn.LayerNorm(4), nn.Dropout(0.3)

        def forward(self, x):
            x = torch.relu(self.norm(self.conv(x.transpose(1, 2)))).transpose(1, 2)
            y = self.rnn(x)[0][:, -1]
            return self.head(nn.functional.gelu(self.drop(self.layer_norm(y))))

    class Attention(Net):
        def __init__(self):
            super().__init__("GRU", bidirectional=True)
            self.score = nn.Linear(8, 1)

        def forward(self, x):
            y, _ = self.rnn(x)
            return self.head((torch.softmax(self.score(torch.tanh(y)), 1) * y).sum(1))

    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 4, batch_first=True)

        def forward(self, x, h, c):
            y, (h, c) = self.rnn(x, (h, c))
            return y, h, c

    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(3, 4)

        def forward(self, x, h, c):
            return self.cell(x, (h, c))

    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 4, batch_first=True, bidirectional=True)

        def forward(self, x, n):
            packed = nn.utils.rnn.pack_padded_sequence(x, n, True, enforce_sorted=False)
            y, (h, _) = self.rnn(packed)
            return nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0], h

    deep = {"num_layers": 2, "bidirectional": True}
    tokens, lengths = RNG.integers(0, 7, (2, 5)), np.array([3, 5])
    of_x, of_states = {0: "batch", 1: "time"}, {1: "batch"}
    models = {
        "lstm": (Net("LSTM", **deep), [X], [of_x]),
        "lstm_states": (Net("LSTM", True, **deep), [X], [of_x]),
        "lstm_fixed_sizes": (Net("LSTM"), [X], [{}]),
        "gru": (Net("GRU", **deep), [X], [of_x]),
        "gru_states": (Net("GRU", True, **deep), [X], [of_x]),
        "rnn": (Net("RNN", **deep), [X], [of_x]),
        "rnn_relu": (Net("RNN", nonlinearity="relu"), [X], [of_x]),
        "projected": (Net("LSTM", proj_size=2), [X], [of_x]),
        "text": (Text(), [tokens], [of_x]),
        "convolution": (Convolution(), [X], [of_x]),
        "attention": (Attention(), [X], [of_x]),
        "step": (Step(), [X, H, C], [of_x, of_states, of_states]),
        "cell": (Cell(), [X[:, 0], H[0], C[0]], [{0: "batch"}] * 3),
        "packed": (Packed(), [X, lengths], [of_x, {0: "batch"}]),
    }
    found = {}
    for name, (model, inputs, axes) in models.items():
        model.eval()
        arguments = tuple(map(torch.tensor, inputs))
        with torch.no_grad():
            outputs = model(*arguments)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        names = [f"in{k}" for k in range(len(inputs))]
        auto = tuple(dict.fromkeys(one, torch.export.Dim.AUTO) for one in axes)
        ways = {
            "old": {"dynamic_axes": dict(zip(names, axes))},
            "new": {"dynamic_shapes": auto, "dynamo": True},
        }
        for way, options in ways.items():
            path = pathlib.Path(tempfile.mkdtemp()) / "model.onnx"
            try:
                torch.onnx.export(
                    model, arguments, path, input_names=names, **{"dynamo": False} | options
                )
            except Exception as problem:  # what PyTorch can't export
                print("not exported:", way, name, str(problem).strip()[:80])
                continue
            case = f"{way}_{name}"
            found[case] = plain(path)
            found |= {f"{case}:in{k}": x for k, x in enumerate(inputs)}
            found |= {f"{case}:out{k}": y.numpy() for k, y in enumerate(outputs)}
    np.savez_compressed(HERE / "torch.npz", **found)


def keras_files():
    import keras
    import tensorflow as tf
    import tf2onnx

    layers, found = keras.layers, {}

    def deep(kind, **options):
        return [
            layers.Bidirectional(kind(4, return_sequences=True, **options)),
            layers.Bidirectional(kind(3, **options)),
        ]

    models = {
        "lstm": deep(layers.LSTM),
        "lstm_relu": [layers.LSTM(4, activation="relu")],
        "lstm_backwards": [layers.LSTM(4, go_backwards=True, return_sequences=True)],
        "gru": [layers.GRU(4)],
        "rnn": [layers.SimpleRNN(4)],
        "masked": [layers.Masking(0.0), layers.LSTM(4)],
    }
    for name, stack in models.items():
        model = keras.Sequential([keras.Input((None, 3)), *stack, layers.Dense(2)])
        for weight in model.weights:
            weight.assign(RNG.normal(size=weight.shape) * 0.5)
        for way in ("keras", "tf2onnx"):
            path, y = str(pathlib.Path(tempfile.mkdtemp()) / "model.onnx"), model(X).numpy()
            if way == "keras":
                model.export(path, format="onnx", verbose=False)
            else:
                tf2onnx.convert.from_function(
                    tf.function(lambda x, model=model: model(x)),
                    [tf.TensorSpec([None, None, 3], tf.float32, name="x")],
                    opset=18,
                    output_path=path,
                )
            case = f"{way}_{name}"
            found |= {case: plain(path), f"{case}:in0": X, f"{case}:out0": y}
    np.savez_compressed(HERE / "keras.npz", **found)


if __name__ == "__main__":
    {"torch": torch_files, "keras": keras_files}[sys.argv[1]]()
