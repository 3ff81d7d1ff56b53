"""The stored results behind notebook 06: a SimpleRNN and an LSTM trained with and without clipping.

    python notebooks/results/clipping.py

trains 20 small networks in NumPy, a minute and a half of a free core, and writes `06_clipping.csv`
beside this file, a row for every 50 updates of a network. Each learns the adding problem over 50
steps by plain gradient descent with momentum, from five seeds, with its gradient clipped to a norm
of 1 or not.
"""

import os
import pathlib

import numpy as np

TIMESTEPS, UNITS, BATCH, UPDATES = 50, 32, 32, 1000
RATES = {"SimpleRNN": 0.03, "LSTM": 0.1}


def main():
    rows = []
    for kind in RATES:
        for clip in (None, 1.0):
            for seed in range(5):
                losses, norms, growth = (
                    values.reshape(-1, 50) for values in train(kind, clip, seed)
                )
                for k, loss in enumerate(losses):
                    row = {"kind": kind, "clip": clip or 0, "seed": seed, "updates": 50 * (k + 1)}
                    row |= {"mean_loss": loss.mean(), "largest_loss": loss.max()}
                    row |= {"median_norm": np.median(norms[k]), "largest_norm": norms[k].max()}
                    rows.append({**row, "largest_growth": growth[k].max()})
                print(rows[-1], flush=True)
    path = pathlib.Path(__file__).with_name("06_clipping.csv")
    lines = [
        ",".join(
            f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()
        )
        for row in rows
    ]
    head = [f"# {os.cpu_count()} cores; NumPy {np.__version__}", ",".join(rows[0])]
    path.write_text("\n".join([*head, *lines]) + "\n")


def train(kind, clip, seed):
    """Loss, norm of the gradient, and how much the gradient grows on its way back, by update.

    The last is the norm of dL/dh before the first step divided by that after the last.
    """
    rng = np.random.default_rng(seed)
    forward, backward, blocks = {"SimpleRNN": (*RNN, 1), "LSTM": (*LSTM, 4)}[kind]
    W = rng.normal(0, 2**-0.5, (2, blocks * UNITS))
    U = rng.normal(0, UNITS**-0.5, (UNITS, blocks * UNITS))
    b = np.zeros(blocks * UNITS)
    if kind == "LSTM":
        b[UNITS : 2 * UNITS] = 1  # forget gate
    V, a = rng.normal(0, UNITS**-0.5, (UNITS, 1)), np.ones(1)
    weights = [W, U, b, V, a]
    speeds = [np.zeros_like(w) for w in weights]
    losses, norms, growth = [], [], []
    for _ in range(UPDATES):
        x, y = adding(rng)
        h, steps = forward(x, W, U, b)
        error = h @ V + a - y
        de = 2 * error / BATCH
        dh = de @ V.T
        *gradients, dh_first = backward(x, W, U, steps, dh)
        gradients += [h.T @ de, de.sum(axis=0)]
        norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
        losses.append(np.mean(error**2))
        norms.append(norm)
        growth.append(np.linalg.norm(dh_first) / np.linalg.norm(dh))
        scale = min(1, clip / norm) if clip else 1
        for w, speed, g in zip(weights, speeds, gradients):
            speed *= 0.9
            speed -= RATES[kind] * scale * g
            w += speed
    return np.array(losses), np.array(norms), np.array(growth)


def adding(rng):
    """The adding problem: (batch, timesteps, 2) values and marks, (batch, 1) sums."""
    value, mark = rng.uniform(0, 1, (BATCH, TIMESTEPS)), np.zeros((BATCH, TIMESTEPS))
    rows, half = np.arange(BATCH), TIMESTEPS // 2
    mark[rows, rng.integers(0, half, BATCH)] = 1
    mark[rows, rng.integers(half, TIMESTEPS, BATCH)] = 1
    return np.stack([value, mark], axis=-1), np.sum(value * mark, axis=1, keepdims=True)


def rnn_forward(x, W, U, b):
    states = [np.zeros((len(x), len(U)))]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ W + states[-1] @ U + b))
    return states[-1], states


def rnn_backward(x, W, U, states, dh):
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(U.shape[1])
    for t in reversed(range(x.shape[1])):
        dz = dh * (1 - states[t + 1] ** 2)
        dW, dU, db = dW + x[:, t].T @ dz, dU + states[t].T @ dz, db + dz.sum(axis=0)
        dh = dz @ U.T
    return dW, dU, db, dh


def lstm_forward(x, W, U, b):
    h = c = np.zeros((len(x), len(U)))
    steps = []
    for t in range(x.shape[1]):
        before = h, c
        i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        tanh_c = np.tanh(c)
        h = o * tanh_c
        steps.append((*before, i, f, g, o, tanh_c))
    return h, steps


def lstm_backward(x, W, U, steps, dh):
    dW, dU, db, dc = np.zeros_like(W), np.zeros_like(U), np.zeros(U.shape[1]), 0.0
    for t in reversed(range(x.shape[1])):
        h_before, c_before, i, f, g, o, tanh_c = steps[t]
        dc = dc + dh * o * (1 - tanh_c**2)
        dz = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
        dz = np.concatenate([*dz, dh * tanh_c * o * (1 - o)], axis=1)
        dW, dU, db = dW + x[:, t].T @ dz, dU + h_before.T @ dz, db + dz.sum(axis=0)
        dh, dc = dz @ U.T, dc * f
    return dW, dU, db, dh


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


RNN, LSTM = (rnn_forward, rnn_backward), (lstm_forward, lstm_backward)

if __name__ == "__main__":
    main()
