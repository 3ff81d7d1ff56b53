"""Answers to the exercises of notebook 15: alarms, weights of others, a stream, a detector."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function

WINDOW = 32


@exercise(
    "15-1",
    "Where does an anomaly start? Compare each step with the one before.",
    "Number the anomalies: np.cumsum over their starts. Which numbers have an alarm?",
    "Found are the different numbers in number[truth & alarm]; outside are (alarm & ~truth).sum().",
)
def _(answer):
    def events(alarm, truth):
        starts = truth & ~np.concatenate([[False], truth[:-1]])
        number = np.cumsum(starts)
        return starts.sum(), len(np.unique(number[truth & alarm])), (alarm & ~truth).sum()

    rng, cases = np.random.default_rng(0), []
    for steps in (40, 60, 90, 200):
        truth = np.repeat(rng.random(steps // 5) < 0.4, 5)
        cases.append((rng.random(steps) < 0.15, truth))
    cases.append((np.array([True, False, True]), np.array([True, True, False])))
    return same_function(answer, events, cases, 0)


@exercise(
    "15-2",
    "First the probability that none of the steps gets an alarm.",
    "The steps are independent: multiply 0.99 with itself, once for each step.",
    "1 - 0.99**12, and the same with 600.",
)
def _(answer):
    return near(answer, [1 - 0.99**12, 1 - 0.99**600], 1e-3)


@exercise(
    "15-3",
    "Three things differ: the order of the blocks, rows and columns, and the number of biases.",
    "np.split(W[0], 4) gives i, o, f, g. Put them into the order i, f, g, o, then transpose.",
    "Split B[0] into two halves, add them, and put the four blocks of the sum into Keras's order.",
)
def _(answer):
    def from_onnx(W, R, B):
        def keras_order(rows):
            i, o, f, g = np.split(rows, 4)
            return np.concatenate([i, f, g, o])

        return keras_order(W[0]).T, keras_order(R[0]).T, keras_order(sum(np.split(B[0], 2)))

    rng = np.random.default_rng(0)
    cases = [
        tuple(rng.normal(size=(1, *shape)) for shape in ((4 * n, d), (4 * n, n), (8 * n,)))
        for n, d in ((1, 2), (3, 2), (4, 5))
    ]
    return same_function(answer, from_onnx, cases, 1e-9)


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _hidden(weights, x, h, c):
    """The hidden state at each step, `(timesteps, batch, units)`, and the last states."""
    kernel, recurrent_kernel, bias = weights
    hidden = []
    for x_t in x:
        i, f, g, o = np.split(x_t @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        hidden.append(h)
    return np.array(hidden), h, c


@exercise(
    "15-4",
    "Which two arrays have to stay from one call of step to the next?",
    "One step is the six equations; store the new h and c in self. reset must clear both of them.",
    "Return a copy of h: who keeps the array of an earlier step must not see it change.",
)
def _(answer):
    rng = np.random.default_rng(0)
    for batch, features, units in ((3, 2, 4), (5, 3, 2)):
        shapes = (features, 4 * units), (units, 4 * units), (4 * units,)
        weights = [rng.normal(size=shape) for shape in shapes]
        before = [one.copy() for one in weights]
        x = rng.normal(size=(9, batch, features))
        one, other = answer(*weights), answer(*weights)
        first, h, c = _hidden(before, x[:5], *np.zeros((2, batch, units)))
        answered = [one.step(x_t) for x_t in x[:5]]
        other.step(-x[0])
        if not near(answered, first, 1e-6):
            return False
        one.reset([0, 2])
        if not near(answered, first, 1e-6):
            return False  # an array that was returned has changed
        h, c = h.copy(), c.copy()
        h[[0, 2]] = c[[0, 2]] = 0
        after, *_ = _hidden(before, x[5:], h, c)
        if not near([one.step(x_t) for x_t in x[5:]], after, 1e-6):
            return False
        if not all(np.array_equal(*pair) for pair in zip(weights, before)):
            return False
    return True


def _score(model, series):
    """The squared error of each step, as a mean over all windows that contain it."""
    from lstm_zoo.builders import anomaly_scores

    starts = np.arange(0, len(series) - WINDOW + 1, 2)
    errors = anomaly_scores(model, np.stack([series[k : k + WINDOW] for k in starts]))
    total, count = np.zeros(len(series)), np.zeros(len(series))
    for start, error in zip(starts, errors):
        total[start : start + WINDOW] += error
        count[start : start + WINDOW] += 1
    return total / np.maximum(count, 1)


@exercise(
    "15-5",
    "How many weights does lz.build_autoencoder((32, 1), lstm_units=(16,)) have?",
    "Train it on windows of the series as inputs and as targets, with normalise=x.",
    "lstm_units=(16,), Adam(0.01), loss_weights=1 / variance, 40 epochs of lz.fit(model, x, x).",
)
def _(train):
    from lstm_zoo import datasets

    data = datasets.load("internal_bleeding")
    model = train(data.x_train.copy())
    if model.count_params() >= 5000:
        return False
    marked = np.flatnonzero(data.y_test)
    normal = _score(model, data.x_test[:2900])
    highest = int(_score(model, data.x_test).argmax())
    near_the_beat = marked[0] - WINDOW <= highest <= marked[-1] + WINDOW
    return near_the_beat and normal.mean() < 0.1 * data.x_train.var()
