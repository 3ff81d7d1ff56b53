"""Loads the model of a preset from its file, after checking the file."""

import hashlib
import json

import keras

from lstm_zoo.presets.tasks import task_of
from lstm_zoo.recipes import HOME, read_recipe


def load_preset(name: str) -> keras.Model:
    """Load a trained model that takes raw data; it contains the preparation of its input.

    Args:
        name: one of `list_presets()`.

    Returns:
        A compiled `keras.Model`. `preset_card(name)` describes its input and output.

    Raises:
        ValueError: if the preset does not exist, or if its file is not the published one.
        FileNotFoundError: if the file is missing.

    >>> model = load_preset("mnist1d")
    >>> model.input_shape, model.output_shape
    ((None, 40, 1), (None, 10))
    """
    recipe = read_recipe(name)
    path = HOME / name / "model.keras"
    if not path.is_file():
        raise FileNotFoundError(f"the file of the preset {name!r} is missing: {path}")
    wanted = json.loads((HOME / name / "metrics.json").read_text())["sha256"]
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wanted:
        raise ValueError(
            f"{path} is damaged or was changed: its SHA-256 is {found}, expected {wanted}; "
            "`pip install --force-reinstall lstm-zoo` restores it"
        )
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    task_of(recipe).compile(model)
    return model
