"""Exports to SavedModel, a folder that TensorFlow, TensorFlow Serving and TFX load."""

import re

import keras

from lstm_zoo import files
from lstm_zoo.exporting.formats import Format, register
from lstm_zoo.exporting.signature import signature_of
from lstm_zoo.recurrence.portable import SAVED_MODEL, written_as


@register
class SavedModel(Format):
    """A folder with the model in its own precision."""

    name, ending, title, place = "saved_model", "", "SavedModel", 1
    keeps_precision = True

    def refuse(self, model, path, whole):
        if path.exists() and not (path / "saved_model.pb").is_file():
            raise ValueError(
                "path must not exist yet, or be the folder of a SavedModel to replace, got "
                f"{str(path)!r}"
            )
        refuse_names(model)

    def write(self, model, path, whole):
        """Write a model into the folder `path`, replacing an existing SavedModel."""
        with files.replacing(path, folder=True) as temporary:
            write_for(SAVED_MODEL, model, temporary, signature_of(model))


def refuse_names(model):
    """Raise a `ValueError` for an input name that SavedModel does not support."""
    for one in model.inputs:
        if not re.fullmatch(r"[\w.-]+", one.name):
            raise ValueError(
                "the names of the model's inputs must consist of letters, digits, '_', '.' and "
                f"'-' for TensorFlow, got {one.name!r}; rename it in keras.Input, or export to ONNX"
            )


def write_for(target, model, folder, signature):
    """Write a SavedModel, either as the final file or for a converter to another format."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    with written_as(target):
        archive.add_endpoint("serve", signature.function, input_signature=signature.specs)
        archive.write_out(str(folder), verbose=False)
