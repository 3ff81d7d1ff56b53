"""`export`, the one door to all formats."""

import json
import pathlib

import keras
import numpy.typing as npt

from lstm_zoo import checks, files, naming
from lstm_zoo.backend import needs_tensorflow
from lstm_zoo.exporting import formats
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
) -> pathlib.Path:
    """Write a model to a file that needs neither LSTM Zoo nor Keras to run.

    The file of a model that was built with a vocabulary starts from the numbers of words. They and
    the names of classes stand in a second file, such as "model.onnx.names.json": an object of
    `tokens`, the word of each number (0 is padding, 1 an unknown word), `by` ("word" or
    "character"), `lowercase`, and `class_names`, those of the outputs in their order.

    Args:
        model: a built `keras.Model` made of `keras.Input`, as the builders make it, or a
            `keras.Sequential`. The file gives what its `predict` gives: all outputs, in its order.
            A SavedModel keeps the model's dtype policy. All other files compute in float32 with
            the same weights, without the rounding of half precision.
        path: the file; for "saved_model", the folder. What it held before is replaced.
        format: "saved_model" (TensorFlow, TensorFlow Serving), "onnx" (ONNX Runtime and others;
            the plain, peephole and coupled LSTM are one LSTM node each), "litert" (phones; the
            plain LSTM is one fused operation), "c" (a header without dependencies that holds the
            weights and a step); None goes by the ending of `path`: `.onnx`, `.tflite`, `.h`, none.
        streaming: whether the file takes one step and the states, as `lz.exporting.step_model`;
            "c" always does.
        batch_size: for "litert" only, whose fused operation wants it in the file; None leaves it
            open and writes loops. The other formats take any batch.
        calibration: for "litert" only: inputs such as those of the training set, by whose ranges
            all is turned into int8: sequences `(count, timesteps, features)`, tokens `(count,
            timesteps)`, and for several inputs a list of arrays or a dict by the inputs' names.
            With `streaming` whole sequences too. None keeps float32. Inputs and outputs keep their
            dtypes.

    Returns:
        `path`.

    Raises:
        ValueError: if the model, the format or an argument does not fit. A model with a stateful
            layer is refused without `streaming`.
        ImportError: if the converter is missing: `pip install "lstm-zoo[export]"` brings them.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_classifier((None, 3), 2, lstm_units=(8,))
        >>> export(model, "model.onnx").name
        'model.onnx'
    """
    path = checks.path("path", path)
    chosen = formats.chosen(path, format)
    given = {"batch_size": batch_size != 1, "calibration": calibration is not None}
    chosen.refuse_options([option for option in given if given[option]])
    by_step = streaming or chosen.steps_only
    if not by_step:
        signature_of(model)  # refuses what no format can hold
    if not chosen.keeps_precision:
        model = in_float32(checks.model("model", model))
    whole = model
    if by_step:
        model = step_model(whole)
        signature_of(model)
    options = {"batch_size": batch_size, "calibration": calibration}
    options = {option: options[option] for option in chosen.options}
    chosen.refuse(model, path, whole, **options)
    chosen.write(model, path, whole, **options)
    _write_names(whole, path.with_name(f"{path.name}.names.json"))
    return path


def _write_names(model, path):
    """Write the words and class names of a model beside its file, if it has any."""
    kept, classes = naming.vocabulary(model), naming.class_names(model)
    names: dict = {}
    if kept is not None:
        names = {"tokens": kept.tokens, "by": kept.by, "lowercase": kept.lowercase}
    if classes is not None:
        names["class_names"] = classes
    if not names:
        path.unlink(missing_ok=True)  # of what the file held before
        return
    with files.replacing(path) as temporary:
        temporary.write_text(json.dumps(names, ensure_ascii=False, indent=1), encoding="utf-8")
