"""For each exercise a right answer, and at least two wrong ones that a learner could well give."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def clip(gradients, largest):
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * min(1, largest / length) for g in gradients]


def clip_each(gradients, largest):
    return [g * min(1, largest / np.linalg.norm(g)) for g in gradients]


def clip_entries(gradients, largest):
    return [np.clip(g, -largest, largest) for g in gradients]


def always_scaled(gradients, largest):
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * largest / length for g in gradients]


def chrono_bias(units, longest, rng):
    b_f = np.log(rng.uniform(1, longest - 1, units))
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


def chrono_bias_evenly_in_the_logarithm(units, longest, rng):
    b_f = rng.uniform(0, np.log(longest - 1), units)
    return np.concatenate([-b_f, b_f, np.zeros(2 * units)])


def coupled(z_f, z_g, z_o, c):
    after = sigmoid(z_f) * c + (1 - sigmoid(z_f)) * np.tanh(z_g)
    return sigmoid(z_o) * np.tanh(after), after


def coupled_the_wrong_way_round(z_f, z_g, z_o, c):
    after = (1 - sigmoid(z_f)) * c + sigmoid(z_f) * np.tanh(z_g)
    return sigmoid(z_o) * np.tanh(after), after


def coupled_without_tanh_at_the_output(z_f, z_g, z_o, c):
    _, after = coupled(z_f, z_g, z_o, c)
    return sigmoid(z_o) * after, after


def last_state(hidden, mask):
    return hidden[np.arange(len(hidden)), mask.sum(axis=1) - 1]


def shuffle_steps(x, lengths, rng):
    return np.array([[*rng.permutation(row[:n]), *row[n:]] for row, n in zip(x, lengths)])


def shuffle_in_place(x, lengths, rng):
    for row, n in zip(x, lengths):
        row[:n] = rng.permutation(row[:n])
    return x


# exercise: (right, [wrong, wrong, ...])
ANSWERS = {
    "00-1": (19712, [4 * 64 * (12 + 64), 64 * 12 + 64 * 64 + 64, 6 * (64 * 12 + 64 * 64 + 64)]),
    "00-2": ([0.125, 0.06218], [[0.125, 0.0625], [0.125, 0.1244], [0.125, 0.0], [0.25, 0.1225]]),
    "00-3": (
        lambda y_train, y_test: np.mean(y_test == np.bincount(y_train).argmax()),
        [
            lambda y_train, y_test: np.mean(y_test == np.bincount(y_test).argmax()),
            lambda y_train, y_test: np.bincount(y_train).max() / len(y_train),
            lambda y_train, y_test: 1 / len(np.unique(y_train)),
        ],
    ),
    "01-1": (
        ((8, 100, 32), (8, 32)),
        [((8, 100, 12), (8, 12)), ((8, 32), (8, 100, 32)), ((8, 32, 100), (8, 32))],
    ),
    "01-2": ((7, 44), [(6, 43), (7, 43), (6.64, 43.7)]),
    "01-3": (
        ([[1, 0]], [[0, 1], [0, 0]], [0, 0]),
        [
            ([[1, 0]], [[0, 0], [1, 0]], [0, 0]),  # U transposed
            ([[0, 1]], [[0, 1], [0, 0]], [0, 0]),
            ([[1, 1]], [[0, 1], [0, 0]], [0, 0]),
        ],
    ),
    "01-4": (31, [30, 1, 50, 20]),
    "02-1": (0.38**10, [2.0**10, 0.19**10, 2 * 0.19**10, 0.38]),
    "02-2": (0.25**10, [1, 0.5**10, 0.25]),
    "02-3": (
        [[0.5, 3], [0, 0.5]],
        [[[0.5, 0], [0, 0.5]], [[3, 0], [0, 0.5]], [[0, 3], [3, 0]], np.eye(3)],
    ),
    "02-4": (clip, [clip_each, clip_entries, always_scaled]),
    "03-1": (
        [-1.24, -0.5923],
        [[-1.24, -0.868], [-1.24, 0.7 * np.tanh(0.5)], [-1.04, 0.7 * np.tanh(-1.04)], [-1.24, 0.7]],
    ),
    "03-2": ("go", ["o", "gco", "ifgo", "fo"]),
    "03-3": (
        [0.34, 0.33, 0.3, 0.2, 0.12, 0.09, 0.06, 0.05, 0.04, 0.03],
        [[0.34] * 10, 0.03, [0.09] * 10, [0.34, 0.03]],
    ),
    "03-4": (coupled, [coupled_the_wrong_way_round, coupled_without_tanh_at_the_output]),
    "04-1": ([-2.197, 2.197], [[2.197, -2.197], [0.1, 0.9], [-2.197, -2.197]]),
    "04-2": (692.8, [500, 693.8e1, 0.999, 1000]),
    "04-3": (
        ([[20, -20, 10, 0], [0, -20, 0, 0]], [-10, 10, 0, 10]),
        [
            ([[20, 0, 10, 0], [0, -20, 0, 0]], [-10, 10, 0, 10]),  # `on` adds up
            ([[20, -20, 10, 0], [0, 0, 0, 0]], [-10, 10, 0, 10]),  # `off` does nothing
            ([[20, -20, 0, 0], [0, -20, 0, 0]], [-10, 10, 0, 10]),  # nothing to write
        ],
    ),
    "04-4": ((1, 1), [(0.9, -0.5), (np.tanh(0.9), np.tanh(-0.5)), (1, -1), (0, 0)]),
    "05-1": (
        [1.702, 0.6836],
        [[1.702, 0.731 * 1.702], [1.702, 0.731 * np.tanh(0.7616)], [1.8212, 0.731 * 0.949]],
    ),
    "05-2": ("ifgo", ["ifg", "ifgoc", "ifo", "ch"]),
    "05-3": (
        lambda f, s, t: np.prod(f[s + 1 : t + 1], axis=0),
        [
            lambda f, s, t: np.prod(f[s : t + 1], axis=0),
            lambda f, s, t: np.prod(f[s:t], axis=0),
            lambda f, s, t: np.prod(f[s + 1 : t], axis=0),
            lambda f, s, t: f[t],
        ],
    ),
    "05-4": (0.0, [-0.1, 0.97, 1]),
    "06-1": (np.log(2**-0.01 / (1 - 2**-0.01)), [0.9931, 0.5**0.01, 4.6, 5.3]),
    "06-2": ((20, 40), [(40, 20), (20, 20), (100, 104), (200, 202)]),
    "06-3": (
        lambda dc, c_before, g, f: dc * (c_before - g) * f * (1 - f),
        [
            lambda dc, c_before, g, f: dc * c_before * f * (1 - f),
            lambda dc, c_before, g, f: dc * (c_before - g),
            lambda dc, c_before, g, f: dc * (g - c_before) * f * (1 - f),
        ],
    ),
    "06-4": (9.5, [10, 20, 19]),
    "07-1": (1 / 12, [1 / 6, 1 / 3, 1 / 4, 0.0]),
    "07-2": (10 * np.log(8) / 500, [np.log(8), 10 * np.log(8) / 480, np.log(8) / 500]),
    "07-3": (
        chrono_bias,
        [
            lambda units, longest, rng: -chrono_bias(units, longest, rng),
            lambda units, longest, rng: (
                np.repeat([1, 1, 0, 0], units) * np.abs(chrono_bias(units, longest, rng))
            ),
            chrono_bias_evenly_in_the_logarithm,
        ],
    ),
    "07-4": (np.log(499), [1 - 1 / 500, -np.log(499), 499]),
    "08-1": (
        32809,
        [32809 - 9, 4 * 76 * 64 + 4 * 96 * 32 + 32 * 16 + 16 * 9, 77 * 64 + 97 * 32 + 33 * 16],
    ),
    "08-2": (np.log(9), [1 / 9, -np.log(9), np.log2(9), 9]),
    "08-3": (
        last_state,
        [
            lambda hidden, mask: hidden[:, -1],
            lambda hidden, mask: hidden[np.arange(len(hidden)), mask.sum(axis=1) % 5],
            lambda hidden, mask: hidden[np.arange(len(hidden)), mask.argmax(axis=1)],
        ],
    ),
    "08-4": (
        shuffle_steps,
        [
            shuffle_in_place,
            lambda x, lengths, rng: rng.permutation(x, axis=1),  # with what fills it up
            lambda x, lengths, rng: x.copy(),
            lambda x, lengths, rng: rng.permutation(x),  # the utterances, not the steps
        ],
    ),
    "09-1": (877, [876, 900, 976, 1000]),
    "09-2": (
        lambda truth, forecast, q: np.mean(
            np.maximum(q * (truth - forecast), (q - 1) * (truth - forecast))
        ),
        [
            lambda truth, forecast, q: np.mean(
                np.maximum((1 - q) * (truth - forecast), -q * (truth - forecast))
            ),
            lambda truth, forecast, q: q * np.mean(np.abs(truth - forecast)),
        ],
    ),
    "09-3": (
        lambda series, forecasts: (
            np.abs(forecasts[1:] - series[1:]).mean() / np.abs(np.diff(series)).mean()
        ),
        [
            lambda series, forecasts: (
                np.abs(forecasts - series).mean() / np.abs(np.diff(series)).mean()
            ),
            lambda series, forecasts: (
                np.abs(np.diff(series)).mean() / np.abs(forecasts[1:] - series[1:]).mean()
            ),
        ],
    ),
    "10-1": (2, [1, 4, 6, 12]),
    "10-2": (
        lambda g1, n1, g2, n2: (n1 * g1 + n2 * g2) / (n1 + n2),
        [
            lambda g1, n1, g2, n2: (g1 + g2) / 2,
            lambda g1, n1, g2, n2: g1 + g2,
            lambda g1, n1, g2, n2: (n2 * g1 + n1 * g2) / (n1 + n2),
        ],
    ),
    "10-3": (1024, [512, 610, 2**24, 2048]),
}
