"""LSTM cells, layers, model builders and small pretrained models for Keras 3."""

import importlib

# All that can stand in a saved file is known to Keras from here on.
from lstm_zoo.builders import (
    anomaly_scores,
    backtest,
    build_autoencoder,
    build_classifier,
    build_forecaster,
    build_language_model,
    build_lstm_fcn,
    build_regressor,
    build_seq2seq,
    build_tagger,
    sample,
    stream,
    translate,
)
from lstm_zoo.cells import CoupledLSTMCell, LSTMCell, PeepholeLSTMCell, lstm_in_numpy
from lstm_zoo.cells import register as register_cell
from lstm_zoo.layers import LSTM, RNN, CoupledLSTM, PeepholeLSTM
from lstm_zoo.recurrence import explain

__version__ = "0.1.0"

# Loaded at first use, so that `import lstm_zoo` stays as quick as `import keras`.
_LATER = {
    "course": [],
    "datasets": [],
    "exporting": ["export"],
    "labels": ["encode_labels"],
    "inspection": [
        "gate_summary",
        "gradient_flow",
        "GradientMonitor",
        "jacobian_norms",
        "saliency",
        "trace",
    ],
    "monitor": [],
    "plots": [],
    "sequences": ["batches_by_length", "pad", "panel", "windows"],
    "tasks": [],
    "training": ["fit", "save"],
    "weights": [],
    "widgets": [],
}
_HOME = {name: room for room, names in _LATER.items() for name in names}

__all__ = [
    "CoupledLSTM",
    "CoupledLSTMCell",
    "LSTM",
    "LSTMCell",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "RNN",
    "anomaly_scores",
    "backtest",
    "build_autoencoder",
    "build_classifier",
    "build_forecaster",
    "build_language_model",
    "build_lstm_fcn",
    "build_regressor",
    "build_seq2seq",
    "build_tagger",
    "builders",
    "cells",
    "explain",
    "layers",
    "lstm_in_numpy",
    "recurrence",
    "sample",
    "stream",
    "translate",
    "register_cell",
    *_HOME,
    *_LATER,
]


def __getattr__(name):
    if name in _LATER:
        return importlib.import_module(f"lstm_zoo.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"lstm_zoo.{_HOME[name]}"), name)
    raise AttributeError(f"module 'lstm_zoo' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
