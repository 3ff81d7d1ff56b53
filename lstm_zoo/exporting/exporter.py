"""`export` writes a model in any format."""

import json
import pathlib

import keras
import numpy.typing as npt

from lstm_zoo import checks, files, naming
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.exporting import formats
from lstm_zoo.exporting.portable_layers import with_portable_layers
from lstm_zoo.exporting.precision import in_float32
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.layers.stepping import step_model


@needs_tensorflow
def export(
    model: keras.Model,
    path: str | pathlib.Path,
    format: str | None = None,
    *,
    streaming: bool = False,
    batch_size: int | None = 1,
    calibration: npt.ArrayLike | list | dict | None = None,
    fused: bool | str = "auto",
) -> pathlib.Path:
    """Write a model to a file that runs without LSTM Zoo or Keras.

    If the model has a vocabulary or class names, the file works with word and class numbers. A
    second file, such as "model.onnx.names.json", then holds a JSON object with `tokens`, the word
    of each number (0 is padding, 1 an unknown word), `by` ("word" or "character"), `lowercase`, and
    `class_names` in the order of the outputs.

    Args:
        model: a built functional `keras.Model`, such as those from the builders, or a
            `keras.Sequential`. The file computes the same as `predict`: all outputs, in the same
            order. A SavedModel keeps the model's dtype policy. All other files compute in float32
            with the same weights, without the rounding of half precision.
        path: the file to write, or the folder for "saved_model". Existing content is replaced.
        format: "saved_model" (TensorFlow, TensorFlow Serving), "onnx" (ONNX Runtime, OpenVINO and
            others), "litert" (phones) or "c" (a header without dependencies that holds the weights
            and a step function). None chooses by the suffix of `path`: `.onnx`, `.tflite`, `.h`, or
            no suffix for "saved_model".
        streaming: whether the file takes one step and the states, as `lz.exporting.step_model`
            does; "c" always does.
        batch_size: only for "litert": the fixed batch size that its fused operation needs; None
            allows any batch size and writes loops. The other formats take any batch.
        calibration: only for "litert": sample inputs, such as those of the training set, whose
            ranges are used to quantise the model to int8: sequences `(count, timesteps, features)`
            or tokens `(count, timesteps)`; for several inputs a list of arrays, or a dict by input
            name. Pass whole sequences with `streaming` too. None keeps float32. Inputs and outputs
            keep their dtypes.
        fused: only for "onnx" and "litert": whether a recurrent layer may become one operation.
            "auto" decides by the cell. True includes two ONNX nodes that some runtimes misread:
            peepholes and the GRU with `reset_after=False`. False writes loops only; a LiteRT file
            then runs in `CompiledModel` and needs a model of fixed length.

    Returns:
        `path`.

    Raises:
        ValueError: if the model, the format or an argument does not fit. A model with a stateful
            layer needs `streaming=True`.
        ImportError: if a converter is missing; `pip install "lstm-zoo[export]"` installs it.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_classifier((None, 3), 2, lstm_units=(8,))
        >>> export(model, "model.onnx").name
        'model.onnx'
    """
    path = checks.path("path", path)
    chosen = formats.chosen(path, format)
    options = {"batch_size": batch_size, "calibration": calibration, "fused": fused}
    _check_options(chosen, options)
    by_step = streaming or chosen.steps_only
    if not by_step:
        signature_of(model)  # refuses models that no format supports
    if not chosen.keeps_precision:
        model = in_float32(checks.model("model", model))
    if chosen.replaces_layers:
        model = with_portable_layers(model)
    whole = model
    if by_step:
        model = step_model(whole)
        signature_of(model)
    options = {option: options[option] for option in chosen.options}
    chosen.refuse(model, path, whole, **options)
    chosen.write(model, path, whole, **options)
    _write_names(whole, path.with_name(f"{path.name}.names.json"))
    return path


def _check_options(chosen, options):
    """Refuse a wrong value of `fused`, and options that are for other formats."""
    if options["fused"] not in ("auto", True, False):
        raise ValueError(f'fused must be "auto", True or False, got {options["fused"]!r}')
    given = {
        "batch_size": options["batch_size"] != 1,
        "calibration": options["calibration"] is not None,
        "fused": options["fused"] != "auto",
    }
    chosen.refuse_options([name for name in given if given[name]])


def _write_names(model, path):
    """Write the words and class names of a model next to its file, if it has any."""
    kept, classes = naming.vocabulary(model), naming.class_names(model)
    names: dict = {}
    if kept is not None:
        names = {"tokens": kept.tokens, "by": kept.by, "lowercase": kept.lowercase}
    if classes is not None:
        names["class_names"] = classes
    if not names:
        path.unlink(missing_ok=True)  # the names of an earlier model
        return
    with files.replacing(path) as temporary:
        temporary.write_text(json.dumps(names, ensure_ascii=False, indent=1), encoding="utf-8")
