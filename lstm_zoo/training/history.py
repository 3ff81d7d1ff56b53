"""The `History` that `fit` returns: a Keras `History` that a notebook shows as a table."""

from __future__ import annotations

import keras
import numpy as np

from lstm_zoo import display


class History(keras.callbacks.History):
    """The curves of a training. `history` maps each name to a list with one value per epoch.

    Example:
        >>> history = History()
        >>> history.history = {"loss": [1.0, 0.5], "seconds": [0.2, 0.1]}
        >>> history
        History(2 epochs, 0.3 s: loss 1 to 0.5)
    """

    def __repr__(self) -> str:
        curves = (
            f"{name} {display.number(values[0])} to {display.number(values[-1])}"
            for name, values in self._curves().items()
            if not name.endswith("grad_norm")
        )
        return f"History({self._length()}: {', '.join(curves) or 'no curves'})"

    def _repr_html_(self) -> str:
        rows = [
            (
                display.words(name),
                *map(display.number, (values[0], values[-1], *display.span(values))),
                display.curve(values, f"{display.words(name)} over the epochs"),
            )
            for name, values in self._curves().items()
        ]
        head = ("", "first epoch", "last epoch", "lowest", "highest", "epoch by epoch")
        return display.table(f"History of {self._length()}", head, rows)

    def _curves(self):
        """The curves with one number per epoch."""
        curves = {name: v for name, v in self.history.items() if v and np.ndim(v[0]) == 0}
        return {name: v for name, v in curves.items() if name != "seconds"}

    def _length(self):
        epochs = max(map(len, self.history.values()), default=0)
        seconds = sum(self.history.get("seconds", ()))
        return f"{epochs} epoch{'s' * (epochs != 1)}, {seconds:.3g} s"
