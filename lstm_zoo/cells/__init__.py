"""The equations: one class per cell, readable beside the paper it cites."""

from lstm_zoo.cells.base import Cell
from lstm_zoo.cells.greff import CoupledLSTMCell
from lstm_zoo.cells.in_numpy import lstm_in_numpy
from lstm_zoo.cells.lstm import LSTMCell
from lstm_zoo.cells.peephole import PeepholeLSTMCell
from lstm_zoo.cells.registry import derivatives, get, names, register

__all__ = [
    "Cell",
    "CoupledLSTMCell",
    "LSTMCell",
    "PeepholeLSTMCell",
    "derivatives",
    "get",
    "lstm_in_numpy",
    "names",
    "register",
]
