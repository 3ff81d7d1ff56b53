"""Loading: a preset's model from its own file, which is checked before it is read."""

import hashlib
import json

import keras

from lstm_zoo.presets.tasks import task_of
from lstm_zoo.recipes import HOME, read_recipe


def load_preset(name: str) -> keras.Model:
    """A trained model, ready for raw data: what prepares its input is inside.

    Args:
        name: one of `list_presets()`.

    Returns:
        A compiled `keras.Model`. What it takes and gives stands in `preset_card(name)`.

    Raises:
        ValueError: there is no such preset, or its file is not the one that was published.
        FileNotFoundError: the file is missing.

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
            "`pip install --force-reinstall lstm-zoo` brings it back"
        )
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    task_of(recipe).compile(model)
    return model
