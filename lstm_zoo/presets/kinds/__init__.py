"""What a task does with a recipe: prepare the data, build the model, score it, and its baselines.

A model takes raw data and gives answers in the units of the data: what prepares and what scales
back are layers in it.
"""

from lstm_zoo import checks
from lstm_zoo.presets.kinds.base import Kind
from lstm_zoo.presets.kinds.classification import Classification, Words
from lstm_zoo.presets.kinds.regression import Adding, Regression
from lstm_zoo.presets.kinds.series import Anomaly, DailyForecasting, Forecasting, HybridForecasting
from lstm_zoo.presets.kinds.text import Dates, LanguageModel
from lstm_zoo.presets.recipe import Recipe

KINDS: dict[str, type[Kind]] = {
    "classification": Classification,
    "classification of words": Words,
    "regression": Regression,
    "adding over long lags": Adding,
    "forecasting": Forecasting,
    "forecasting a day": DailyForecasting,
    "forecasting a day by a hybrid": HybridForecasting,
    "anomaly detection": Anomaly,
    "language model": LanguageModel,
    "translation": Dates,
}


def kind_of(recipe: Recipe) -> Kind:
    """The recipe's task with its data at hand.

    Raises:
        ValueError: it is no recipe, or there is no such task.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, got {recipe!r:.80}")
    checks.one_of("task", recipe.task, KINDS)
    return KINDS[recipe.task](recipe)
