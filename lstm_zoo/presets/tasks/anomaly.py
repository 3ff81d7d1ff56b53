"""Finds anomalies in a series."""

import itertools

import keras
import numpy as np

from lstm_zoo import builders
from lstm_zoo.presets import reading
from lstm_zoo.presets.tasks.base import Task, as_csv
from lstm_zoo.presets.tasks.registry import register


@register("anomaly detection")
class Anomaly(Task):
    """An autoencoder trained on windows without anomalies; a large error suggests an anomaly.

    As in the UCR archive, an anomaly counts as found if the step with the highest score is within
    100 steps of it (Wu & Keogh 2021). `data` holds `window` and `stride`, in steps. For a CSV file
    of one series, with one step per row, it returns the anomaly score of each step.
    """

    metric = "anomaly found within 100 steps (1) or missed (0)"
    higher_is_better = True
    loss = "mean_squared_error"

    def prepare(self):
        self.window, self.stride = self.recipe.data["window"], self.recipe.data["stride"]
        (self.marked,) = np.nonzero(self.data.y_test)
        self.compile_scale = float(self.data.x_train.std() ** -2)

    def _windows(self, series, stride):
        steps = np.lib.stride_tricks.sliding_window_view(series, self.window, axis=0)
        return np.ascontiguousarray(steps[::stride].swapaxes(1, 2))

    def training_part(self):
        x = self._windows(self.data.x_train, self.stride)
        return x, x

    def build(self, cell=None):
        return builders.build_autoencoder(
            (self.window, 1),
            normalise=self._windows(self.data.x_train, 1),
            name=self.recipe.name,
            **self.arguments(cell),
        )

    def compile(self, model, learning_rate=1e-3):
        model.compile(
            keras.optimizers.Adam(learning_rate),
            loss=self.loss,
            loss_weights=self.compile_scale,
        )

    def steps(self, model, series):
        """The anomaly score of each step: its squared error over all windows that contain it."""
        starts = np.arange(0, len(series) - self.window + 1, self.stride)
        errors = builders.anomaly_scores(model, self._windows(series, self.stride))
        total, count = np.zeros(len(series)), np.zeros(len(series))
        for start, error in zip(starts, errors, strict=True):
            total[start : start + self.window] += error
            count[start : start + self.window] += 1
        return total / np.maximum(count, 1)

    def _found(self, score):
        at = int(np.argmax(score))
        return float(self.marked[0] - 100 <= at <= self.marked[-1] + 100)

    def scores(self, model):
        from sklearn.metrics import roc_auc_score

        score = self.steps(model, self.data.x_test)
        area = float(roc_auc_score(self.data.y_test, score))
        return {"found": self._found(score), "area under the ROC curve of the steps": area}

    def baselines(self):
        train, test = self.data.x_train[:, 0], self.data.x_test[:, 0]
        seen, new = self._windows(self.data.x_train, 1)[..., 0], self._windows(self.data.x_test, 1)
        nearest = np.array([np.min(np.sum((seen - one[:, 0]) ** 2, axis=1)) for one in new[::4]])
        far = np.zeros(len(test))
        far[int(np.argmax(nearest)) * 4 + self.window // 2] = 1
        return {
            "farthest from the mean": self._found(np.abs(test - train.mean())),
            "largest step": self._found(np.abs(np.diff(test, prepend=test[0]))),
            "window farthest from any training window": self._found(far),
        }

    def answer(self, model, path):
        rows = reading.one_series(path, self.data.feature_names)
        held, scored = [], 0  # `held` starts with a window; `scored` of its rows have a score
        steps, more = itertools.count(1), True
        while more:
            new = list(itertools.islice(rows, reading.STEPS))
            more = len(new) == reading.STEPS
            held += new
            if len(held) < self.window:
                raise ValueError(f"{path} must have at least {self.window} rows, got {len(held)}")
            until = (
                len(held) - self.window if more else len(held)
            )  # rows whose windows are complete
            scores = self.steps(model, reading.single(path, held))[scored:until]
            for score in scores:
                yield {"step": next(steps), "anomaly score": round(float(score), 4)}
            start = max(0, until - self.window) // self.stride * self.stride
            held, scored = held[start:], until - start

    def example(self):
        return as_csv(self.data.feature_names, self.data.x_test[:200])

    def draw(self, model, ax=None):
        """Draw the anomaly score of each step of the test part, and the anomaly."""
        from lstm_zoo.presets import figures

        return figures.suspicion(self.steps(model, self.data.x_test), self.marked, ax)
