"""A picture of what a preset does on the test part of its data."""

import textwrap

from lstm_zoo import plots
from lstm_zoo.plots.style import CYCLE, axes_for, styled
from lstm_zoo.presets.kinds import Anomaly, Classification, Forecasting, Regression


def drawable(kind):
    """Whether there is a picture of what this kind of preset does."""
    return isinstance(kind, Anomaly | Classification | Forecasting | Regression)


def draw(kind, model, ax=None):
    """The matplotlib Axes with a confusion matrix, a forecast, or estimates against the truth."""
    if isinstance(kind, Classification):
        data = kind.data
        predicted = model.predict(data.x_test, verbose=0)
        return plots.plot_confusion(data.y_test, predicted, data.class_names, ax=ax)
    if isinstance(kind, Forecasting):
        x, truth = kind.test
        day = len(x) // 2
        forecast = model.predict(x[day : day + 1], verbose=0)[0]
        shown = x[day, -2 * kind.horizon :, 0]
        label = textwrap.fill(kind.data.target, 26)
        return plots.plot_forecast(
            shown, truth[day], forecast, quantiles=kind.quantiles, ylabel=label, ax=ax
        )
    if isinstance(kind, Regression):
        x, y = kind.data.x_test, kind.data.y_test
        return estimates(y[:, 0], model.predict(x, verbose=0)[:, 0], kind.target, ax)
    if isinstance(kind, Anomaly):
        return suspicion(kind, model, ax)
    raise TypeError(f"no picture for {type(kind).__name__}")


@styled
def estimates(truth, estimate, target, ax=None):
    """Estimates against the truth, a point a sample, and the line of those that are right."""
    ax = axes_for(ax, height=4)
    ends = [min(truth.min(), estimate.min()), max(truth.max(), estimate.max())]
    ax.plot(ends, ends, color=CYCLE[0], label="right")
    ax.plot(truth, estimate, "o", color=CYCLE[1], markersize=4, alpha=0.6, label="test sample")
    ax.set(xlabel=f"{target}, true", ylabel=f"{target}, estimated")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend()
    return ax


@styled
def suspicion(kind, model, ax=None):
    """The anomaly score of each step of the test part, and where the anomaly is."""
    ax = axes_for(ax, height=3)
    score = kind.steps(model, kind.data.x_test)
    ax.plot(score, color=CYCLE[0], linewidth=0.8, label="squared error")
    ax.axvspan(kind.marked[0] - 100, kind.marked[-1] + 100, color=CYCLE[1], alpha=0.35, linewidth=0)
    ax.set(xlabel="timestep of the test part", ylabel="anomaly score")
    ax.set_title("band: the anomaly, 100 steps to each side")
    return ax
