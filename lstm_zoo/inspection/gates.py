"""Statistics of a layer's gates over a data set: open, closed, saturated, dead, half-life."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_zoo import display
from lstm_zoo.inspection.traces import Trace


@dataclass(frozen=True, repr=False)
class GateSummary:
    """Statistics of a layer's gates over a data set, from `gate_summary`.

    Args:
        below: a dict from gate to `(units,)`, the fraction of steps with the gate below 0.1.
        above: a dict from gate to `(units,)`, the fraction of steps with the gate above 0.9.
        saturated: a dict from gate to `(units,)` of booleans: the gate is below 0.1 or above 0.9 at
            95 % of the steps or more. Such a gate is a constant switch, and its weights hardly
            learn.
        dead: `(units,)` of booleans: the hidden state always stays between -0.01 and 0.01, so the
            unit passes nothing to the next layer.
        half_life: `(units,)`, the steps in which the forget gate halves the content of the cell
            state. After n steps the product of n gate values is left, so the half-life is
            ln 0.5 / mean ln f. It is 0 if the gate closes completely once. For a GRU it uses the
            update gate, which keeps the hidden state. None for cells without either gate.
    """

    below: dict[str, np.ndarray]
    above: dict[str, np.ndarray]
    saturated: dict[str, np.ndarray]
    dead: np.ndarray
    half_life: np.ndarray | None

    def __repr__(self) -> str:
        constant = (f"{name} {int(units.sum())}" for name, units in self.saturated.items())
        return (
            f"GateSummary({len(self.dead)} units, {int(self.dead.sum())} dead; "
            f"saturated: {', '.join(constant) or 'no gates'})"
        )

    def _repr_html_(self) -> str:
        rows = [
            (
                display.words(name),
                f"{self.below[name].mean():.0%}",
                f"{self.above[name].mean():.0%}",
                int(self.saturated[name].sum()),
            )
            for name in self.saturated
        ]
        head = ("gate", "below 0.1", "above 0.9", "saturated units")
        return display.table(f"{len(self.dead)} units, {int(self.dead.sum())} dead", head, rows)


def gate_summary(trace: Trace) -> GateSummary:
    """Count how often each gate is closed or open, find dead units, and measure half-lives.

    Args:
        trace: a `Trace`, ideally of many sequences.

    Returns:
        A `GateSummary`. Masked steps do not count.

    Raises:
        ValueError: if `trace` is not a `Trace`, or if all its steps are masked.

    Example:
        >>> import keras
        >>> from lstm_zoo.inspection import trace
        >>> seen = trace(keras.layers.LSTM(8), np.ones((4, 20, 3)))
        >>> gate_summary(seen).above["forget_gate"].shape
        (8,)

    Source:
        Karpathy, Johnson & Fei-Fei 2015, https://arxiv.org/abs/1506.02078.
    """
    if not isinstance(trace, Trace):
        hint = "; pass its .forward or .backward" if hasattr(trace, "forward") else ""
        raise ValueError(f"trace must be a Trace, got a {type(trace).__name__}{hint}")
    if trace.mask is not None and not trace.mask.any():
        raise ValueError("trace must have at least one unmasked step, got none")
    counts = slice(None) if trace.mask is None else trace.mask
    steps = {name: v[counts].reshape(-1, v.shape[-1]) for name, v in trace.values.items()}
    gates = {name: value for name, value in steps.items() if name.endswith("_gate")}
    below = {name: np.mean(gate < 0.1, axis=0) for name, gate in gates.items()}
    above = {name: np.mean(gate > 0.9, axis=0) for name, gate in gates.items()}
    keeps = gates.get("forget_gate", gates.get("update_gate"))
    return GateSummary(
        below=below,
        above=above,
        saturated={name: below[name] + above[name] >= 0.95 for name in gates},
        dead=np.abs(steps["hidden_state"]).max(axis=0) <= 0.01,
        half_life=None if keeps is None else _half_life(keeps.astype("float64")),
    )


def _half_life(kept):
    with np.errstate(divide="ignore"):
        rate = np.log(np.abs(kept)).mean(axis=0)
        return np.where(rate < 0, np.log(0.5) / rate, np.inf)
