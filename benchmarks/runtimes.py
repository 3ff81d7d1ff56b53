"""Writes the table of runtimes in docs/export.md: exported models, each run where people run them.

    python benchmarks/runtimes.py [--folder FOLDER] [--only NAME]

Each file is compared with `model.predict`, for three rows: one fully masked, one with a hole, one
padded at its end. A runtime that is not installed is left out of the run, and the page says so.

    pip install "lstm-zoo[export]" onnxruntime openvino opencv-python-headless MNN tract
    pip install ai-edge-litert
    npm install onnxruntime-web @tensorflow/tfjs      # in the working folder
    pip install --no-deps tensorflowjs                # converts for TensorFlow.js

It takes ten minutes on two cores.
"""

import argparse
import datetime
import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from runtime_calls import RUNTIMES, version

import lstm_zoo as lz
from lstm_zoo import files
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.layers import layer_for

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent / "docs" / "export.md"
START, END = "<!-- runtimes: benchmarks/runtimes.py -->\n", "<!-- end of runtimes -->\n"
SAME = 1e-5
exports = types.SimpleNamespace(**runpy.run_path(str(PAGE.with_name("make_exports.py"))))
BATCH, SMALL, of, both_ways = exports.BATCH, exports.SMALL, exports.of, exports.both_ways
SHAPE = (exports.STEPS, exports.FEATURES)


def last(cell="lstm", **options):
    """A layer that returns its last states."""
    return layer_for(cell, 4, return_state=True, **options)


def steps(cell="lstm", **options):
    return layer_for(cell, 4, return_sequences=True, **options)


def pooled(kind):
    return lz.build_classifier(exports.SHAPE, 3, mask_value=0.0, pooling=kind, **SMALL)


def both(cell="lstm", masked=False):
    """Two bidirectional layers: the first gives all steps, the second its last states."""
    inputs = keras.Input(exports.SHAPE, name="x")
    x = keras.layers.Masking()(inputs) if masked else inputs
    y = both_ways(steps(cell))(x)
    return keras.Model(inputs, [y, *both_ways(last(cell))(y)])


# From a row of the table to a model, and whether its file takes one step at a time.
MODELS = {
    "one direction, last states": (lambda: of(last()), False),
    "two layers and a Dense layer": (lambda: lz.build_classifier(exports.SHAPE, 3, **SMALL), False),
    "masked, last states": (lambda: of(last(), masked=True), False),
    "masked, all steps": (lambda: of(steps(), masked=True), False),
    "bidirectional": (both, False),
    "bidirectional, masked": (lambda: both(masked=True), False),
    "masked, mean pooling": (lambda: pooled("mean"), False),
    "masked, max pooling": (lambda: pooled("max"), False),
    "masked, attention pooling": (lambda: pooled("attention"), False),
    "peephole": (lambda: of(last("peephole")), False),
    "peephole, masked": (lambda: of(last("peephole"), masked=True), False),
    "peephole, bidirectional": (lambda: both("peephole"), False),
    "coupled gates": (lambda: of(last("coupled")), False),
    "GRU": (lambda: of(last("gru")), False),
    "GRU, masked": (lambda: of(last("gru"), masked=True), False),
    "GRU, bidirectional": (lambda: both("gru"), False),
    "GRU, bidirectional, masked": (lambda: both("gru", masked=True), False),
    "GRU, `reset_after=False`": (lambda: of(last("gru", reset_after=False)), False),
    "SimpleRNN": (lambda: of(last("simple_rnn")), False),
    "SimpleRNN, masked": (lambda: of(last("simple_rnn"), masked=True), False),
    "`keras.layers.GRU`, masked": (lambda: of(keras.layers.GRU(4), masked=True), False),
    "`keras.layers.LSTM`, masked": (lambda: of(keras.layers.LSTM(4), masked=True), False),
    "LayerNorm LSTM": (lambda: of(last("layer_norm")), False),
    "sLSTM, masked": (lambda: of(last("slstm"), masked=True), False),
    "`build_seq2seq`": (lambda: lz.build_seq2seq(6, 6, **SMALL), False),
    "`build_lstm_fcn`": (
        lambda: lz.build_lstm_fcn(SHAPE, 3, filters=(4,), kernel_sizes=(3,), **SMALL),
        False,
    ),
    "one step at a time": (lambda: lz.build_classifier(exports.SHAPE, 3, **SMALL), True),
    "one step at a time, masked": (lambda: pooled("mean"), True),
    "one step at a time, peephole": (lambda: of(steps("peephole")), True),
    "one step at a time, GRU": (lambda: of(steps("gru")), True),
    "`stateful`, one step at a time": (lambda: of(steps(stateful=True), batch_size=BATCH), True),
}


def of_fixed_length(model, call):
    """The model for inputs of the length in `call`, which `fused=False` needs for LiteRT."""
    inputs = {
        one.name: keras.Input(call[one.name].shape[1:], name=one.name, dtype=one.dtype)
        for one in model.inputs
    }
    given = inputs if isinstance(model.input, dict) else [inputs[i.name] for i in model.inputs]
    given = given[0] if len(model.inputs) == 1 else given
    return keras.Model(list(inputs.values()), model(given))


def write_case(folder, model, streamed):
    """Write a model's files, the inputs of a call and the model's answers."""
    folder.mkdir()
    call = exports.call_of(model)
    if streamed:  # the state before the first step is zeros
        expected = [exports.answers_of(model, call)[0]]
        step = lz.exporting.step_model(model)
        expected[0] = expected[0] if expected[0].ndim == 2 else expected[0][:, -1]
        sequences, named = call[model.inputs[0].name], step.inputs
        states = {s.name: np.zeros((BATCH, *s.shape[1:]), "float32") for s in named[1:]}
        call = {named[0].name: sequences, **states}
        outputs = signature_of(step).outputs
    else:
        expected, outputs = exports.answers_of(model, call), signature_of(model).outputs
    fixed = model if streamed else of_fixed_length(model, call)
    np.savez(folder / "call.npz", **call)
    np.savez(folder / "expected.npz", **{f"{k:03}": a for k, a in enumerate(expected)})
    for file, written, options in (
        ("model.onnx", model, {}),
        ("model.tflite", model, {"batch_size": BATCH}),
        ("loops.tflite", fixed, {"batch_size": BATCH, "fused": False}),
        ("served", model, {}),
    ):
        try:
            lz.export(written, folder / file, streaming=streamed, **options)
        except ValueError as refusal:
            (folder / f"{file}.refused").write_text(str(refusal))
    case = {"inputs": list(call), "outputs": outputs, "streamed": streamed}
    case["fixed_outputs"] = outputs if streamed else signature_of(fixed).outputs
    (folder / "case.json").write_text(json.dumps(case))


def run(runtime, folder):
    """Run all cases in a runtime; one that ends the process has not written its answer."""
    command = [sys.executable, HERE / "runtime_calls.py", runtime, folder]
    for _ in MODELS:
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode == 0:
            return
    print(found.stderr[-2000:], file=sys.stderr)


def cell_of(off):
    """What stands in the table."""
    if isinstance(off, str):
        return "wrong shape" if "an output of shape" in off else "refused"
    return "=" if off <= SAME else f"**{off:.2g} off**"


def table_of(results, versions):
    """The table in Markdown; `results` has the difference or refusal by runtime and row."""
    lines = [["model", *(f"{name} {versions[name]}" for name in results)]]
    lines.append(["---"] * (len(results) + 1))
    for row in MODELS:
        lines.append([row, *(cell_of(found.get(row, "")) for found in results.values())])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    missing = [name for name in RUNTIMES if name not in results]
    said = f" Not installed in this run: {', '.join(missing)}." if missing else ""
    return f"{table}\n\nMeasured on {datetime.date.today()}.{said}\n"


def main(folder, only):
    wanted = {row: given for row, given in MODELS.items() if only in row}
    for number, (row, (build, streamed)) in enumerate(wanted.items()):
        if not (folder / f"{number:02}").exists():
            write_case(folder / f"{number:02}", exports.filled(build()), streamed)
            keras.backend.clear_session()
            print("written:", row, flush=True)
    versions = {name: version(package) for name, (package, *_) in RUNTIMES.items()}
    installed = [name for name in RUNTIMES if versions[name]]
    for runtime in installed:
        run(runtime, folder)
    results = {name: {} for name in installed}
    lines = map(json.loads, (folder / "results.jsonl").read_text().splitlines())
    for line in lines:
        results[line["runtime"]][list(wanted)[int(line["case"])]] = line["off"]
    for runtime, found in results.items():
        for row, off in found.items():
            print(runtime, "|", row, "|", off)
    if only:
        return
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    with files.replacing(PAGE) as temporary:
        text = f"{before}{START}\n{table_of(results, versions)}\n{END}{after}"
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", help="keeps the files; an interrupted run goes on in it")
    parser.add_argument("--only", default="", help="rows with this text in their name, no page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        chosen = pathlib.Path(arguments.folder or scratch).resolve()
        chosen.mkdir(exist_ok=True)
        main(chosen, arguments.only)
