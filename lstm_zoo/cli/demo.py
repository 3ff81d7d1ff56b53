"""Three demonstrations: a model trained on real data beside honest baselines, over several seeds.

Each returns a `Report`, and writes the trained model and its figures into a folder. The command
`lstm-zoo demo` prints them.
"""

import pathlib
from dataclasses import dataclass, field

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV

from lstm_zoo import builders, checks, datasets, inspection, plots, training

DAY, WEEK = 48, 336  # half-hours
RIDGE = np.logspace(-6, 3, 28)


@dataclass
class Report:
    """What a demonstration found: scores by model, one a seed, and the files it wrote.

    `ours` names the row of `scores` that the demonstration is about; `confusion` counts, for a
    classifier, the test samples of each true class (row) by the class they were taken for.
    """

    title: str
    data: str
    metric: str
    ours: str
    higher_is_better: bool = False
    scores: dict[str, list[float]] = field(default_factory=dict)
    confusion: np.ndarray | None = None
    files: list[pathlib.Path] = field(default_factory=list)

    def beaten_by(self):
        """The rows whose mean score is better than ours, best first."""
        sign = -1 if self.higher_is_better else 1
        means = {name: sign * np.mean(values) for name, values in self.scores.items()}
        better = [name for name in means if means[name] < means[self.ours]]
        return sorted(better, key=means.get)


def classification(seeds=3, out="out", watch=None):
    """Tell nine speakers by their voices: Japanese Vowels, a stacked bidirectional LSTM + Dense.

    Args:
        seeds: how many trainings to average over.
        out: folder for `speakers.keras` and three figures.
        watch: called as `watch(label, epochs)` before each training; returns a Keras callback.

    Returns:
        A `Report` of accuracies on the 370 test utterances.

    Raises:
        ValueError: if `seeds` is not a positive whole number.
    """
    data = datasets.load("japanese_vowels")
    report = Report(
        title="Who is speaking? Nine speakers, told by one utterance of two Japanese vowels",
        data=f"{data!r}: {data.source}; {data.licence}",
        metric="test accuracy",
        ours="stacked LSTM + Dense",
        higher_is_better=True,
    )
    x_train, x_test = _standardised(data)
    flat_train, flat_test = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
    linear = LogisticRegression(max_iter=1000).fit(flat_train, data.y_train)
    majority = np.bincount(data.y_train).argmax()
    report.scores["majority class"] = [float(np.mean(data.y_test == majority))]
    report.scores["linear model on flattened input"] = [linear.score(flat_test, data.y_test)]

    epochs = 30

    def train(cell, seed, callback):
        model = builders.build_classifier(
            (None, x_train.shape[-1]),
            len(data.class_names),
            lstm_units=(64, 64),
            cell=cell,
            bidirectional=True,
            dropout=0.3,
            mask_value=0.0,
            learning_rate=_cosine(3e-3, epochs, len(x_train)),
        )
        return model, training.fit(
            model, x_train, data.y_train, epochs=epochs, seed=seed, callbacks=callback, verbose=0
        )

    def accuracy(model):
        return float(np.mean(_classes(model, x_test) == data.y_test))

    _over_seeds(report, "SimpleRNN + Dense", "simple_rnn", seeds, epochs, train, accuracy, watch)
    model, history = _over_seeds(report, report.ours, "lstm", seeds, epochs, train, accuracy, watch)

    predicted = _classes(model, x_test)
    report.confusion = np.zeros((len(data.class_names),) * 2, dtype=int)
    np.add.at(report.confusion, (data.y_test, predicted), 1)
    read_forwards = inspection.trace(model, x_test[:1]).forward
    _keep(
        report,
        out,
        "speakers",
        model,
        learning_curve=plots.plot_history(history),
        confusion=plots.plot_confusion(data.y_test, predicted, data.class_names),
        gates=plots.plot_trace(read_forwards),
    )
    return report


def regression(seeds=3, out="out", watch=None):
    """Estimate the fat in meat from its spectrum: Tecator, a stacked LSTM + Dense.

    Args:
        seeds, out, watch: as in `classification`; writes `fat.keras` and two figures.

    Returns:
        A `Report` of root mean squared errors, in percent of the mass.

    Raises:
        ValueError: if `seeds` is not a positive whole number.
    """
    data = datasets.load("tecator")
    report = Report(
        title="How fat is the meat? Percent fat, from a near-infrared spectrum read as a sequence",
        data=f"{data!r}: {data.source}",
        metric="test root mean squared error (% of mass)",
        ours="stacked LSTM + Dense",
    )
    x_train, x_test = _standard_normal_variate(data.x_train), _standard_normal_variate(data.x_test)
    mean, scale = data.y_train.mean(), data.y_train.std()
    truth = data.y_test[:, 0]

    def error(estimate):
        return float(np.sqrt(np.mean((estimate - truth) ** 2)))

    linear = RidgeCV(RIDGE).fit(x_train[:, :, 0], data.y_train[:, 0])
    report.scores["mean of the training data"] = [error(mean)]
    report.scores["linear model (ridge)"] = [error(linear.predict(x_test[:, :, 0]))]

    epochs = 100

    def train(cell, seed, callback):
        model = builders.build_regressor(
            x_train.shape[1:],
            lstm_units=(32, 16),
            dense_units=(16,),
            cell=cell,
            learning_rate=_cosine(5e-3, epochs, len(x_train)),
        )
        target = (data.y_train - mean) / scale
        return model, training.fit(
            model, x_train, target, epochs=epochs, seed=seed, callbacks=callback, verbose=0
        )

    def estimates(model):
        return model.predict(x_test, verbose=0)[:, 0] * scale + mean

    model, history = _over_seeds(
        report, report.ours, "lstm", seeds, epochs, train, lambda m: error(estimates(m)), watch
    )
    _keep(report, out, "fat", model, learning_curve=plots.plot_history(history))
    return report


def forecast(seeds=3, out="out", watch=None):
    """Forecast a day of electricity demand, 48 half-hours, at midnight: an LSTM over seven days.

    The model reads the last seven days, a day a step: the demand of its 48 half-hours, and how far
    each was from the same half-hour a week before. It forecasts how far the next day will be from
    the same day a week before.

    Args:
        seeds, out, watch: as in `classification`; writes `electricity.keras` and two figures.

    Returns:
        A `Report` of mean absolute percentage errors over the last three weeks.

    Raises:
        ValueError: if `seeds` is not a positive whole number.
    """
    data = datasets.load("electricity")
    report = Report(
        title="How much electricity tomorrow? The next 48 half-hours, forecast at midnight",
        data=f"{data!r}: {data.source}",
        metric="mean absolute percentage error over the last three weeks (%)",
        ours="LSTM",
    )
    demand = np.concatenate([data.x_train, data.x_test])[:, 0].astype("float64")
    start = len(data.x_train)
    truth = data.x_test.reshape(-1, DAY)
    mean, scale = data.x_train.mean(), data.x_train.std()
    level = (demand - mean) / scale

    def error(forecasts):
        return float(100 * np.mean(np.abs(forecasts - truth) / truth))

    def repeated(steps_back):
        return demand[start - steps_back : len(demand) - steps_back].reshape(-1, DAY)

    x_train, y_train = _days(level, range(2 * WEEK, start - DAY + 1))
    x_test, _ = _days(level, range(start, len(demand), DAY))

    def megawatts(change):
        return repeated(WEEK) + scale * change

    flat_train, flat_test = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
    ridge = RidgeCV(RIDGE).fit(flat_train, y_train)
    report.scores["last day repeated"] = [error(repeated(DAY))]
    report.scores["last week repeated"] = [error(repeated(WEEK))]
    report.scores["linear model (ridge)"] = [error(megawatts(ridge.predict(flat_test)))]

    epochs = 15

    def train(cell, seed, callback):
        model = builders.build_forecaster(
            x_train.shape[1:],
            DAY,
            lstm_units=(32,),
            dense_units=(),
            cell=cell,
            dropout=0.3,
            learning_rate=_cosine(3e-3, epochs, len(x_train), batch_size=64),
        )
        return model, training.fit(
            model,
            x_train,
            y_train,
            epochs=epochs,
            batch_size=64,
            seed=seed,
            callbacks=callback,
            verbose=0,
        )

    def forecasts(model):
        return megawatts(model.predict(x_test, verbose=0))

    model, history = _over_seeds(
        report, report.ours, "lstm", seeds, epochs, train, lambda m: error(forecasts(m)), watch
    )
    _keep(report, out, "electricity", model, learning_curve=plots.plot_history(history))
    return report


def _over_seeds(report, label, cell, seeds, epochs, train, score, watch):
    """Train once a seed and note the scores; the last model and its history."""
    report.scores[label] = []
    for seed in range(checks.count("seeds", seeds)):
        keras.utils.set_random_seed(seed)
        callbacks = [watch(f"{label}, {seed + 1} of {seeds}", epochs)] if watch else []
        model, history = train(cell, seed, callbacks)
        report.scores[label].append(score(model))
    return model, history


def _keep(report, out, name, model, **figures):
    """Write the model and the figures, and note where."""
    out = pathlib.Path(out)
    report.files.append(training.save(model, out / f"{name}.keras"))
    for title, axes in figures.items():
        path = out / f"{name}_{title}.png"
        with training.replacing(path) as temporary:
            np.ravel(axes)[0].figure.savefig(temporary, dpi=150)
        report.files.append(path)


def _cosine(learning_rate, epochs, samples, batch_size=32):
    """A learning rate that falls to zero along half a cosine over the whole training."""
    return keras.optimizers.schedules.CosineDecay(learning_rate, epochs * -(-samples // batch_size))


def _classes(model, x):
    return model.predict(x, verbose=0).argmax(axis=-1)


def _standardised(data):
    """x of both parts, each feature with mean 0 and deviation 1 in training; padding stays 0."""
    real = _real_steps(data.x_train, data.lengths_train)
    mean, scale = data.x_train[real].mean(axis=0), data.x_train[real].std(axis=0)

    def standardise(x, lengths):
        return np.where(_real_steps(x, lengths)[..., None], (x - mean) / scale, 0).astype("float32")

    return (
        standardise(data.x_train, data.lengths_train),
        standardise(data.x_test, data.lengths_test),
    )


def _standard_normal_variate(spectra):
    """Each spectrum with mean 0 and deviation 1 of its own: how much light scattered is taken out.

    Barnes, Dhanoa & Lister 1989, https://doi.org/10.1366/0003702894202201.
    """
    mean, scale = spectra.mean(axis=1, keepdims=True), spectra.std(axis=1, keepdims=True)
    return (spectra - mean) / scale


def _real_steps(x, lengths):
    if lengths is None:
        return np.ones(x.shape[:2], dtype=bool)
    return np.arange(x.shape[1]) < lengths[:, None]


def _days(level, midnights):
    """What `forecast` reads and foretells at each of `midnights`, indices into `level`."""
    week_before = np.concatenate([np.zeros(WEEK), level[:-WEEK]])
    change = level - week_before
    x = [
        np.concatenate([part[m - WEEK : m].reshape(-1, DAY) for part in (level, change)], axis=1)
        for m in midnights
    ]
    y = [change[m : m + DAY] for m in midnights]
    return np.asarray(x, dtype="float32"), np.asarray(y, dtype="float32")
