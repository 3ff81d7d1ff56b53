"""The equations: one class per cell, written to be read next to the paper it cites."""

from lstm_zoo.cells.activations import keras2_hard_sigmoid
from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.fewer_gates import (
    CoupledLSTMCell,
    NoForgetGateLSTMCell,
    NoInputGateLSTMCell,
    NoOutputGateLSTMCell,
)
from lstm_zoo.cells.greff import (
    FullGateRecurrenceLSTMCell,
    NoInputActivationLSTMCell,
    NoOutputActivationLSTMCell,
)
from lstm_zoo.cells.gru import GRUCell
from lstm_zoo.cells.in_numpy import lstm_in_numpy
from lstm_zoo.cells.initializers import Chrono, EachGate
from lstm_zoo.cells.lstm import LSTMCell
from lstm_zoo.cells.minimal import MinGRUCell, MinLSTMCell
from lstm_zoo.cells.multiplicative import MultiplicativeLSTMCell
from lstm_zoo.cells.normalised import LayerNormLSTMCell
from lstm_zoo.cells.peephole import PeepholeLSTMCell
from lstm_zoo.cells.projected import ProjectedLSTMCell
from lstm_zoo.cells.registry import derivatives, get, names, register, register_cell
from lstm_zoo.cells.registry import table as list
from lstm_zoo.cells.simple_rnn import SimpleRNNCell
from lstm_zoo.cells.time_aware import GRUDCell, TimeGapLSTMCell, observations
from lstm_zoo.cells.xlstm import MLSTMCell, SLSTMCell
from lstm_zoo.cells.zoneout import CandidateDropoutLSTMCell, ZoneoutCell
from lstm_zoo.spelling import suggest as _suggest

__all__ = [
    "CandidateDropoutLSTMCell",
    "Cell",
    "Chrono",
    "CoupledLSTMCell",
    "EachGate",
    "FullGateRecurrenceLSTMCell",
    "GRUCell",
    "GRUDCell",
    "LSTMCell",
    "LayerNormLSTMCell",
    "MLSTMCell",
    "MinGRUCell",
    "MinLSTMCell",
    "MultiplicativeLSTMCell",
    "NoForgetGateLSTMCell",
    "NoInputActivationLSTMCell",
    "NoInputGateLSTMCell",
    "NoOutputActivationLSTMCell",
    "NoOutputGateLSTMCell",
    "PeepholeLSTMCell",
    "ProjectedLSTMCell",
    "SLSTMCell",
    "SimpleRNNCell",
    "TimeGapLSTMCell",
    "ZoneoutCell",
    "derivatives",
    "get",
    "keras2_hard_sigmoid",
    "list",
    "lstm_in_numpy",
    "names",
    "observations",
    "register",
    "register_cell",
]

_suggest(__name__)
