"""The picture that ends the demonstration: what an LSTM remembers and a simple RNN does not."""

import matplotlib.pyplot as plt
import numpy as np

from lstm_zoo.plots.style import CYCLE, LINES, NOTE, colour_of, styled

UNITS = 3  # of the cell state, those that change most at the two numbers and keep the change


@styled
def memory(x, trace, truth, sums):
    """One sequence, the cell state that keeps two of its numbers, and the sums of all sequences.

    Args:
        x: `(timesteps, 2)`, the values and which two of them are marked.
        trace: of the LSTM on this sequence.
        truth: the right sums of the test sequences.
        sums: those of each model, by its name; the LSTM's last.
    """
    figure = plt.figure(figsize=(10, 5.4), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.35, 1))
    top, bottom = (figure.add_subplot(grid[row, 0]) for row in (0, 1))
    right = figure.add_subplot(grid[:, 1])
    marked = np.flatnonzero(x[:, 1])
    _sequence(top, x[:, 0], marked)
    _states(bottom, trace.cell_state[0], marked)
    _sums(right, truth, sums)
    figure.suptitle("Two numbers to remember among 100: an LSTM adds them, a simple RNN guesses")
    return top


def _sequence(ax, values, marked):
    steps = np.arange(len(values))
    others = np.setdiff1d(steps, marked)
    ax.vlines(others, 0, values[others], color="#c8c8c8")
    ax.vlines(marked, 0, values[marked], color=CYCLE[1], linewidth=3)
    for step in marked:
        ax.annotate(
            f"{values[step]:.2f}",
            (step, values[step]),
            ha="center",
            va="bottom",
            color=CYCLE[1],
            weight="bold",
        )
    ax.set(ylabel="input", ylim=(0, 1.25), xlim=(-1, len(values)), yticks=(0, 1))
    first, second = values[marked]
    numbers = f"{first:.2f} + {second:.2f} = {first + second:.2f}"
    ax.set_title(f"add the marked numbers: {numbers}", loc="left")


def _states(ax, states, marked):
    late = [part[len(part) // 2 :] for part in np.split(states, marked)]  # before, between, after
    means = np.array([part.mean(axis=0) for part in late])
    noise = np.max([part.std(axis=0) for part in late], axis=0) + 1e-3
    kept = np.abs(np.diff(means, axis=0)).min(axis=0) / noise
    for k, unit in enumerate(np.argsort(kept)[-UNITS:]):
        change = states[:, unit] - means[0, unit]
        ax.plot(change, color=colour_of("cell_state"), linestyle=LINES[k % len(LINES)])
    for step in marked:
        ax.axvline(step, color=CYCLE[1], linestyle=":")
    ax.set(xlabel="timestep", ylabel="change of cell state", xlim=(-1, len(states)))
    ax.set_title(f"{UNITS} units of the LSTM that keep them", loc="left")


def _sums(ax, truth, sums):
    ends = [truth.min(), truth.max()]
    ax.plot(ends, ends, color=NOTE, linewidth=1, zorder=0)
    for (name, said), colour, marker in zip(sums.items(), (CYCLE[4], CYCLE[0]), "so"):
        error = np.mean((said - truth) ** 2)
        label = f"{name}, error {error:.2g}"
        ax.plot(truth, said, marker, color=colour, markersize=3, alpha=0.6, label=label)
    ax.set(xlabel="true sum", ylabel="model's sum")
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_title("1000 test sequences", loc="left")
    ax.legend(loc="upper left", markerscale=2)
