"""`fit` does the same as Keras's trainer before, during and after a step and an epoch."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import lstm_zoo as lz

RNG = np.random.default_rng(0)
X = RNG.normal(size=(10, 3, 2)).astype("float32")
Y = RNG.normal(size=(10, 1)).astype("float32")
LABELS = np.arange(10) % 3
WEIGHTS = RNG.uniform(0.5, 2.0, 10).astype("float32")
OPTIONS = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}


def network(outputs=1, activation=None, **dense):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((3, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="tanh", name="hidden", **dense),
            keras.layers.Dense(outputs, activation=activation, name="output"),
        ]
    )


def compiled(optimizer=None, loss="mse", model=None, **options):
    model = model or network()
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss, **options)
    return model


def assert_alike(make, *data, **options):
    """Models of `make`, trained by both, and their histories."""
    options = OPTIONS | options
    ours, theirs = make(), make()
    callbacks = options.pop("callbacks", list)
    expected = theirs.fit(*data, callbacks=callbacks(), **options)
    got = lz.fit(ours, *data, clipnorm=None, callbacks=callbacks(), **options)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for name, values in expected.history.items():
        np.testing.assert_allclose(got.history[name], values, rtol=2e-5, err_msg=name)
    assert set(got.history) - set(expected.history) <= {"grad_norm", "seconds"}
    assert got.epoch == expected.epoch
    assert ours.history is got
    for a, b in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-5)
    return ours, theirs


# ---- the optimizer

OPTIMIZERS = {
    "averages": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5),
    "averages often": lambda: keras.optimizers.SGD(
        0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
    "accumulates": lambda: keras.optimizers.Adam(0.1, gradient_accumulation_steps=2),
    "decays weights": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.2),
    "clips each": lambda: keras.optimizers.SGD(0.1, clipnorm=0.1),
    "clips all": lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.1),
    "clips values": lambda: keras.optimizers.SGD(0.1, clipvalue=0.05),
    "scales": lambda: keras.optimizers.SGD(0.1, loss_scale_factor=8.0),
    "scales as needed": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.1), dynamic_growth_steps=2
    ),
    "follows a schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    ),
}


@pytest.mark.short("averages", "accumulates", "clips all", "scales", "follows a schedule")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_does_the_same_as_in_keras(name):
    assert_alike(lambda: compiled(OPTIMIZERS[name]()), X, Y)


def test_averaged_weights_are_those_of_the_epoch_with_the_lowest_validation_loss():
    """After the first epoch the rate is 0: the averages still move, the loss does not."""

    def trained(epochs):
        model = compiled(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
        rate = keras.callbacks.LearningRateScheduler(lambda epoch: 3.0 if epoch else 0.1)
        options = OPTIONS | {"epochs": epochs, "callbacks": [rate], "clipnorm": None}
        lz.fit(model, X, Y, validation_data=(X, Y), **options)
        return model.get_weights()

    for a, b in zip(trained(1), trained(3)):
        np.testing.assert_array_equal(a, b)


def test_loss_scale_is_kept_from_one_call_to_the_next():
    model = compiled(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
    lz.fit(model, X, Y, **OPTIONS)
    variables = model.optimizer.variables
    model.optimizer.dynamic_scale.assign(8.0)
    lz.fit(model, X, Y, **OPTIONS)
    assert float(model.optimizer.dynamic_scale) == 8
    assert len(model.optimizer.variables) == len(variables)


class Unused(keras.layers.Layer):
    """Has a weight on which nothing depends."""

    def build(self, shape):
        self.unused = self.add_weight((2,), "ones", name="unused")

    def call(self, x):
        return x


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_weight_without_a_gradient_does_not_decay():
    def make():
        keras.utils.set_random_seed(1)
        layers = [keras.Input((3, 2)), Unused(), keras.layers.Flatten(), keras.layers.Dense(1)]
        return compiled(keras.optimizers.SGD(0.1, weight_decay=0.5), model=keras.Sequential(layers))

    ours, _ = assert_alike(make, X, Y)
    assert ours.layers[0].unused.numpy().tolist() == [1, 1]


def test_constraints_are_kept():
    ours, _ = assert_alike(
        lambda: compiled(model=network(kernel_constraint=keras.constraints.MaxNorm(0.3))), X, Y
    )
    assert np.linalg.norm(ours.layers[1].kernel.numpy(), axis=0).max() <= 0.3 + 1e-6


def test_layers_frozen_after_compile_stay_as_they_are():
    def make():
        model = compiled()
        model.layers[1].trainable = False
        return model

    assert_alike(make, X, Y)


@pytest.mark.filterwarnings("ignore:.*trainable weights")
def test_model_without_trainable_weights_is_evaluated():
    def make():
        model = network()
        model.trainable = False
        return compiled(model=model)

    assert_alike(make, X, Y)


def test_gradient_norm_counts_a_repeated_token_once():
    tokens = np.array([[1, 1, 2], [2, 2, 2]])
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Embedding(4, 2), keras.layers.Flatten()]
    model = compiled(model=keras.Sequential([*layers, keras.layers.Dense(1)]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(tokens) - Y[:2]) ** 2)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_variables])
    norm = np.sqrt(sum(np.sum(tf.convert_to_tensor(g).numpy() ** 2) for g in gradients))
    history = lz.fit(model, tokens, Y[:2], epochs=1, verbose=0).history
    assert history["grad_norm"] == [pytest.approx(norm, rel=1e-5)]


# ---- the loss and the metrics


def test_regularizers_and_added_losses_count():
    class Adds(keras.layers.Layer):
        def call(self, x):
            self.add_loss(ops.mean(x**2))
            return x

    def make():
        model = network(kernel_regularizer="l2", activity_regularizer="l1")
        return compiled(model=keras.Sequential([*model.layers, Adds()]))

    assert_alike(make, X, Y)


@pytest.mark.parametrize("reduction", [None, "sum"])
def test_loss_may_be_reduced_in_any_way(reduction):
    assert_alike(lambda: compiled(loss=keras.losses.MeanSquaredError(reduction=reduction)), X, Y)


class Own(keras.Model):
    """Says itself what its loss and its metrics are."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return super().compute_loss(x, y, y_pred, sample_weight) + ops.mean(y_pred**2)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "largest": ops.max(y_pred)}


def test_models_own_loss_and_metrics_are_used():
    def make():
        inner = network()
        return compiled(model=Own(inner.inputs, inner.outputs), metrics=["mae"])

    ours, theirs = make(), make()
    options = OPTIONS | {"validation_data": (X, Y)}
    got = lz.fit(ours, X, Y, clipnorm=None, **options).history
    expected = theirs.fit(X, Y, **options).history
    assert {*expected, "grad_norm", "seconds"} == {*got}
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-5, err_msg=name)


def test_weighted_metrics_are_weighted_and_may_have_several_numbers():
    def make():
        return compiled(
            loss="categorical_crossentropy",
            model=network(3, "softmax"),
            metrics=[keras.metrics.F1Score(), "accuracy"],
            weighted_metrics=[keras.metrics.CategoricalAccuracy(name="weighted")],
        )

    one_hot = np.eye(3, dtype="float32")[LABELS]
    assert_alike(make, X, one_hot, sample_weight=WEIGHTS, validation_data=(X, one_hot, WEIGHTS))


def test_metric_of_several_numbers_is_shown_and_kept_in_checkpoints(tmp_path):
    for epochs in (1, 2):
        model = compiled(loss="categorical_crossentropy", model=network(3, "softmax"),
                         metrics=[keras.metrics.F1Score()])  # fmt: skip
        options = OPTIONS | {"epochs": epochs, "checkpoint_dir": tmp_path, "verbose": 2, "seed": 0}
        history = lz.fit(model, X, np.eye(3)[LABELS], **options)
    assert np.shape(history.history["f1_score"]) == (2, 3)
    assert "History(2 epochs" in repr(history)
    assert history._repr_html_()


def test_weights_of_several_losses_count():
    def make():
        keras.utils.set_random_seed(1)
        inputs = keras.Input((3, 2))
        h = keras.layers.Flatten()(inputs)
        outputs = [keras.layers.Dense(1, name=name)(h) for name in ("a", "b")]
        model = keras.Model(inputs, outputs)
        return compiled(loss=["mse", "mae"], model=model, loss_weights=[1.0, 0.2])

    assert_alike(make, X, [Y, 2 * Y], validation_data=(X, [Y, Y]))


# ---- callbacks


class Noting(keras.callbacks.Callback):
    """Notes each hook that is called, with what."""

    def __init__(self):
        super().__init__()
        self.notes = []


def _note(name):
    def hook(self, *given, logs=None):
        *given, logs = given if given and isinstance(given[-1], dict) else (*given, logs)
        logs = {k: v for k, v in (logs or {}).items() if k not in ("grad_norm", "seconds")}
        numbers = [int(one) for one in given if one is not None]
        self.notes.append((name, numbers, logs, self.params["epochs"], self.params["steps"]))

    return hook


for _part in ("train", "test"):
    for _hook in (f"on_{_part}_begin", f"on_{_part}_end"):
        setattr(Noting, _hook, _note(_hook))
    for _hook in (f"on_{_part}_batch_begin", f"on_{_part}_batch_end"):
        setattr(Noting, _hook, _note(_hook))
for _hook in ("on_epoch_begin", "on_epoch_end"):
    setattr(Noting, _hook, _note(_hook))


def test_callbacks_get_the_same_events_and_logs():
    notes = []
    for train in (lz.fit, keras.Model.fit):
        noting, options = Noting(), {"clipnorm": None} if train is lz.fit else {}
        options |= OPTIONS | {"validation_data": (X, Y), "validation_freq": 2}
        train(compiled(metrics=["mae"]), X, Y, callbacks=[noting], **options)
        notes.append(noting.notes)
    ours, theirs = notes
    assert [note[:2] for note in ours] == [note[:2] for note in theirs]
    assert [note[3:] for note in ours] == [note[3:] for note in theirs]
    for (name, _, got, *_), (_, _, expected, *_) in zip(ours, theirs):
        assert got.keys() == expected.keys(), name
        for key, value in expected.items():
            assert got[key] == pytest.approx(value, rel=1e-4), (name, key)


CALLBACKS = {
    "early stopping": lambda folder: keras.callbacks.EarlyStopping(
        "val_mae", mode="max", patience=1, restore_best_weights=True
    ),
    "plateau": lambda folder: keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9),
    "schedule": lambda folder: keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / 2**epoch),
    "csv": lambda folder: keras.callbacks.CSVLogger(str(folder / "log.csv")),
    "checkpoint": lambda folder: keras.callbacks.ModelCheckpoint(
        str(folder / "{epoch}.keras"), save_best_only=True
    ),
    "list": lambda folder: keras.callbacks.LambdaCallback(),
}


@pytest.mark.short("early stopping", "plateau", "checkpoint")
@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_of_keras_work_as_in_keras(name, tmp_path):
    folders = iter([tmp_path / "theirs", tmp_path / "ours"])

    def callbacks():
        folder = next(folders)
        folder.mkdir()
        return [CALLBACKS[name](folder)]

    # Without a validation set, of which fit would keep the best weights.
    data = {} if name != "early stopping" else {"validation_data": (X, Y)}
    data |= {"validation_data": (X, Y)} if name == "checkpoint" else {}
    data |= {"epochs": 4}
    if name == "checkpoint":
        ours, theirs = compiled(metrics=["mae"]), compiled(metrics=["mae"])
        theirs.fit(X, Y, callbacks=callbacks(), **OPTIONS | data)
        lz.fit(ours, X, Y, clipnorm=None, callbacks=callbacks(), **OPTIONS | data)
        files = [sorted(p.name for p in (tmp_path / f).iterdir()) for f in ("theirs", "ours")]
        assert files[0] == files[1] != []
        return
    assert_alike(lambda: compiled(metrics=["mae"]), X, Y, callbacks=callbacks, **data)


def test_backup_and_restore_resumes(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2 and self.interrupts:
                raise KeyboardInterrupt

    def train(model, folder, interrupts):
        one = Interrupt()
        one.interrupts = interrupts
        backup = keras.callbacks.BackupAndRestore(str(folder))
        return lz.fit(model, X, Y, callbacks=[backup, one], **OPTIONS | {"epochs": 4})

    whole = compiled()
    expected = train(whole, tmp_path / "whole", False)
    with pytest.raises(KeyboardInterrupt):
        train(compiled(), tmp_path / "parts", True)
    resumed = compiled()
    history = train(resumed, tmp_path / "parts", False)
    assert history.epoch == [2, 3]
    np.testing.assert_allclose(history.history["loss"], expected.history["loss"][2:], rtol=1e-6)
    for a, b in zip(resumed.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_may_be_swapped_in_for_validation(on_epoch):
    losses = []
    for train in (lz.fit, keras.Model.fit):
        model = compiled(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
        options = {"clipnorm": None} if train is lz.fit else {}
        swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=on_epoch)
        options |= OPTIONS | {"validation_data": (X, Y), "callbacks": [swap], "epochs": 3}
        losses.append(train(model, X, Y, **options).history["val_loss"])
        best = min(losses[0])
        if train is lz.fit:
            assert model.evaluate(X, Y, verbose=0) == pytest.approx(best, rel=1e-5)
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_callback_can_stop_validation():
    class Stop(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = True

    assert_alike(compiled, X, Y, validation_data=(X[:4], Y[:4]), epochs=1,
                 callbacks=lambda: [Stop()])  # fmt: skip


def test_a_keras_callback_list_is_accepted():
    heard = []
    one = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append(epoch))
    lz.fit(compiled(), X, Y, callbacks=keras.callbacks.CallbackList([one]), **OPTIONS)
    assert heard == [0, 1]


# ---- the rest


class Told(keras.utils.PyDataset):
    """Notes what it is told, and asked for."""

    def __init__(self):
        super().__init__()
        self.told = []

    def __len__(self):
        return 2

    def __getitem__(self, number):
        self.told.append(number)
        return X[4 * number :][:4], Y[4 * number :][:4]

    def on_epoch_begin(self):
        self.told.append("begin")

    def on_epoch_end(self):
        self.told.append("end")


def test_datasets_get_the_events_of_each_pass():
    """Keras also reports an end before the first pass, and requests the first batch twice."""
    told, measured = Told(), Told()
    lz.fit(compiled(), told, validation_data=measured, epochs=2, shuffle=False, verbose=0)
    passes = ["begin", 0, 1, "end"]
    assert told.told in ([*passes, *passes], ["begin", 0, 0, 1, "end", *passes])
    assert measured.told == [*passes, *passes]


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}])
def test_way_of_execution_changes_no_number(options):
    assert_alike(lambda: compiled(**options), X, Y, validation_data=None)


def test_epochs_are_counted_from_the_first_one():
    assert_alike(compiled, X, Y, epochs=3, initial_epoch=1)


def test_validation_batches_may_have_another_size():
    data = {"validation_data": (X, Y), "validation_batch_size": 3, "epochs": 1}
    noting = Noting()
    lz.fit(compiled(), X, Y, callbacks=[noting], **OPTIONS | data)
    assert sum(note[0] == "on_test_batch_end" for note in noting.notes) == 4


def test_limits_of_keras_config_are_kept():
    keras.config.set_max_epochs(1)
    keras.config.set_max_steps_per_epoch(2)
    try:
        noting = Noting()
        with pytest.warns(UserWarning, match="limits"):
            lz.fit(compiled(), X, Y, callbacks=[noting], **OPTIONS)
    finally:
        keras.config.set_max_epochs(None)
        keras.config.set_max_steps_per_epoch(None)
    assert sum(note[0] == "on_train_batch_end" for note in noting.notes) == 2


def test_unsupported_models_are_refused():
    class Way(keras.Sequential):
        def make_train_function(self, force=False):
            return super().make_train_function(force)

    with pytest.raises(ValueError, match="model must not override make_train_function"):
        lz.fit(compiled(model=Way(network().layers)), X, Y, **OPTIONS)
    model = compiled()
    model.optimizer = None
    with pytest.raises(ValueError, match="model must be compiled with an optimizer, got None"):
        lz.fit(model, X, Y, **OPTIONS)
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        inside = compiled()
    lz.fit(inside, X, Y, **OPTIONS)
    assert json.dumps(lz.fit(inside, X, Y, strategy=strategy, **OPTIONS).history)
