import gc
import resource
import signal
import subprocess
import sys
import textwrap
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6, 3)).astype("float32")
LABELS = np.arange(20) % 3
TARGETS = X[:, :, :1].sum(axis=1)


def classifier(**kwargs):
    keras.utils.set_random_seed(1)
    return lz.build_classifier((6, 3), 3, lstm_units=(4,), dense_units=(), **kwargs)


def regressor(**kwargs):
    keras.utils.set_random_seed(1)
    return lz.build_regressor((6, 3), lstm_units=(4,), dense_units=(), **kwargs)


def assert_equal_weights(one, other, **tolerance):
    for a, b in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.slow
def test_without_clipping_it_equals_keras_fit():
    ours, keras_s = regressor(), regressor()
    history = lz.fit(
        ours, X, TARGETS, epochs=3, batch_size=20, clipnorm=None, seed=0, verbose=0
    ).history
    theirs = keras_s.fit(X, TARGETS, epochs=3, batch_size=20, shuffle=False, verbose=0).history
    assert_equal_weights(ours, keras_s, atol=1e-6)
    for name in ("loss", "mean_absolute_error"):
        np.testing.assert_allclose(history[name], theirs[name], rtol=1e-5)


@pytest.mark.slow
def test_one_step_is_clipped_gradient_descent():
    """SGD with learning rate 1 moves the weights by the clipped gradient: its norm is clipnorm."""
    for clipnorm in (1e-3, 1e6):
        model = regressor(normalise=None, scale_targets=False)
        model.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X) - TARGETS) ** 2)
        gradient = tape.gradient(loss, [w.value for w in model.trainable_variables])
        norm = np.sqrt(sum(np.sum(g.numpy().astype("float64") ** 2) for g in gradient))
        before = model.get_weights()
        history = lz.fit(
            model, X, TARGETS, epochs=1, batch_size=20, clipnorm=clipnorm, verbose=0
        ).history
        assert history["grad_norm"][0] == pytest.approx(norm, rel=1e-5)
        factor = min(1, clipnorm / norm)
        for new, old, g in zip(model.get_weights(), before, gradient):
            np.testing.assert_allclose(old - new, factor * g.numpy(), atol=1e-6)


@pytest.mark.slow
def test_epoch_loss_weighs_batches_by_their_size():
    model = regressor(normalise=None, scale_targets=False)
    model.compile(keras.optimizers.SGD(0.0), "mean_squared_error")
    history = lz.fit(model, X, TARGETS, epochs=1, batch_size=16, verbose=0).history
    expected = np.mean((model.predict(X, verbose=0) - TARGETS) ** 2)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_history_has_one_value_per_epoch_for_loss_metrics_norm_and_seconds():
    history = lz.fit(classifier(), X, LABELS, validation_data=(X, LABELS), epochs=2, verbose=0)
    assert isinstance(history, keras.callbacks.History)
    assert set(history.history) == {
        *("loss", "accuracy", "val_loss", "val_accuracy", "grad_norm", "seconds")
    }
    assert all(len(values) == 2 for values in history.history.values())
    assert history.epoch == [0, 1]
    assert min(history.history["seconds"]) > 0


@pytest.mark.slow
def test_same_seed_gives_the_same_model():
    models = [classifier(dropout=0.2), classifier(dropout=0.2), classifier(dropout=0.2)]
    for model, seed in zip(models, (5, 5, 6)):
        keras.utils.set_random_seed(2)
        lz.fit(model, X, LABELS, epochs=2, batch_size=8, seed=seed, verbose=0)
    assert_equal_weights(models[0], models[1], atol=0)
    assert any((a != b).any() for a, b in zip(models[0].get_weights(), models[2].get_weights()))


def test_set_random_seed_determines_the_order_of_samples():
    models = [classifier(), classifier()]
    for model in models:
        keras.utils.set_random_seed(2)
        lz.fit(model, X, LABELS, epochs=1, batch_size=8, verbose=0)
    assert_equal_weights(*models, atol=0)


@pytest.mark.slow
def test_stateful_model_is_trained_as_keras_trains_it():
    def model():
        keras.utils.set_random_seed(1)
        layers = [keras.Input(batch_shape=(4, 6, 3)), lz.LSTM(4, stateful=True)]
        model = keras.Sequential([*layers, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    ours, theirs = model(), model()
    lz.fit(ours, X, TARGETS, epochs=1, batch_size=4, clipnorm=None, seed=0, verbose=0)
    theirs.fit(X, TARGETS, epochs=1, batch_size=4, shuffle=False, verbose=0)
    assert_equal_weights(ours, theirs, atol=1e-6)
    for got, expected in zip(ours.layers[0].states, theirs.layers[0].states):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=1e-6)


class Counting(keras.metrics.Metric):
    """Counts the samples of a whole training: it is never reset."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = self.add_weight(name="seen", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen.assign_add(tf.cast(tf.shape(y_true)[0], "float32"))

    def result(self):
        return self.seen.value

    def reset_state(self):
        pass


def test_metric_that_is_never_reset_counts_every_sample_once():
    model = regressor()
    model.compile("sgd", "mse", metrics=[Counting(name="seen")])
    history = lz.fit(model, X, TARGETS, epochs=3, batch_size=8, verbose=0).history
    assert history["seen"] == [20, 40, 60]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.read, self.estimate = lz.LSTM(4), keras.layers.Dense(1)

    def call(self, x):
        return self.estimate(self.read(x))


def test_subclassed_model_is_trained():
    model = Subclassed()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = lz.fit(model, X, TARGETS, epochs=5, seed=0, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_models_own_train_step_trains_it():
    class Own(Subclassed):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.abs(y - self(x, training=True)))
            weights = self.trainable_variables
            gradients = tape.gradient(loss, [w.value for w in weights])
            self.optimizer.apply([tf.sign(g) for g in gradients], weights)
            return {"loss": loss, "own": tf.constant(7.0)}

    model = Own()
    model.compile(keras.optimizers.SGD(0.01))
    model(X[:1])
    before = model.get_weights()
    history = lz.fit(model, X, TARGETS, epochs=1, batch_size=20, verbose=0).history
    assert history["own"] == [7.0]
    assert "grad_norm" not in history
    for new, old in zip(model.get_weights(), before):
        np.testing.assert_allclose(np.abs(new - old), 0.01, atol=1e-6)  # signs, not gradients


def test_a_custom_train_step_may_choose_the_names_of_its_logs(tmp_path):
    def step(data):
        return {"grad_norm": tf.constant(2.0)}  # and no loss, by which epochs might be counted

    for epochs in (2, 2, 3):
        model = regressor()
        model.train_step = step
        options = {"epochs": epochs, "checkpoint_dir": tmp_path, "verbose": 0}
        assert lz.fit(model, X, TARGETS, **options).history["grad_norm"] == [2.0] * epochs


@pytest.mark.parametrize("clipnorm", [1e39, 1e300])
def test_clipnorm_beyond_float32_clips_nothing(clipnorm):
    free, huge = regressor(), regressor()
    for model, norm in ((free, None), (huge, clipnorm)):
        lz.fit(model, X, TARGETS, epochs=1, batch_size=20, clipnorm=norm, seed=0, verbose=0)
    assert_equal_weights(free, huge, atol=1e-7)


def test_fixed_batch_size_is_required():
    inputs = keras.Input(batch_shape=(4, 6, 3))
    model = keras.Model(inputs, keras.layers.Dense(1)(lz.LSTM(4, stateful=True)(inputs)))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="batch_size must be 4, the fixed batch size .*got 8"):
        lz.fit(model, X, TARGETS, batch_size=8)
    with pytest.raises(ValueError, match="x must hold a multiple of 4 samples, .*got 18"):
        lz.fit(model, X[:18], TARGETS[:18], batch_size=4)


def test_nothing_keeps_a_trained_model_alive():
    def train():
        model = regressor()
        lz.fit(model, X, TARGETS, epochs=1, verbose=0)
        return weakref.ref(model)

    model = train()
    keras.backend.clear_session()
    gc.collect()
    assert model() is None


@pytest.mark.long
def test_training_leaves_no_graph_behind():
    """TensorFlow would keep each graph until the process ends: 3 MB per call."""

    def graphs():
        gc.collect()
        return weakref.WeakSet(one for one in gc.get_objects() if isinstance(one, tf.Graph))

    model = regressor()
    of_earlier_tests = graphs()
    lz.fit(model, X, TARGETS, epochs=1, verbose=0)
    before = len(graphs() - of_earlier_tests)
    for _ in range(2):
        lz.fit(model, X, TARGETS, epochs=1, verbose=0)
    assert len(graphs() - of_earlier_tests) == before


def test_callbacks_may_be_one_or_none():
    seen = []
    one = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    lz.fit(regressor(), X, TARGETS, epochs=2, callbacks=one, verbose=0)
    lz.fit(regressor(), X, TARGETS, epochs=1, callbacks=None, verbose=0)
    assert seen == [0, 1]


def test_best_weights_are_kept():
    """A learning rate that jumps after the third epoch spoils the model."""
    model = regressor()
    jump = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 if epoch < 3 else 10.0)
    history = lz.fit(
        model,
        X,
        TARGETS,
        validation_data=(X, TARGETS),
        epochs=5,
        seed=0,
        callbacks=[jump],
        verbose=0,
    ).history
    best = min(history["val_loss"])
    assert history["val_loss"][-1] > best
    assert model.evaluate(X, TARGETS, verbose=0)[0] == pytest.approx(best, rel=1e-5)


def test_early_stopping_works():
    stop = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=1e9)
    history = lz.fit(regressor(), X, TARGETS, epochs=9, callbacks=[stop], verbose=0)
    assert len(history.history["loss"]) == 2


def test_learning_rate_callback_works():
    model = regressor()
    rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    lz.fit(model, X, TARGETS, epochs=2, callbacks=[rate], verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.25)


def test_verbose_zero_is_silent_and_one_shows_progress(capsys):
    lz.fit(regressor(), X, TARGETS, epochs=1, verbose=0)
    assert capsys.readouterr().out == ""
    lz.fit(regressor(), X, TARGETS, epochs=1, verbose=1)
    shown = capsys.readouterr().out
    assert "1/1" in shown
    assert "grad_norm" in shown


@pytest.mark.long
def test_interrupted_training_resumes_to_the_same_result(tmp_path):
    def train(model, epochs, callbacks=(), folder=None):
        return lz.fit(
            model,
            X,
            LABELS,
            validation_data=(X, LABELS),
            epochs=epochs,
            batch_size=8,
            seed=3,
            callbacks=callbacks,
            checkpoint_dir=folder,
            verbose=0,
        )

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if self.model.optimizer.iterations == 7:  # in the third epoch
                raise KeyboardInterrupt

    whole, parts = classifier(dropout=0.3), classifier(dropout=0.3)
    expected = train(whole, 5)
    with pytest.raises(KeyboardInterrupt):
        train(parts, 5, [Interrupt()], tmp_path)
    resumed = classifier(dropout=0.3)
    history = train(resumed, 5, folder=tmp_path)
    assert_equal_weights(whole, resumed, atol=0)
    assert history.history["loss"] == expected.history["loss"]
    assert train(resumed, 5, folder=tmp_path).history == history.history  # nothing left to do


def test_checkpoint_of_another_model_is_refused(tmp_path):
    lz.fit(classifier(), X, LABELS, epochs=1, checkpoint_dir=tmp_path, verbose=0)
    with pytest.raises(ValueError, match="checkpoint_dir holds checkpoint-.* of another model"):
        lz.fit(regressor(), X, TARGETS, epochs=2, checkpoint_dir=tmp_path, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = regressor(learning_rate=0.01)
        history = lz.fit(model, X, TARGETS, epochs=20, batch_size=20, seed=0, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert {w.dtype for w in model.trainable_variables} == {"float32"}
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    reference = regressor(learning_rate=0.01)
    norms = lz.fit(reference, X, TARGETS, epochs=1, batch_size=20, seed=0, verbose=0).history
    finite = [norm for norm in history["grad_norm"] if np.isfinite(norm)]
    assert finite[0] == pytest.approx(norms["grad_norm"][0], rel=0.05)  # the loss scale is out


@pytest.mark.long
def test_float64_model_trains():
    keras.config.set_dtype_policy("float64")
    try:
        model = regressor()
    finally:
        keras.config.set_dtype_policy("float32")
    history = lz.fit(model, X, TARGETS, epochs=3, seed=0, verbose=0).history
    assert {w.dtype for w in model.trainable_variables} == {"float64"}
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.long
def test_xla_gives_the_same_numbers():
    plain, compiled = regressor(), regressor()
    for model, xla in ((plain, False), (compiled, True)):
        lz.fit(model, X, TARGETS, epochs=2, batch_size=8, seed=0, jit_compile=xla, verbose=0)
    assert_equal_weights(plain, compiled, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "loss", "outputs"),
    [
        (lz.tasks.delayed_echo(16, timesteps=12, delay=2, seed=0), "mean_squared_error", 1),
        (
            lz.tasks.copying(16, timesteps=12, length=2, seed=0),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            10,
        ),
    ],
)
def test_model_with_an_output_at_every_step_is_trained(task, loss, outputs):
    x, y = task
    layers = [keras.Input((None, x.shape[-1])), lz.LSTM(8, return_sequences=True)]
    model = keras.Sequential([*layers, keras.layers.Dense(outputs)])
    model.compile(keras.optimizers.Adam(0.01), loss)
    losses = lz.fit(model, x, y, epochs=10, seed=0, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    with pytest.raises(ValueError, match=r"y must be \(samples, timesteps"):
        lz.fit(model, x, y[:, 0, 0] if y.ndim == 3 else y[:, 0])


def run_python(script, **kwargs):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **kwargs,
    )


# ---- nothing saved is lost


def test_saved_model_comes_back(tmp_path):
    model = regressor()
    path = lz.save(model, tmp_path / "deep" / "model.keras")
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(model.predict(X, verbose=0), again.predict(X, verbose=0))
    assert [file.name for file in path.parent.iterdir()] == ["model.keras"]


def test_full_disk_leaves_the_old_file(tmp_path):
    """A limit of 4 kB per file makes the write fail as on a full disk."""
    path = lz.save(regressor(), tmp_path / "model.keras")
    before = path.read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            lz.save(lz.build_regressor((6, 3), lstm_units=(50,)), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.long
def test_kill_while_saving_leaves_the_old_file(tmp_path):
    path = lz.save(regressor(), tmp_path / "model.keras")
    before = path.read_bytes()
    script = f"""
        import os, signal
        import lstm_zoo as lz
        from lstm_zoo import training
        model = lz.build_regressor((6, 3))
        write = type(model).save
        def write_half(self, file, **kwargs):
            write(self, file, **kwargs)
            os.truncate(file, os.path.getsize(file) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        type(model).save = write_half
        lz.save(model, {str(path)!r})
    """
    assert run_python(script).returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    keras.models.load_model(path)


def test_save_refuses_a_wrong_suffix(tmp_path):
    with pytest.raises(ValueError, match='path must end in ".keras", got .*model.h5'):
        lz.save(regressor(), tmp_path / "model.h5")


# ---- bad input is refused before any training


def with_value(array, value):
    array = np.array(array)
    array.flat[3] = value
    return array


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:, 0], LABELS, r"x must be \(samples, timesteps, features\), got shape \(20, 3\)"),
        (X[:0], LABELS[:0], "x must hold at least one sample"),
        (X, LABELS[:-1], "x and y must have the same number of samples, got 20 and 19"),
        (X[:, :4], LABELS, "x must have 6 timesteps to fit the model's input, got 4"),
        (X[..., :2], LABELS, "x must have 3 features to fit the model's input, got 2"),
        (with_value(X, np.nan), LABELS, "x must be finite, got 1 NaN or infinite values"),
        (with_value(X, np.inf), LABELS, "x must be finite, got 1 NaN or infinite values"),
        (X.astype(str), LABELS, "x must hold numbers, got dtype <U"),
        (X, LABELS / 2, "y must hold integer labels, got float64; lz.encode_labels"),
        (X, LABELS + 1, "y must hold labels from 0 to 2, got 1 to 3"),
        (X, LABELS - 1, "y must hold labels from 0 to 2, got -1 to 1"),
        (X, LABELS * 0 + 1, "y must hold at least two classes, got only class 1"),
        (
            X,
            np.eye(3)[LABELS],
            r"y must be \(samples,\) to fit the model's output, got shape \(20, 3\)",
        ),
    ],
)
def test_bad_data_is_named(x, y, message):
    model = classifier()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        lz.fit(model, x, y, epochs=1, verbose=0)
    for now, then in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((batch for batch in [X]), LABELS, "y must not be given if x yields batches"),
        (X, (batch for batch in [X]), "y must be one array .*got a generator"),
        ([X[0], X[1, :3]], [0, 1], "x must be one array .*of unequal shape; lz.pad"),
        ({"a": X}, LABELS, "x must be one array .*got a dict"),
        ([X, X], LABELS, "x must be one array .*got a list of 2 arrays"),
        (X, None, r"y must be one array \(samples, ...\), got None"),
    ],
)
def test_other_data_than_arrays_is_named(x, y, message):
    with pytest.raises(ValueError, match=message):
        lz.fit(classifier(), x, y, verbose=0)


def test_other_backends_raise_a_clear_error(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="fit needs TensorFlow: set KERAS_BACKEND=.*, got 'jax'"):
        lz.fit(None, X, LABELS)


def test_bad_targets_and_bad_validation_data_are_named():
    with pytest.raises(ValueError, match="y must be finite, got 1 NaN"):
        lz.fit(regressor(), X, with_value(TARGETS, np.nan))
    with pytest.raises(ValueError, match="validation x and validation y must have the same number"):
        lz.fit(regressor(), X, TARGETS, validation_data=(X, TARGETS[:3]))
    with pytest.raises(ValueError, match=r"y must be \(samples, 1\) to fit the model's output"):
        lz.fit(regressor(), X, np.zeros((20, 2)))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number of at least 1, got 2.5"),
        ({"epochs": True}, "epochs must be a whole number of at least 1, got True"),
        ({"clipnorm": -1}, "clipnorm must be a number above 0, got -1"),
        ({"clipnorm": float("inf")}, "clipnorm must be a number above 0, got inf"),
        ({"jit_compile": "yes"}, 'jit_compile must be "auto", True or False, got .yes.'),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 1.5}, "seed must be a whole number of at least 0, got 1.5"),
        ({"callbacks": 3}, "callbacks must be keras.callbacks.Callback objects, got int"),
        ({"callbacks": [print]}, "callbacks must be keras.callbacks.Callback objects, got builtin"),
        ({"validation_data": X}, "validation_data must be"),
    ],
)
def test_bad_argument_is_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        lz.fit(regressor(), X, TARGETS, **kwargs)


def test_model_that_is_not_compiled_is_refused():
    model = keras.Sequential([keras.Input((6, 3)), lz.LSTM(2)])
    with pytest.raises(ValueError, match="model must be compiled"):
        lz.fit(model, X, TARGETS)


def test_gpu_is_used_if_there_is_one():
    """TensorFlow places the step on the device of its first variable."""
    model = regressor()
    device = model.trainable_variables[0].value.device
    wanted = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    assert wanted in device
