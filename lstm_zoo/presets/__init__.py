"""Small pretrained models, each with a recipe to train it again and a card with its scores."""

from lstm_zoo.presets.card import preset_card
from lstm_zoo.presets.load import load_preset
from lstm_zoo.presets.tasks import task_of
from lstm_zoo.presets.train import evaluate_preset, train_preset
from lstm_zoo.recipes import Recipe, list_presets, read_recipe
from lstm_zoo.spelling import suggest as _suggest

__all__ = [
    "Recipe",
    "evaluate_preset",
    "list_presets",
    "load_preset",
    "preset_card",
    "read_recipe",
    "task_of",
    "train_preset",
]

_suggest(__name__)
