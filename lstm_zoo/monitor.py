"""Where `GradientMonitor` was in 0.1.0."""

from lstm_zoo.inspection.monitor import GradientMonitor

__all__ = ["GradientMonitor"]
