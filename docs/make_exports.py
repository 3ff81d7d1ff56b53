"""Writes the table in docs/export.md: each model below in each format, in the format's runtime.

A file passes where it has as many outputs as the model, in its order, and where each differs from
`model.predict` by 1e-5 at most. It takes about ten minutes on 2 cores and needs a C compiler.

    python docs/make_exports.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pathlib
import re
import runpy
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.exporting import formats
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.layers import layer_for

HERE = pathlib.Path(__file__).parent
PAGE = HERE / "export.md"
START, END = "<!-- table: docs/make_exports.py -->\n", "<!-- end of table -->\n"
TOLERANCE = 1e-5
BATCH, STEPS, OTHER_STEPS, FEATURES, WORDS = 3, 5, 7, 3, 6
SHAPE, SMALL = (None, FEATURES), {"lstm_units": 4}
MASKED = {**SMALL, "mask_value": 0.0}
COLUMNS = {  # what stands above a column: a format, and whether one step at a time
    **{one.title: (one.name, False) for one in formats.listed() if not one.steps_only},
    **{f"{one.title}, a step": (one.name, True) for one in formats.listed() if not one.steps_only},
    **{one.title: (one.name, True) for one in formats.listed() if one.steps_only},
}


def of(layer, masked=False, **options):
    """A functional model of one layer."""
    inputs = keras.Input(SHAPE, name="x", **options)
    return keras.Model(inputs, layer(keras.layers.Masking()(inputs) if masked else inputs))


def lstm_fcn(**options):
    small = {**SMALL, "filters": (4,), "kernel_sizes": (3,)}
    return lz.build_lstm_fcn((STEPS, FEATURES), 3, **small, **options)


def states(cell="lstm", **options):
    return layer_for(cell, 4, return_state=True, return_sequences=True, **options)


def shared():
    one, other = keras.Input(SHAPE, name="one"), keras.Input(SHAPE, name="other")
    layer = lz.LSTM(4)
    return keras.Model([other, one], [layer(one), layer(other)])


def called_twice():
    inputs = keras.Input(SHAPE, name="x")
    layer = lz.LSTM(FEATURES, return_sequences=True)
    return keras.Model(inputs, layer(layer(keras.layers.Masking()(inputs))))


def of_a_dict():
    model = of(states())
    y, h, c = model.outputs
    return keras.Model(model.inputs, {"steps": y, "last": [h, c]})


def given_states():
    x, h, c = (keras.Input(s, name=n) for n, s in (("x", SHAPE), ("h", (4,)), ("c", (4,))))
    return keras.Model([x, h, c], states()(keras.layers.Masking()(x), initial_state=[h, c]))


def nested():
    inside = of(lz.LSTM(4, return_sequences=True), masked=True)
    inputs = keras.Input(SHAPE, name="x")
    return keras.Model(inputs, keras.layers.Dense(2)(lz.LSTM(3)(inside(inputs))))


def sequential(*layers):
    return keras.Sequential([keras.Input(SHAPE, name="x"), *layers])


def both_ways(layer):
    return keras.layers.Bidirectional(layer)


def stacked_cells():
    cells = [lz.LSTMCell(4), keras.layers.GRUCell(3)]
    return keras.layers.RNN(cells, return_state=True, return_sequences=True)


ROWS = {
    "`build_classifier`": lambda: lz.build_classifier(SHAPE, 3, **SMALL),
    "`build_classifier`, masked": lambda: lz.build_classifier(SHAPE, 3, **MASKED),
    "`build_classifier`, bidirectional, masked": lambda: lz.build_classifier(
        SHAPE, 3, bidirectional=True, **MASKED
    ),
    "`build_classifier`, attention pooling, masked": lambda: lz.build_classifier(
        SHAPE, 3, pooling="attention", **MASKED
    ),
    "`build_classifier` of tokens, masked": lambda: lz.build_classifier(
        (None,), 3, vocabulary_size=WORDS, mask_value=0, lstm_units=4
    ),
    "`build_regressor`, masked": lambda: lz.build_regressor(SHAPE, 2, **MASKED),
    "`build_forecaster` of quantiles, masked": lambda: lz.build_forecaster(
        SHAPE, 2, quantiles=(0.1, 0.9), **MASKED
    ),
    "`build_forecaster(..., scale_windows=False)`, masked": lambda: lz.build_forecaster(
        SHAPE, 2, scale_windows=False, **MASKED
    ),
    "`build_forecaster`, bidirectional, masked": lambda: lz.build_forecaster(
        SHAPE, 2, bidirectional=True, **MASKED
    ),
    "`build_tagger`, masked": lambda: lz.build_tagger(SHAPE, 3, **MASKED),
    "`build_tagger`, one direction, masked": lambda: lz.build_tagger(
        SHAPE, 3, bidirectional=False, **MASKED
    ),
    "`build_tagger` with `crf=True`, masked": lambda: lz.build_tagger(SHAPE, 3, crf=True, **MASKED),
    "`build_language_model`": lambda: lz.build_language_model(WORDS, **SMALL),
    "`build_autoencoder`": lambda: lz.build_autoencoder((STEPS, FEATURES), **SMALL),
    "`build_autoencoder`, masked": lambda: lz.build_autoencoder((STEPS, FEATURES), **MASKED),
    "`build_seq2seq`, two lengths": lambda: lz.build_seq2seq(WORDS, WORDS, **SMALL),
    "`build_lstm_fcn`": lstm_fcn,
    "`build_lstm_fcn`, masked": lambda: lstm_fcn(mask_value=0.0, dimension_shuffle=False),
    "`Sequential`": lambda: sequential(lz.LSTM(4), keras.layers.Dense(2)),
    "`Sequential`, bidirectional, masked": lambda: sequential(
        keras.layers.Masking(), both_ways(lz.LSTM(4)), keras.layers.Dense(2)
    ),
    "`Sequential` with `return_state`, masked": lambda: sequential(
        keras.layers.Masking(), states()
    ),
    "`return_state`": lambda: of(states()),
    "`return_state`, masked": lambda: of(states(), masked=True),
    "`return_state`, backwards, masked": lambda: of(states(go_backwards=True), masked=True),
    "`return_state`, bidirectional, masked": lambda: of(both_ways(states()), masked=True),
    "`return_state`, peepholes, masked": lambda: of(states("peephole"), masked=True),
    "`return_state`, GRU, masked": lambda: of(states("gru"), masked=True),
    "`return_state`, sLSTM, masked": lambda: of(states("slstm"), masked=True),
    "`return_state`, stacked cells, masked": lambda: of(stacked_cells(), masked=True),
    "`keras.layers.LSTM`, masked": lambda: of(keras.layers.LSTM(4), masked=True),
    "`initial_state` as inputs, masked": given_states,
    "`learned_initial_state`, masked": lambda: of(
        lz.LSTM(4, learned_initial_state=True), masked=True
    ),
    "`zero_output_for_mask`, masked": lambda: of(
        lz.LSTM(4, zero_output_for_mask=True, return_sequences=True), masked=True
    ),
    "a layer called twice on one sequence, masked": called_twice,
    "a layer shared by two inputs of two lengths": shared,
    "a dict of outputs": of_a_dict,
    "a model in a model, masked": nested,
    "`stateful`": lambda: of(lz.LSTM(4, stateful=True), batch_size=BATCH),
}


def filled(model, seed=0):
    """The model with weights that all matter."""
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(scale=0.7, size=weight.shape))
    return model


def call_of(model, seed=0):
    """Inputs: a row that is masked whole, one with a hole, one padded at its end."""
    rng, call = np.random.default_rng(seed), {}
    for number, one in enumerate(model.inputs):
        steps = OTHER_STEPS if number else STEPS
        if "int" in one.dtype:
            x = rng.integers(1, WORDS, (BATCH, steps)).astype("int32")
        else:
            shape = [size or steps for size in one.shape[1:]]
            x = rng.normal(size=(BATCH, *shape)).astype("float32")
        if len(one.shape) > 2 or "int" in one.dtype:
            x[0], x[1, 1:2], x[2, -2:] = 0, 0, 0
        call[one.name] = x
    return call


def answers_of(model, call):
    """What `predict` gives, as a list in the order of the model."""
    inputs = call if len(call) > 1 else next(iter(call.values()))
    answers = model.predict(inputs, verbose=0)
    if isinstance(answers, dict):
        answers = list(answers.values())
    return keras.tree.flatten(answers)


def opened(format, path, names):
    """A file as a function from inputs by name to a list of outputs in the order of the file."""
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        return lambda call: session.run(None, call)
    if format == "litert":
        from ai_edge_litert.interpreter import Interpreter

        runner = Interpreter(str(path)).get_signature_runner("serving_default")
        return lambda call: [runner(**call)[name] for name in names]
    served = tf.saved_model.load(path).signatures["serving_default"]

    def run(call):
        found = served(**{name: tf.constant(a) for name, a in call.items()})
        assert len(found) == len(names)
        return [found[name].numpy() for name in names]

    return run


def given_by_file(model, format, streamed, call, folder):
    """The outputs of a file, as a list; of one that takes a step, those of all steps."""
    if format == "c":
        in_c = runpy.run_path(str(HERE.parent / "tests/exporting/test_c.py"))["in_c"]
        return [in_c(model, folder, call[model.inputs[0].name])]
    path = folder / f"model{formats.FORMATS[format].ending}"
    options = {"batch_size": BATCH} if "batch_size" in formats.FORMATS[format].options else {}
    lz.export(model, path, format, streaming=streamed, **options)
    if not streamed:
        return opened(format, path, signature_of(model).outputs)(call)
    step = lz.exporting.step_model(model)
    run = opened(format, path, signature_of(step).outputs)
    carried = {one.name: np.zeros((BATCH, *one.shape[1:]), "float32") for one in step.inputs[1:]}
    outputs = []
    for t in range(STEPS):
        output, *after = run({"step": call[model.inputs[0].name][:, t], **carried})
        carried = dict(zip(carried, after, strict=True))
        outputs.append(output)
    return [np.stack(outputs, axis=1)]


def difference(model, format, streamed, folder):
    """The largest from `predict`."""
    call = call_of(model)
    expected = answers_of(model, call)
    got = given_by_file(model, format, streamed, call, folder)
    if streamed:
        [answer] = expected
        each_step = answer.ndim > 2 and model.outputs[0].shape[1] is None
        if format == "c":
            expected = [np.reshape(answer[:, -1] if each_step else answer, (BATCH, -1))]
        elif not each_step:
            got = [got[0][:, -1]]
    assert all(np.isfinite(value).all() for value in expected)
    return max(float(abs(a - b).max()) for a, b in zip(expected, got, strict=True))


def cell_of(row, column):
    """ "yes", or why the export is refused."""
    format, streamed = COLUMNS[column]
    model = filled(ROWS[row]())
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = difference(model, format, streamed, pathlib.Path(folder))
        except ValueError as refusal:
            said = str(refusal)
            if not re.match(r"model must|layer '", said):  # not the package's own words
                raise
            return re.sub(r"'[^']+'( \(\w+\))?", "'…'", said.split(", got")[0].split(". ")[0])
    if found > TOLERANCE:
        raise SystemExit(f"{row} in {column} is {found} off")
    return "yes"


def table_of(cells):
    """The table in Markdown, from the cells by row and column."""
    reasons = list(dict.fromkeys(c for row in cells.values() for c in row if c != "yes"))
    lines = [["model", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    for row, found in cells.items():
        lines.append([row, *(c if c == "yes" else f"no ({reasons.index(c) + 1})" for c in found)])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    why = "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    refused = (
        "`lz.export` refuses the models marked `no` with a `ValueError`; the number is the reason:"
    )
    return f"{text}\n\n{refused}\n\n{why}\n"


def main():
    cells = {}
    for row in ROWS:
        cells[row] = [cell_of(row, column) for column in COLUMNS]
        print(row, *("yes" if cell == "yes" else "no" for cell in cells[row]), flush=True)
        keras.backend.clear_session()
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{START}\n{table_of(cells)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
