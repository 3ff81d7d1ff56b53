"""Answers to the exercises of notebook 14: five broken training scripts, a split, a first loss."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


def _voices():
    """The training and the test part of the Japanese Vowels, each (sequences, labels)."""
    from lstm_zoo import datasets

    data = datasets.load("japanese_vowels")
    parts = (
        (data.x_train, data.lengths_train, data.y_train),
        (data.x_test, data.lengths_test, data.y_test),
    )
    return [([row[:n] for row, n in zip(x, lengths)], y) for x, lengths, y in parts]


def _standardised(train, sequences):
    """Padded at the end, with the mean and deviation of the training part's steps taken out."""
    steps = np.concatenate(train)
    padded = np.zeros((len(sequences), 29, 12), "float32")
    for row, one in zip(padded, sequences):
        row[: len(one)] = (one - steps.mean(axis=0)) / steps.std(axis=0)
    return padded


def _share_right(probabilities, labels):
    probabilities = np.asarray(probabilities)
    if probabilities.shape != (len(labels), 9):
        return 0.0
    return np.mean(probabilities.argmax(axis=1) == labels)


@exercise(
    "14-1",
    "Is the loss before training what it should be, and how far does it fall in 25 epochs?",
    "The model and the data are fine: which number says how far a step goes?",
    "Use Adam with a learning rate of 0.01, or SGD with a rate of about 0.5.",
)
def _(train):
    (sequences, y), (new, new_y) = _voices()
    predict = train(_standardised(sequences, sequences), y.copy())
    return _share_right(predict(_standardised(sequences, new)), new_y) >= 0.85


@exercise(
    "14-2",
    "Print what the LSTM reads: the first steps of the padded array, and its dtype.",
    "The numbers in the padded array are whole. Which argument of pad_sequences decides that?",
    'Pass dtype="float32" to keras.utils.pad_sequences.',
)
def _(train):
    (sequences, y), (new, new_y) = _voices()
    return _share_right(train(sequences, y.copy())(new), new_y) >= 0.8


@exercise(
    "14-3",
    "A loss near 0 on noisy data is too good: run lz.checkup on the model and its arrays.",
    "Write down the indices of the steps in the first window, and the index of its target.",
    "The window that starts at `start` ends with series[start + 23]: the target comes one later.",
)
def _(train):
    rng, t = np.random.default_rng(14), np.arange(700)
    waves = np.sin(2 * np.pi * t / 12.3) + 0.5 * np.sin(2 * np.pi * t / 5.7 + 1)
    series = (waves + 0.05 * rng.normal(size=len(t))).astype("float32")
    predict = train(series[:500].copy())
    starts = np.arange(500, len(t) - 24)
    windows = np.stack([series[start : start + 24] for start in starts])[..., None]
    after = series[starts + 24]
    forecast = np.asarray(predict(windows.copy()))
    error, of_the_last = np.abs(forecast - after).mean(), np.abs(windows[:, -1, 0] - after).mean()
    return forecast.shape == after.shape and error <= 0.8 * of_the_last


@exercise(
    "14-4",
    "Print a few outputs of the model: how much do they vary?",
    "What does a softmax give if it has a single unit to share among?",
    'One unit that says yes or no needs activation="sigmoid".',
)
def _(train):
    rng = np.random.default_rng(15)
    x = rng.normal(size=(1000, 20, 1)).astype("float32")
    y = (x.sum(axis=(1, 2)) > 1).astype("float32")
    p = np.asarray(train(x[:500].copy(), y[:500].copy())(x[500:]))
    if p.shape != (500,) or p.min() < 0 or p.max() > 1:
        return False
    return np.mean((p > 0.5) == y[500:]) >= 0.85


@exercise(
    "14-5",
    "Look at lz.gate_summary of the untrained layer: how long is the half-life of a unit?",
    "Which argument of the LSTM makes the forget gates start almost shut?",
    "With forget_bias=4.0 the half-life starts at 38 steps.",
)
def _(train):
    def recall(samples, seed):
        x = np.random.default_rng(seed).uniform(-1, 1, (samples, 40, 2)).astype("float32")
        x[..., 1] = 0
        x[:, 0, 1] = 1
        return x, x[:, 0, 0].copy()

    (x, y), (new, new_y) = recall(1000, 0), recall(500, 1)
    answer = np.asarray(train(x, y)(new))
    return answer.shape == new_y.shape and np.mean((answer - new_y) ** 2) < 0.1


@exercise(
    "14-6",
    "Write down the first and the last step that window k covers, with what it forecasts.",
    "Window k covers the steps k to k + window + horizon - 1; validation begins at step `first`.",
    "Training windows are those with k + window + horizon - 1 < first = count - int(share * count)",
)
def _(answer):
    def split(count, window, horizon, share):
        first = count - int(share * count)
        return np.arange(max(first - (window + horizon - 1), 0)), np.arange(first, count)

    cases = [(100, 10, 5, 0.2), (80, 7, 1, 0.25), (300, 24, 12, 0.1), (40, 30, 5, 0.3)]
    return same_function(answer, split, cases, 0)


@exercise(
    "14-7",
    "What probability does an untrained softmax give to each of the ten classes?",
    "The loss is -ln of this probability. And can a single sample have a loss above the mean?",
    "The loss is ln 10; the mean equals the largest possible loss, so every sample has it.",
)
def _(answer):
    return near(answer, [np.log(10), 1.0], 5e-3)
