"""Predicts a number from a sequence: a measurement from a spectrum, a sum over long lags."""

import functools

import keras
import numpy as np
from keras import layers as kl

from lstm_zoo import builders, cells, datasets, tasks
from lstm_zoo.presets import reading
from lstm_zoo.presets.tasks.base import RIDGE, Task, flat
from lstm_zoo.presets.tasks.registry import register


@register("regression")
class Regression(Task):
    """Predicts a measurement from a spectrum.

    It reads a CSV file with one step per row and one feature per column, named in the first line or
    in the order of the data set. A column `sample` separates sequences.
    """

    metric = "test root mean squared error"

    def prepare(self):
        self.mean, self.deviation = self.data.y_train.mean(), self.data.y_train.std()
        self.target = self.data.target
        self.metric = f"test root mean squared error of {self.target}"

    def training_part(self):
        return self.data.x_train, self.data.y_train

    def build(self, cell=None):
        inputs = keras.Input(self.data.x_train.shape[1:], name="sequence")
        # Normalise each spectrum separately, which removes the effect of scattered light
        # (Barnes, Dhanoa & Lister 1989, doi:10.1366/0003702894202201).
        turned = kl.Permute((2, 1))(inputs)  # on PyTorch, Keras normalises over last axes only
        normal = kl.LayerNormalization(
            center=False, scale=False, epsilon=1e-7, name="standard_normal_variate"
        )(turned)
        scaled = kl.Permute((2, 1))(normal)
        # Add the slope and curvature, as in chemometrics (Savitzky & Golay 1964).
        before, here, after = (kl.Cropping1D(cut)(scaled) for cut in ((0, 2), (1, 1), (2, 0)))
        slope = kl.Subtract(name="slope")([after, before])
        rise, fall = kl.Subtract()([after, here]), kl.Subtract()([here, before])
        curvature = kl.Subtract(name="curvature")([rise, fall])
        features = kl.Concatenate(name="features")([here, slope, curvature])
        seen = keras.Model(inputs, features).predict(self.data.x_train, verbose=0)
        core = builders.build_regressor(
            features.shape[1:],
            self.data.y_train.shape[1],
            normalise=seen,
            scale_targets=False,
            name="regressor",
            **self.arguments(cell),
        )
        core = keras.Model(core.input, core.output, name="regressor")  # without an optimizer
        scale_back = kl.Rescaling(self.deviation, self.mean, name="units")
        return keras.Model(inputs, scale_back(core(features)), name=self.recipe.name)

    def compile(self, model, learning_rate=1e-3):
        model.compile(
            keras.optimizers.Adam(learning_rate),
            loss="mean_squared_error",
            loss_weights=float(self.deviation**-2),
            metrics=[keras.metrics.RootMeanSquaredError(name="rmse")],
        )

    def scores(self, model):
        return {"rmse": _rmse(model.predict(self.data.x_test, verbose=0), self.data.y_test)}

    def baselines(self):
        from sklearn.decomposition import PCA
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures, StandardScaler

        data = self.data
        train, test = (flat(_each_standard(x)) for x in (data.x_train, data.x_test))
        linear = RidgeCV(RIDGE).fit(train, data.y_train)
        square = make_pipeline(
            PCA(7), StandardScaler(), PolynomialFeatures(2, include_bias=False), RidgeCV(RIDGE)
        ).fit(train, data.y_train)
        return {
            "mean of the training data": _rmse(self.mean, data.y_test),
            "linear model (ridge)": _rmse(linear.predict(test), data.y_test),
            "quadratic model on 7 principal components": _rmse(square.predict(test), data.y_test),
        }

    def answer(self, model, path):
        samples = reading.sequences(path, self.data.feature_names, model.input_shape[1])
        for number, values in reading.in_batches(model, samples):
            yield {"sample": number, self.target: round(float(values[0]), 4)}

    def draw(self, model, ax=None):
        """Draw estimates against the truth."""
        from lstm_zoo.presets import figures

        x, y = self.data.x_test, self.data.y_test
        estimates = model.predict(x, verbose=0)[:, 0]
        return figures.estimates(y[:, 0], estimates, self.target, ax)


@register("adding over long lags")
class Adding(Regression):
    """The generated adding problem over long lags of Hochreiter & Schmidhuber (1997).

    `data` holds `timesteps`, the paper's T, and `samples`, the size of the training part; it shares
    no sequence with the test part. The gates of an LSTM start with memories of up to T steps
    (Tallec & Ollivier 2018).
    """

    target = "0.5 + (X1 + X2) / 4"

    def prepare(self):
        self.mean, self.deviation = 0.5, 24**-0.5  # of the target, for X1 and X2 uniform in [-1, 1)
        self.metric = f"test root mean squared error of {self.target}"

    @functools.cached_property
    def data(self):
        samples, timesteps = self.recipe.data["samples"], self.recipe.data["timesteps"]
        x_train, y_train = tasks.adding_1997(samples, timesteps, seed=0)
        x_test, y_test = tasks.adding_1997(2000, timesteps, seed=1)
        return datasets.Dataset(
            name="adding_1997",
            task="regression",
            x_train=x_train,
            y_train=y_train,
            x_test=x_test,
            y_test=y_test,
            lengths_train=None,
            lengths_test=None,
            class_names=None,
            feature_names=("value", "mark"),
            units="none",
            timestep="1 step",
            target=self.target,
            source="generated by lstm_zoo.tasks.adding_1997",
            licence="none needed",
            citation="Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735",
        )

    def build(self, cell=None):
        inputs = keras.Input((None, 2), name="sequence")
        core = builders.build_regressor(
            (None, 2),
            mask_value=0.0,
            normalise=None,
            scale_targets=False,
            name="regressor",
            **self.arguments(cell),
        )
        layer = core.get_layer("recurrent_1")
        if isinstance(layer, keras.layers.LSTM):
            bias = layer.cell.bias
            bias.assign(cells.Chrono(self.recipe.data["timesteps"])(bias.shape))
        core = keras.Model(core.input, core.output, name="regressor")  # without an optimizer
        scale_back = kl.Rescaling(self.deviation, self.mean, name="units")
        return keras.Model(inputs, scale_back(core(inputs)), name=self.recipe.name)

    def scores(self, model):
        error = model.predict(self.data.x_test, batch_size=250, verbose=0) - self.data.y_test
        return {
            "rmse": float(np.sqrt(np.mean(error**2))),
            "share of sequences with an error below 0.04": float(np.mean(np.abs(error) < 0.04)),
        }

    def baselines(self):
        from sklearn.linear_model import LinearRegression

        data = self.data
        linear = LinearRegression().fit(flat(data.x_train), data.y_train)
        return {
            "mean of the training data": _rmse(data.y_train.mean(), data.y_test),
            "linear model (least squares)": _rmse(linear.predict(flat(data.x_test)), data.y_test),
        }


def _each_standard(x):
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


def _rmse(estimate, truth):
    return float(np.sqrt(np.mean((np.reshape(estimate, (-1, 1)) - truth) ** 2)))
