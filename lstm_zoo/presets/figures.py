"""Figures of presets that `lstm_zoo.plots` does not have."""

from lstm_zoo.plots.style import CYCLE, axes_for, styled


@styled
def estimates(truth, estimate, target, ax=None):
    """Draw estimates against the truth, one point per sample, and the line of exact estimates."""
    ax = axes_for(ax, height=4)
    ends = [min(truth.min(), estimate.min()), max(truth.max(), estimate.max())]
    ax.plot(ends, ends, color=CYCLE[0], label="right")
    ax.plot(truth, estimate, "o", color=CYCLE[1], markersize=4, alpha=0.6, label="test sample")
    ax.set(xlabel=f"{target}, true", ylabel=f"{target}, estimated")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend()
    return ax


@styled
def suspicion(score, marked, ax=None):
    """Draw the anomaly score of each step of the test part, and the marked steps."""
    ax = axes_for(ax, height=3)
    ax.plot(score, color=CYCLE[0], linewidth=0.8, label="squared error")
    ax.axvspan(marked[0] - 100, marked[-1] + 100, color=CYCLE[1], alpha=0.35, linewidth=0)
    ax.set(xlabel="timestep of the test part", ylabel="anomaly score")
    ax.set_title("band: the anomaly, 100 steps to each side")
    return ax
