"""Forecasters of several libraries as their documentation makes them, for `forecasts.py`.

Each function imports its library and returns what is measured: a function that trains a model on
what is known at the first origin and gives forecasts `(origins, horizon)`, or with an axis for
`QUANTILES`.
"""

import numpy as np

QUANTILES = (0.05, 0.5, 0.95)


def steps_to_read(known, season, horizon):
    """For libraries that have no default."""
    return max(min(max(3 * season, 2 * horizon), known // 3), season, 2)


def ours(values, season, horizon, origins, seed):
    import tensorflow as tf

    import lstm_zoo as lz

    for limit in ("inter", "intra"):
        getattr(tf.config.threading, f"set_{limit}_op_parallelism_threads")(1)

    def run():
        found = lz.backtest(
            values,
            horizon,
            {"lstm": {}},
            start=int(origins[0]),
            stride=int(np.diff(origins)[0]),
            season=season,
            baselines=["seasonal naive"],
            seed=seed,
            verbose=0,
        )
        return found.bands["lstm"]

    return run


def naive(values, season, horizon, origins, seed):
    return lambda: np.stack([np.resize(values[t - season : t], horizon) for t in origins])


def auto_ets(values, season, horizon, origins, seed):
    from statsforecast.models import AutoETS

    def run():
        each = []
        for t in origins:
            found = AutoETS(season_length=season).forecast(values[:t], horizon, level=[90])
            each.append(np.stack([found[k] for k in ("lo-90", "mean", "hi-90")], axis=-1))
        return np.stack(each)

    return run


def neural_forecast(values, season, horizon, origins, seed):
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.models import LSTM

    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(len(values)), "y": values})
    quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}

    def run():
        model = NeuralForecast([LSTM(h=horizon, random_seed=seed, **quiet)], freq=1)
        model.fit(frame[: origins[0]])
        return np.stack([model.predict(frame[:t])["LSTM"].to_numpy() for t in origins])

    return run


def darts(kind, scaled):
    def made(values, season, horizon, origins, seed):
        from darts import TimeSeries
        from darts.dataprocessing.transformers import Scaler
        from darts.models import BlockRNNModel, RNNModel

        steps = steps_to_read(origins[0], season, horizon)
        rest = {"random_state": seed, "pl_trainer_kwargs": {"enable_progress_bar": False}}
        if kind == "RNNModel":
            training = min(steps + horizon, origins[0] - 2)
            model = RNNModel(steps, model="LSTM", training_length=training, **rest)
        else:
            model = BlockRNNModel(steps, horizon, model="LSTM", **rest)
        known = [TimeSeries.from_values(values[:t]) for t in origins]

        def run():
            given, back = known, lambda found: found
            if scaled:
                scaler = Scaler().fit(known[0])
                given, back = [scaler.transform(one) for one in known], scaler.inverse_transform
            model.fit(given[0], verbose=False)
            found = model.predict(horizon, series=given, verbose=False)
            return np.stack([back(one).values()[:, 0] for one in found])

        return run

    return made


def skforecast(values, season, horizon, origins, seed):
    import keras
    import pandas as pd
    from skforecast.deep_learning import ForecasterRnn, create_and_compile_model

    steps = steps_to_read(origins[0], season, horizon)
    frame = pd.DataFrame({"y": values})

    def run():
        keras.utils.set_random_seed(seed)
        model = create_and_compile_model(frame[: origins[0]], lags=steps, steps=horizon)
        options = {"epochs": 25, "batch_size": 32, "verbose": 0}
        forecaster = ForecasterRnn(model, levels="y", lags=steps, fit_kwargs=options)
        forecaster.fit(frame[: origins[0]])
        each = [forecaster.predict(last_window=frame[t - steps : t]) for t in origins]
        return np.stack([found["pred"].to_numpy() for found in each])

    return run


def deep_ar(values, season, horizon, origins, seed):
    import lightning
    import pandas as pd
    from gluonts.dataset.common import ListDataset
    from gluonts.torch import DeepAREstimator

    freq = {12: "M", 4: "Q", 7: "D", 24: "h", 48: "30min"}.get(season, "Y")
    start = pd.Period("1800-01-01", freq)
    known = [{"start": start, "target": values[:t]} for t in origins]

    def run():
        lightning.seed_everything(seed, verbose=False)
        options = {"max_epochs": 5, "enable_progress_bar": False, "logger": False}
        made = DeepAREstimator(freq=freq, prediction_length=horizon, trainer_kwargs=options)
        model = made.train(ListDataset(known[:1], freq=freq))
        found = model.predict(ListDataset(known, freq=freq))
        return np.stack([np.stack([one.quantile(q) for q in QUANTILES], -1) for one in found])

    return run


MODELS = {
    "LSTM Zoo": ours,
    "seasonal naive": naive,
    "statsforecast, AutoETS": auto_ets,
    "NeuralForecast, LSTM": neural_forecast,
    "skforecast, ForecasterRnn": skforecast,
    "GluonTS, DeepAR": deep_ar,
    "darts, BlockRNNModel": darts("BlockRNNModel", False),
    "darts, BlockRNNModel with Scaler": darts("BlockRNNModel", True),
    "darts, RNNModel": darts("RNNModel", False),
    "darts, RNNModel with Scaler": darts("RNNModel", True),
}
