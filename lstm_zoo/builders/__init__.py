"""Functions that build whole models: recurrent layers read a sequence, Dense layers answer."""

from lstm_zoo.builders.autoencoder import anomaly_scores, build_autoencoder
from lstm_zoo.builders.classifier import build_classifier
from lstm_zoo.builders.forecaster import build_forecaster
from lstm_zoo.builders.language_model import build_language_model, sample
from lstm_zoo.builders.losses import ObservedLoss, ObservedMean, QuantileLoss
from lstm_zoo.builders.lstm_fcn import build_lstm_fcn
from lstm_zoo.builders.regressor import build_regressor
from lstm_zoo.builders.seq2seq import build_seq2seq, teacher_forcing, translate
from lstm_zoo.builders.tagger import build_tagger
from lstm_zoo.serving import Stream, stream
from lstm_zoo.spelling import suggest as _suggest

__all__ = [
    "ObservedLoss",
    "ObservedMean",
    "QuantileLoss",
    "Stream",
    "anomaly_scores",
    "build_autoencoder",
    "build_classifier",
    "build_forecaster",
    "build_language_model",
    "build_lstm_fcn",
    "build_regressor",
    "build_seq2seq",
    "build_tagger",
    "sample",
    "stream",
    "teacher_forcing",
    "translate",
]

_suggest(__name__)
