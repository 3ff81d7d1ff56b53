"""A trained model as a plain function: arrays in, arrays out, without TensorFlow between."""

from lstm_zoo.serving.predictor import Predictor, load_predictor, predictor
from lstm_zoo.serving.stream import Stream, stream
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Predictor", "Stream", "load_predictor", "predictor", "stream"]

_suggest(__name__)
