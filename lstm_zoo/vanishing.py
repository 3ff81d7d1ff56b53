"""How far back the gradient reaches in untrained layers, in NumPy: quick enough for a slider."""

import numpy as np

BATCH, FEATURES, UNITS, MOST_TIMESTEPS = 8, 4, 16, 200


def example_networks(scale, timesteps, forget_bias):
    """The sequences of `explore_gradients`, and kernel, recurrent kernel and bias of both layers.

    >>> x, rnn, lstm = example_networks(1.0, 50, 1.0)
    >>> [weight.shape for weight in lstm]
    [(4, 64), (16, 64), (64,)]
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, MOST_TIMESTEPS, FEATURES))[:, :timesteps]
    kernel = rng.normal(size=(FEATURES, 4 * UNITS)) / np.sqrt(FEATURES + UNITS)
    turns = [np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0] for _ in range(4)]
    bias = np.repeat([0.0, forget_bias, 0.0, 0.0], UNITS)
    lstm = kernel, scale * np.concatenate(turns, axis=1), bias
    return x, (kernel[:, :UNITS], scale * turns[0], bias[:UNITS]), lstm


def rnn_gradients(x, kernel, recurrent_kernel, bias):
    """The norms of dL/dh_t, `(batch, timesteps)`, by backpropagation through time.

    L is the sum of the last hidden state over its units, divided by the root of their number.
    """
    h, states, norms = np.zeros((BATCH, UNITS)), [], []
    for x_t in x.swapaxes(0, 1):
        h = np.tanh(x_t @ kernel + h @ recurrent_kernel + bias)
        states.append(h)
    dh = np.full((BATCH, UNITS), UNITS**-0.5)
    for h in reversed(states):
        norms.append(np.linalg.norm(dh, axis=1))
        dh = (dh * (1 - h * h)) @ recurrent_kernel.T
    return np.stack(norms[::-1], axis=1)


def lstm_gradients(x, kernel, recurrent_kernel, bias):
    """The norms of dL/dh_t and of dL/dc_t, each `(batch, timesteps)`, the same way."""
    h = c = np.zeros((BATCH, UNITS))
    steps, norms = [], []
    for x_t in x.swapaxes(0, 1):
        z = np.split(x_t @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
        c_before, c = c, f * c + i * g
        h = o * np.tanh(c)
        steps.append((i, f, g, o, c_before, np.tanh(c)))
    dh, dc = np.full((BATCH, UNITS), UNITS**-0.5), 0.0
    for i, f, g, o, c_before, tanh_c in reversed(steps):
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


def sigmoid(z):
    return 1 / (1 + np.exp(-z))
