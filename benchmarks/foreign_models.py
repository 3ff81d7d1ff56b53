"""Published models of others in LSTM Zoo, compared with the library that they come from.

python benchmarks/foreign_models.py [--frames 1875]

It downloads packages with pip into a temporary folder and installs none of them:

- silero-vad 6.2.3 (MIT), a voice detector in ONNX whose LSTM stands inside `If` branches: over a
  minute of sound, 512 samples at a time with the state carried on, the probabilities must agree
  with ONNX Runtime to 1e-5, and so must those of the file that lz.export writes of it;
- dksplit 1.0.2 (CC BY 4.0), which splits words with three bidirectional DynamicQuantizeLSTM nodes.
  ONNX Runtime also rounds the inputs of each step to bytes, so numbers differ in the second digit;
  the answers (the larger of two numbers) must be the same;
- arabic-diacritizer 1.0.0 (MIT), arabic-morph-segmenter 0.1.0 (MIT) and g2p-fa 1.1.0 (MIT), whose
  `.pt` files lz.weights.from_torch reads. If PyTorch is installed, the outputs of their recurrent
  modules must agree to 1e-5;
- asmscan-bilstm 1.0.0 (GPL 3), six models in files of Keras 2. If tf_keras (Keras 2) is installed,
  the answers must agree to 1e-5.
"""

import argparse
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import keras
import numpy as np
import tensorflow as tf

import lstm_zoo as lz

RATE, FRAME, CONTEXT = 16_000, 512, 64


def package(name, folder):
    """The folder with what a package holds, downloaded and unpacked."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, name]
    subprocess.run(command, check=True)
    [wheel] = folder.glob(f"{name.split('==')[0].replace('-', '_')}*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / wheel.stem)
    return folder / wheel.stem


def session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options)


def sound(frames):
    """Noise in which a voiced sound comes and goes."""
    rng = np.random.default_rng(0)
    t = np.arange(frames * FRAME) / RATE
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 12)) * (np.sin(2 * np.pi * 0.4 * t) > 0)
    return (0.1 * voice + 0.01 * rng.normal(size=t.size)).astype("float32")


def voice_detector(folder, frames):
    """The largest differences in the probability of speech: opened, and exported again."""
    [path] = package("silero-vad==6.2.3", folder).rglob("silero_vad.onnx")
    print(lz.onnx_summary(path))
    model = lz.open_onnx(path, constants={"sr": RATE}, shapes={"input": (None, CONTEXT + FRAME)})
    answer, theirs = tf.function(model), session(path)
    exported = session(lz.export(model, folder / "again.onnx"))
    padded = np.concatenate([np.zeros(CONTEXT, "float32"), sound(frames)])
    states, found = [np.zeros((2, 1, 128), "float32")] * 3, []
    for k in range(frames):
        x = padded[None, k * FRAME : k * FRAME + CONTEXT + FRAME]
        wanted = theirs.run(None, {"input": x, "state": states[0], "sr": np.array(RATE)})
        ours = answer({"input": x, "state": states[1]})
        again = exported.run(["output", "stateN"], {"input": x, "state": states[2]})
        states = [wanted[1], np.asarray(ours["stateN"]), again[1]]
        found.append(
            [float(one) for one in (wanted[0][0, 0], ours["output"][0, 0], again[0][0, 0])]
        )
    found = np.array(found)
    print(f"speech: {(found[:, 0] > 0.5).mean():.0%} of {frames} frames")
    trace = lz.trace(model, {"input": x, "state": states[1]})
    np.ravel(lz.plots.plot_trace(trace))[0].figure.savefig(folder / "gates.png")
    print(trace)
    return np.abs(found[:, 1:] - found[:, :1]).max(axis=0)


def splitter(folder):
    """How many answers differ, and the largest difference in a number."""
    [path] = package("dksplit==1.0.2", folder).rglob("*.onnx")
    print(lz.onnx_summary(path))
    x = np.random.default_rng(0).integers(0, 30, (4, 20))
    [wanted] = session(path).run(None, {"chars": x})
    got = np.asarray(lz.open_onnx(path)(x))
    return int((wanted.argmax(-1) != got.argmax(-1)).sum()), np.abs(wanted - got).max()


# The file of each package, the prefix of its module, its layers, and whether it is bidirectional.
IN_PYTORCH = [
    ("arabic-diacritizer==1.0.0", "*.pt", "lstm.", 3, True),
    ("arabic-morph-segmenter==0.1.0", "*.pt", "model_state_dict.lstm.", 2, True),
    ("g2p-fa==1.1.0", "data/weights", "encoder.rnn.", 2, False),
    ("g2p-fa==1.1.0", "data/weights", "decoder.rnn.", 2, False),
]


def in_pytorch(folder, name, pattern, prefix, depth, both):
    """The largest difference between the layers and PyTorch's module, on random tokens."""
    import torch

    [path] = package(name, folder).rglob(pattern)
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    if "model_state_dict" in tensors:
        tensors = {f"model_state_dict.{k}": v for k, v in tensors["model_state_dict"].items()}
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    width, features = own["weight_ih_l0"].shape
    module = torch.nn.LSTM(features, width // 4, depth, batch_first=True, bidirectional=both)
    module.load_state_dict(own)
    layers = [lz.LSTM(width // 4, return_sequences=True) for _ in range(depth)]
    layers = [keras.layers.Bidirectional(layer) if both else layer for layer in layers]
    lz.weights.from_torch(layers, path, prefix=prefix)
    table = tensors[prefix[: prefix[:-1].rfind(".") + 1] + "embedding.weight"].numpy()
    x = table[np.random.default_rng(0).integers(0, len(table), (4, 50))]
    with torch.no_grad():
        wanted = module(torch.tensor(x))[0].numpy()
    return np.abs(keras.Sequential([keras.Input((None, features)), *layers])(x) - wanted).max()


def in_keras2(folder):
    """The largest difference between the six models and Keras 2."""
    import tf_keras

    paths = sorted(package("asmscan-bilstm==1.0.0", folder).rglob("*.h5"))
    x = np.random.default_rng(0).integers(0, 26, (8, 40))
    found = []
    for path in paths:
        original = tf_keras.models.load_model(path, compile=False)
        model = keras.Sequential([keras.Input((40,), dtype="int32")])
        for layer in original.layers[1:]:
            kind = type(layer).__name__
            config = getattr(layer, "forward_layer", layer).get_config()
            if kind in ("Bidirectional", "LSTM"):
                options = {"return_sequences": config["return_sequences"]}
                made = lz.LSTM(config["units"], **options)
                model.add(keras.layers.Bidirectional(made) if kind == "Bidirectional" else made)
            elif kind == "Embedding":
                model.add(keras.layers.Embedding(config["input_dim"], config["output_dim"]))
            elif kind == "Dense":
                model.add(keras.layers.Dense(config["units"], activation=config["activation"]))
        lz.weights.from_keras2(model, path)
        found.append(np.abs(model(x) - np.asarray(original(x))).max())
    return max(found)


def installed(name):
    if importlib.util.find_spec(name):
        return True
    print(f"{name} is not installed, so its models are left out")
    return False


def main(frames):
    print("keras", keras.__version__)
    wrong = []

    def judge(name, difference):
        print(f"{name}: at most {difference:.1e} off")
        wrong.extend([name] * (not difference <= 1e-5))

    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        opened, again = voice_detector(folder, frames)
        judge(f"silero-vad over {frames * FRAME / RATE:.0f} s", opened)
        judge("silero-vad, exported again", again)
        other, largest = splitter(folder)
        print(f"dksplit: {other} other answers, numbers at most {largest:.2g} off")
        wrong.extend(["dksplit"] * bool(other))
        for name, *options in IN_PYTORCH if installed("torch") else []:
            judge(f"{name}, {options[1]}", in_pytorch(folder, name, *options))
        if installed("tf_keras"):
            judge("asmscan-bilstm", in_keras2(folder))
    if wrong:
        sys.exit(f"other answers than the originals: {', '.join(wrong)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=1875)
    main(parser.parse_args().frames)
