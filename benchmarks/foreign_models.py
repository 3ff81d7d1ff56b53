"""Real ONNX models of others, opened with `lz.open_onnx` and compared with ONNX Runtime.

python benchmarks/foreign_models.py [--frames 1875]

It downloads two packages with pip into a temporary folder and installs neither:

- silero-vad 6.2.3 (MIT), a voice detector whose LSTM stands inside `If` branches: over a minute of
  sound, 512 samples at a time with the state carried on, the probabilities must agree to 1e-5;
- dksplit 1.0.2 (CC BY 4.0), which splits words with three bidirectional DynamicQuantizeLSTM nodes.
  ONNX Runtime also rounds the inputs of each step to bytes, so numbers differ in the second digit;
  the answers (the larger of two numbers) must be the same.
"""

import argparse
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
    """The largest difference in the probability of speech, over all frames."""
    [path] = package("silero-vad==6.2.3", folder).rglob("silero_vad.onnx")
    print(lz.onnx_summary(path))
    model = lz.open_onnx(path, constants={"sr": RATE}, shapes={"input": (None, CONTEXT + FRAME)})
    answer = tf.function(model)
    theirs, samples, found = session(path), sound(frames), []
    state = ours = np.zeros((2, 1, 128), "float32")
    padded = np.concatenate([np.zeros(CONTEXT, "float32"), samples])
    for k in range(frames):
        x = padded[None, k * FRAME : k * FRAME + CONTEXT + FRAME]
        wanted, state = theirs.run(None, {"input": x, "state": state, "sr": np.array(RATE)})
        got = answer({"input": x, "state": ours})
        ours = np.asarray(got["stateN"])
        found.append((float(wanted[0, 0]), float(got["output"][0, 0])))
    found = np.array(found)
    print(f"speech: {(found[:, 0] > 0.5).mean():.0%} of {frames} frames")
    print(lz.trace(model, {"input": x, "state": ours}))
    return np.abs(found[:, 0] - found[:, 1]).max()


def splitter(folder):
    """How many answers differ, and the largest difference in a number."""
    [path] = package("dksplit==1.0.2", folder).rglob("*.onnx")
    print(lz.onnx_summary(path))
    x = np.random.default_rng(0).integers(0, 30, (4, 20))
    [wanted] = session(path).run(None, {"chars": x})
    got = np.asarray(lz.open_onnx(path)(x))
    return int((wanted.argmax(-1) != got.argmax(-1)).sum()), np.abs(wanted - got).max()


def main(frames):
    print("keras", keras.__version__)
    with tempfile.TemporaryDirectory() as folder:
        difference = voice_detector(pathlib.Path(folder), frames)
        print(f"silero-vad: at most {difference:.1e} off over {frames * FRAME / RATE:.0f} s")
        wrong, largest = splitter(pathlib.Path(folder))
        print(f"dksplit: {wrong} other answers, numbers at most {largest:.2g} off")
    if difference > 1e-5 or wrong:
        sys.exit("a model does not give ONNX Runtime's answers")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=1875)
    main(parser.parse_args().frames)
