"""Answers to the exercises of notebook 13, the zoo."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "13-1",
    "How many blocks of weights does the cell have: which quantities are computed from z?",
    "Three blocks: f, g and o. Each reads 12 features and 64 hidden states, and has a bias.",
    "3 * 64 * (12 + 64 + 1).",
)
def _(answer):
    return answer == 3 * 64 * (12 + 64 + 1)


@exercise(
    "13-2",
    "Write h_2 with h_1 = A_1 h_0 + b_1 put into it.",
    "h_2 = A_2 (A_1 h_0 + b_1) + b_2. Which matrix stands in front of h_0?",
    "A = A_2 A_1, in this order, and b = A_2 b_1 + b_2.",
)
def _(answer):
    def combine(A_1, b_1, A_2, b_2):
        return A_2 @ A_1, A_2 @ b_1 + b_2

    rng = np.random.default_rng(0)
    cases = [
        tuple(rng.normal(size=shape) for shape in ((n, n), (n,), (n, n), (n,))) for n in (2, 3, 5)
    ]
    return same_function(answer, combine, cases, 1e-9)


@exercise(
    "13-3",
    "First a_bar and b_bar, one number each for every entry of the state.",
    "K_t is the sum over the entries of C a_bar**t b_bar. K_0 has no a_bar.",
    "(a_bar ** np.arange(steps)[:, None]) @ (C * b_bar) with b_bar = (a_bar - 1) / A * B.",
)
def _(answer):
    def kernel(A, B, C, delta, steps):
        a_bar = np.exp(delta * A)
        b_bar = (a_bar - 1) / A * B
        return (a_bar ** np.arange(steps)[:, None]) @ (C * b_bar)

    rng = np.random.default_rng(0)
    cases = [
        (-rng.uniform(0.1, 2, n), rng.normal(size=n), rng.normal(size=n), delta, steps)
        for n, delta, steps in ((1, 0.5, 4), (3, 0.1, 7), (4, 1.3, 12))
    ]
    return same_function(answer, kernel, cases, 1e-9)


@exercise(
    "13-4",
    "Which cell of the section on parity alternates, and how many weights has one unit of it?",
    "Build an LSTM of one unit with a Dense layer, and set the weights of `switch` in order i, f, "
    "g, o.",
    "Input gate 40 x - 50 h - 20, forget gate -40 x + 20, the others 20; Dense 1 / tanh(1).",
)
def _(model):
    if model.count_params() > 20:
        return False
    rng = np.random.default_rng(0)
    for steps in (1, 2, 7, 50, 300):
        bits = rng.integers(0, 2, (40, steps))
        answers = np.asarray(model(bits[..., None].astype("float32")))
        if not near(answers, bits.sum(axis=1, keepdims=True) % 2, 0.1):
            return False
    return True


@exercise(
    "13-5",
    "How many blocks may the kernel have, if an LSTMCell has four?",
    "One gate can do two things: h = (1 - u) * h + u * g. How fast does it forget at the start?",
    "Let the gate start almost shut, as u = sigmoid(z_u - 3): then the memory is slow.",
)
def _(cell_class):
    import keras

    from lstm_zoo.cells import Cell, LSTMCell
    from lstm_zoo.layers import layer_for
    from lstm_zoo.training import fit

    if not issubclass(cell_class, Cell):
        return False
    cells = [made(16) for made in (cell_class, LSTMCell)]
    for cell in cells:
        cell.build((None, 2))
    if cells[0].count_params() > cells[1].count_params() / 2:
        return False
    x = np.random.default_rng(0).normal(size=(1, 2)).astype("float32")
    starts = (np.full((1, 16), value, "float32") for value in (0.0, 0.5))
    first, second = (
        np.asarray(cells[0](x, [start, *cells[0].get_initial_state(1)[1:]])[0]) for start in starts
    )
    if first.shape != (1, 16) or np.abs(first - second).max() < 1e-6 or not first.any():
        return False  # it reads no state, or no input

    def recall(samples, seed):
        x = np.random.default_rng(seed).uniform(-1, 1, (samples, 30, 2)).astype("float32")
        x[..., 1] = 0
        x[:, 0, 1] = 1
        return x, x[:, 0, :1].copy()

    keras.utils.set_random_seed(0)
    layers = [keras.Input((30, 2)), layer_for(cell_class, 16), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    fit(model, *recall(1000, 0), epochs=20, seed=0, verbose=0)
    new, target = recall(500, 1)
    return np.mean((np.asarray(model(new)) - target) ** 2) < 0.02
