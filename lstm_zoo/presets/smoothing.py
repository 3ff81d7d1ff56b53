r"""Exponential smoothing with two seasons and an autoregressive error (Taylor 2003).

The model has a level :math:`l`, a value :math:`d` for each step of the short season, and :math:`w`
for each step of the long season. Each step corrects them by the error :math:`e`, whose influence
decays over the forecast steps:

.. math::
    e_t &= x_t - (l_{t-1} + d_{t-D} + w_{t-W}) \\
    l_t &= l_{t-1} + \alpha e_t \\
    d_t &= d_{t-D} + \delta e_t \\
    w_t &= w_{t-W} + \omega e_t \\
    \hat x_{t+h} &= l_t + d_{t+h} + w_{t+h} + \varphi^h e_t

Unlike in the paper, the whole error corrects the seasons, not only the part that the autoregression
did not predict. The model is linear in the series, so the forecast of a window is a matrix product.

Source:
    Taylor 2003, Short-term electricity demand forecasting using double seasonal exponential
    smoothing, https://doi.org/10.1057/palgrave.jors.2601589.
"""

import numpy as np

STARTS = ((0.02, 0.4, 0.3, 0.5), (0.002, 0.3, 0.3, 0.9), (0.05, 0.1, 0.1, 0.95))


def forecasts(x, parameters, short, long, horizon, every=None):
    """Forecast series after their last step, or repeatedly with `every`.

    Args:
        x: `(timesteps, n)`, n series of more than `long` steps, which initialise level and seasons.
        parameters: alpha, delta, omega and phi, each in [0, 1].
        short, long: steps of the seasons; `long` is a multiple of `short`.
        horizon: steps to forecast.
        every: None, or the steps between two forecasts; the first is after `2 * long` steps.

    Returns:
        `(horizon, n)`; with `every`, `(forecasts, horizon, n)`.
    """
    alpha, delta, omega, phi = parameters
    level = x[:long].mean(axis=0)
    day = x[:long].reshape(-1, short, x.shape[1]).mean(axis=0) - level
    week = x[:long] - level - np.tile(day, (long // short, 1))
    error = np.zeros_like(level)
    ahead = np.arange(horizon)
    fading = phi ** (ahead + 1)[:, None]

    def now(t):
        return level + day[(t + ahead) % short] + week[(t + ahead) % long] + fading * error

    found = []
    for t in range(long, len(x)):
        if every and t >= 2 * long and t % every == 0:
            found.append(now(t))
        i, j = t % short, t % long
        error = x[t] - level - day[i] - week[j]
        level = level + alpha * error
        day[i] += delta * error
        week[j] += omega * error
    return np.array(found) if every else now(len(x))


def fitted(series, short, long, horizon):
    """The parameters with the smallest mean absolute error, for forecasts every short season.

    Args:
        series: `(timesteps,)`, at least three long seasons.
        short, long, horizon: as in `forecasts`.

    Returns:
        alpha, delta, omega, phi.
    """
    from scipy.optimize import minimize

    at = range(2 * long, len(series), short)
    truth = [series[t : t + horizon] for t in at if t + horizon <= len(series)]

    def error(logits):
        found = forecasts(series[:, None], _sigmoid(logits), short, long, horizon, every=short)
        return np.mean(np.abs(found[: len(truth), :, 0] - truth))

    tried = [
        minimize(
            error,
            np.log(start) - np.log1p(-np.array(start)),
            method="Nelder-Mead",
            options={"maxfev": 200, "xatol": 0.01, "fatol": 1e-7},
        )
        for start in STARTS
    ]
    return _sigmoid(min(tried, key=lambda one: one.fun).x)


def matrix(parameters, input_steps, short, long, horizon):
    """The matrix `(input_steps, horizon)` that turns a window into its forecast."""
    return forecasts(np.eye(input_steps), parameters, short, long, horizon).T


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
