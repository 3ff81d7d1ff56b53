"""The command lstm-zoo."""

from lstm_zoo.cli.commands import app

__all__ = ["app"]
