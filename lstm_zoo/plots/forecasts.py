"""Pictures of forecasts: one of a series to come, and those of a backtest beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from lstm_zoo import checks
from lstm_zoo.plots.style import CYCLE, axes_for, dates_below, legend_below, numbers, styled


@styled
def plot_forecast(
    history: npt.ArrayLike | Any,
    truth: npt.ArrayLike | None = None,
    prediction: npt.ArrayLike | None = None,
    quantiles: Sequence[float] | None = None,
    ylabel: str = "value",
    ax: Axes | None = None,
    *,
    series: Any = None,
    target: str | None = None,
    last: int | None = None,
) -> Axes:
    """Draw a forecast behind the series it continues, with a band for each pair of quantiles.

    Args:
        history: `(timesteps,)`, the series up to now; or what `lz.forecast` returns, which has its
            own prediction, quantiles, name and dates.
        truth: `(horizon,)`, what came, or None.
        prediction: `(horizon,)`, or `(horizon, len(quantiles))` with quantiles.
        quantiles: rising fractions such as `(0.1, 0.5, 0.9)`; the first and the last bound the
            widest band, and so on inwards; one in the middle is drawn as a line.
        ylabel: what the series is and its unit, such as "load (kW)".
        ax: a matplotlib Axes to draw on; a new figure if None.
        series, target: which of those of `lz.forecast`; the first if None.
        last: steps before the forecast to draw; None takes all of an array, and of what
            `lz.forecast` returns three horizons or two seasons, whichever is more.

    Returns:
        The Axes. Step 0 is now, the last step of the history; or times are those of the data.

    Raises:
        ValueError: if lengths do not match, or there is not a column of the prediction for each
            quantile.

    Example:
        >>> ax = plot_forecast([1, 2, 3], [4, 5], [[3, 4, 6], [3, 5, 8]], quantiles=(0.1, 0.5, 0.9))
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['truth', 'median forecast', '10 to 90 %']
    """
    times = None
    if hasattr(history, "drawn"):
        times, history, prediction, quantiles, name = history.drawn(series, target, last)
        ylabel = name if ylabel == "value" else ylabel
    elif last is not None:
        history = numbers("history", history, 1)[-checks.count("last", last) :]
    history = numbers("history", history, 1)
    columns = numbers("prediction", prediction, 1 if quantiles is None else 2)
    columns = columns.reshape(len(columns), -1)
    quantiles = _rising(quantiles, columns.shape[1])
    counted = "step"
    if times is None:
        times, counted = np.arange(1 - len(history), len(columns) + 1), "steps from now"
    so_far, ahead = times[: len(history)], times[len(history) :]
    ax = axes_for(ax, height=3.6)
    ax.plot(so_far, history, color=CYCLE[0], label="truth")
    if truth is not None:
        truth = numbers("truth", truth, 1)
        if len(truth) != len(columns):
            raise ValueError(
                f"truth must be as long as prediction, {len(columns)} steps, got {len(truth)}"
            )
        ax.plot([so_far[-1], *ahead], [history[-1], *truth], color=CYCLE[0])
    _draw(ax, ahead, columns, quantiles)
    ax.axvline(so_far[-1], color="#999999", linewidth=0.8, linestyle=":")
    ax.set_ylabel(ylabel)
    _times_below(ax, times, counted)
    legend_below(ax, ncols=2)
    return ax


@styled
def plot_backtest(
    backtest: Any,
    name: str | None = None,
    ax: Axes | None = None,
    *,
    series: Any = None,
    target: str | None = None,
) -> Axes:
    """Draw the forecasts of one model from each origin of a backtest, over what came.

    Args:
        backtest: what `lz.backtest` returns.
        name: which of its forecasts; None takes the one with the lowest mean absolute error.
        ax: a matplotlib Axes to draw on; a new figure if None.
        series, target: which of those of the data; the first if None.

    Returns:
        The Axes: the truth, each forecast as a dashed line that starts at a point, and a band for
        each pair of quantiles where the model has them. The title has the mean absolute error of
        this forecast and of the best other one, over all series and targets.

    Raises:
        ValueError: no backtest, or an unknown name, series or target.

    Example:
        >>> import lstm_zoo as lz
        >>> found = lz.backtest(np.arange(60.0), 2, start=20, baselines=["naive"])
        >>> plot_backtest(found, "naive").get_title()
        'naive: mean absolute error 1.5'
    """
    if not hasattr(backtest, "drawn"):
        raise ValueError(
            f"backtest must be what lz.backtest returns, got {type(backtest).__name__}"
        )
    errors = {one: error["mae"] for one, error in backtest.errors().items()}
    best = sorted(errors, key=lambda one: errors[one])
    name = best[0] if name is None else checks.one_of("name", name, errors)
    times, truths, forecasts, quantiles, ylabel = backtest.drawn(name, series, target)
    ax = axes_for(ax, height=3.6)
    for k, (when, truth, columns) in enumerate(zip(times, truths, forecasts)):
        ax.plot(when, truth, color=CYCLE[0], label=None if k else "truth")
        _draw(ax, when, columns, quantiles, named=not k)
        ax.plot(when[:1], columns[:1, len(quantiles) // 2], ".", color=CYCLE[1])
    named = [name, *[one for one in best if one != name][:1]]
    sizes = [f"{float(f'{errors[one]:.3g}'):g}" for one in named]  # 1200, not 1.2e+03
    other = f"; {named[1]} {sizes[1]}" if len(named) > 1 else ""
    ax.set_title(f"{name}: mean absolute error {sizes[0]}{other}")
    ax.set_ylabel(ylabel)
    _times_below(ax, times[0], "step")
    legend_below(ax, ncols=2)
    return ax


def _draw(ax, ahead, columns, quantiles, named=True):
    """A line for the middle one of quantiles, and a band for each pair of them."""
    pairs = len(quantiles) // 2
    if len(quantiles) % 2:
        q = quantiles[pairs]
        kind = "" if len(quantiles) == 1 else "median " if q == 0.5 else f"{100 * q:.3g} % "
        label = f"{kind}forecast" if named else None
        ax.plot(ahead, columns[:, pairs], "--", color=CYCLE[1], linewidth=2.2, label=label)
    for k in range(pairs):
        strength = 0.35 + 0.65 * k / pairs  # inner bands are darker
        label = f"{100 * quantiles[k]:.3g} to {100 * quantiles[-1 - k]:.3g} %"
        ax.fill_between(
            ahead,
            columns[:, k],
            columns[:, -1 - k],
            color=1 - strength * (1 - np.array(to_rgb(CYCLE[4]))),
            linewidth=0,
            label=label if named else None,
            zorder=1,
        )


def _times_below(ax, times, counted):
    """Dates under the x axis, or numbers of steps."""
    if np.asarray(times).dtype.kind in "MO":
        dates_below(ax)
        return
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    ax.set_xlabel(counted)


def _rising(quantiles, columns):
    if quantiles is None:
        return (0.5,)
    quantiles = checks.rising_fractions("quantiles", quantiles)
    if len(quantiles) != columns:
        raise ValueError(
            f"prediction must have a column for each of {len(quantiles)} quantiles, got {columns}"
        )
    return quantiles
