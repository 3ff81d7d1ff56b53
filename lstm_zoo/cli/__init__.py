"""The command lstm-zoo."""

from lstm_zoo.cli.app import app

__all__ = ["app"]
