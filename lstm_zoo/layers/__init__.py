"""Keras layers that run a cell over time: drop-ins for Keras's LSTM, GRU, SimpleRNN, and others."""

from lstm_zoo.layers.base import RNN
from lstm_zoo.layers.crf import CRF
from lstm_zoo.layers.gru import GRU
from lstm_zoo.layers.lstm import LSTM
from lstm_zoo.layers.naming import NamedDense, WordEmbedding
from lstm_zoo.layers.pooling import AttentionOverTime, MaxOverTime, MeanOverTime
from lstm_zoo.layers.scaling import BatchNormalization, RunningNormalization
from lstm_zoo.layers.series import ScaledBack, SeasonalLinear, TargetScale, WindowScale
from lstm_zoo.layers.simple_rnn import SimpleRNN
from lstm_zoo.layers.variants import CoupledLSTM, PeepholeLSTM, layer_for
from lstm_zoo.layers.xlstm import MLSTMBlock, SLSTMBlock
from lstm_zoo.spelling import suggest as _suggest

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "AttentionOverTime",
    "BatchNormalization",
    "CoupledLSTM",
    "MLSTMBlock",
    "MaxOverTime",
    "MeanOverTime",
    "NamedDense",
    "PeepholeLSTM",
    "RunningNormalization",
    "SLSTMBlock",
    "ScaledBack",
    "SeasonalLinear",
    "SimpleRNN",
    "TargetScale",
    "WindowScale",
    "WordEmbedding",
    "layer_for",
]

_suggest(__name__)
