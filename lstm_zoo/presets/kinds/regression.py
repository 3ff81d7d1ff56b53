"""A number for a sequence: a measurement from a spectrum."""

import keras
import numpy as np
from keras import layers as kl

from lstm_zoo import builders
from lstm_zoo.presets.kinds.base import RIDGE, Kind, flat


class Regression(Kind):
    metric = "test root mean squared error"

    def prepare(self):
        self.mean, self.deviation = self.data.y_train.mean(), self.data.y_train.std()
        self.target = self.data.target
        self.metric = f"test root mean squared error of {self.target}"

    def training_part(self):
        return self.data.x_train, self.data.y_train

    def build(self, cell=None):
        inputs = keras.Input(self.data.x_train.shape[1:], name="sequence")
        # Each sequence by itself: how much light scattered is taken out of a spectrum
        # (Barnes, Dhanoa & Lister 1989, doi:10.1366/0003702894202201).
        turned = kl.Permute((2, 1))(inputs)  # with PyTorch Keras normalises over last axes only
        normal = kl.LayerNormalization(
            center=False, scale=False, epsilon=1e-7, name="standard_normal_variate"
        )(turned)
        scaled = kl.Permute((2, 1))(normal)
        # Its slope and curvature beside it, as chemometrics does (Savitzky & Golay 1964).
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


def _each_standard(x):
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


def _rmse(estimate, truth):
    return float(np.sqrt(np.mean((np.reshape(estimate, (-1, 1)) - truth) ** 2)))
