"""The plain LSTM and SimpleRNN in NumPy, with backpropagation through time.

Tests use them as references, and widgets use them because they are fast enough to follow a slider.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_zoo import checks
from lstm_zoo.cells.lstm import named


def lstm_steps(
    x: np.ndarray,
    kernel: np.ndarray,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray,
    h: np.ndarray | None = None,
    c: np.ndarray | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Compute the equations of `LSTMCell` step by step; takes the arguments of `lstm_in_numpy`.

    Yields:
        A dict with the gates, the candidate and the states of a step, each `(batch, units)`.

    Example:
        >>> [now] = lstm_steps(np.ones((1, 1, 2)), np.ones((2, 12)), np.ones((3, 12)), np.zeros(12))
        >>> list(now)[:2]
        ['input_gate', 'forget_gate']
    """
    zeros = np.zeros((len(x), len(recurrent_kernel)))
    h, c = (zeros if state is None else state for state in (h, c))
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent_kernel + bias
        i, f, g, o = np.split(z, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        yield named(i, f, g, o, c, h)


def lstm_in_numpy(
    x: np.ndarray,
    kernel: np.ndarray,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray,
    h: np.ndarray | None = None,
    c: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run the equations of `LSTMCell` over a sequence in plain NumPy, as a reference for tests.

    Args:
        x: `(batch, timesteps, features)`.
        kernel, recurrent_kernel, bias: weights with the layout of `LSTMCell`.
        h, c: `(batch, units)`, the states before the first step; zeros if None.

    Returns:
        The hidden state and the cell state at every step, each `(batch, timesteps, units)`.

    Raises:
        ValueError: if an argument is not an array of numbers, or has the wrong shape.

    Example:
        >>> x = np.ones((1, 5, 2))
        >>> hidden, cell = lstm_in_numpy(x, np.ones((2, 12)), np.ones((3, 12)), np.zeros(12))
        >>> hidden.shape
        (1, 5, 3)
    """
    x, kernel = checks.array("x", x, 3), checks.array("kernel", kernel, 2)
    recurrent_kernel = checks.array("recurrent_kernel", recurrent_kernel, 2)
    bias = checks.array("bias", bias, 1)
    h = None if h is None else checks.array("h", h, 2)
    c = None if c is None else checks.array("c", c, 2)
    steps = list(lstm_steps(x, kernel, recurrent_kernel, bias, h, c))
    hidden, cell = (
        np.stack([now[name] for now in steps], axis=1) for name in ("hidden_state", "cell_state")
    )
    return hidden, cell


def lstm_gradients(
    x: np.ndarray, kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The norms of dL/dh_t and dL/dc_t, each `(batch, timesteps)`, for zero initial states.

    L is the sum of the last hidden state over its units, divided by sqrt(units). Takes the
    arguments of `lstm_in_numpy`.

    Example:
        >>> hidden, cell = lstm_gradients(
        ...     np.ones((1, 5, 2)), np.ones((2, 12)), np.ones((3, 12)), np.zeros(12)
        ... )
        >>> hidden.shape
        (1, 5)
    """
    steps = list(lstm_steps(x, kernel, recurrent_kernel, bias))
    dh, dc, norms = _at_the_end(x, recurrent_kernel), 0.0, []
    cells_before = [now["cell_state"] for now in steps[:-1]]
    for now, c_before in zip(reversed(steps), [*reversed(cells_before), 0.0]):
        i, f, g, o, c, _ = now.values()
        tanh_c = np.tanh(c)
        dc = dc + dh * o * (1 - tanh_c**2)
        norms.append((np.linalg.norm(dh, axis=1), np.linalg.norm(dc, axis=1)))
        dz = [
            dc * g * i * (1 - i),
            dc * c_before * f * (1 - f),
            dc * i * (1 - g * g),
            dh * tanh_c * o * (1 - o),
        ]
        dh, dc = np.concatenate(dz, axis=1) @ recurrent_kernel.T, dc * f
    hidden, cell = zip(*norms[::-1])
    return np.stack(hidden, axis=1), np.stack(cell, axis=1)


def rnn_gradients(
    x: np.ndarray, kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """The norms of dL/dh_t of a SimpleRNN, `(batch, timesteps)`, as in `lstm_gradients`.

    Example:
        >>> rnn_gradients(np.ones((1, 5, 2)), np.ones((2, 3)), np.ones((3, 3)), np.zeros(3)).shape
        (1, 5)
    """
    h, states, norms = np.zeros((len(x), len(recurrent_kernel))), [], []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent_kernel + bias)
        states.append(h)
    dh = _at_the_end(x, recurrent_kernel)
    for h in reversed(states):
        norms.append(np.linalg.norm(dh, axis=1))
        dh = (dh * (1 - h * h)) @ recurrent_kernel.T
    return np.stack(norms[::-1], axis=1)


def _at_the_end(x, recurrent_kernel):
    """dL/dh at the last step."""
    units = len(recurrent_kernel)
    return np.full((len(x), units), units**-0.5)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))
