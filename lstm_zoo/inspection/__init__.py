"""The numbers inside a recurrent model: gates, states, gradients through time, saliency.

All functions take any trained `keras.Model`, with layers of LSTM Zoo or of Keras, and do not change
it. `lstm_zoo.plots` draws these numbers.
"""

from lstm_zoo.inspection.attribution import saliency
from lstm_zoo.inspection.checkup import Checkup, checkup
from lstm_zoo.inspection.checkup_subject import Finding
from lstm_zoo.inspection.gates import GateSummary, gate_summary
from lstm_zoo.inspection.gradients import GradientFlow, gradient_flow
from lstm_zoo.inspection.jacobians import JacobianNorms, jacobian_norms
from lstm_zoo.inspection.monitor import GradientMonitor
from lstm_zoo.inspection.traces import BidirectionalTrace, Trace, trace
from lstm_zoo.spelling import suggest as _suggest

__all__ = [
    "BidirectionalTrace",
    "Checkup",
    "Finding",
    "GateSummary",
    "GradientFlow",
    "GradientMonitor",
    "JacobianNorms",
    "Trace",
    "checkup",
    "gate_summary",
    "gradient_flow",
    "jacobian_norms",
    "saliency",
    "trace",
]

_suggest(__name__)
