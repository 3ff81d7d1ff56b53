import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.builders import QuantileLoss
from lstm_zoo.recurrence import why_not_fast

RNG = np.random.default_rng(0)
BUILDERS = [
    lambda **kwargs: lz.build_classifier((10, 3), 4, **kwargs),
    lambda **kwargs: lz.build_regressor((10, 3), 2, **kwargs),
    lambda **kwargs: lz.build_forecaster((10, 3), 5, **kwargs),
]


class OwnCell(lz.LSTMCell):
    """A cell of the user's own, not registered."""


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_classifier_gives_probabilities_that_sum_to_one():
    model = lz.build_classifier((None, 3), 4)
    for timesteps in (1, 10):
        probabilities = model.predict(RNG.random((5, timesteps, 3)), verbose=0)
        assert probabilities.shape == (5, 4)
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_stack_has_the_layers_that_were_asked_for():
    model = lz.build_regressor((10, 3), 2, lstm_units=(6, 5, 4), dense_units=(8, 7), dropout=0.1)
    recurrent = layers_of(model, lz.LSTM)
    assert [layer.units for layer in recurrent] == [6, 5, 4]
    assert [layer.return_sequences for layer in recurrent] == [True, True, False]
    assert [layer.units for layer in layers_of(model, keras.layers.Dense)] == [8, 7, 2]
    assert [layer.rate for layer in layers_of(model, keras.layers.Dropout)] == [0.1] * 5
    assert model.output_shape == (None, 2)


def test_parameters_are_as_many_as_the_formula_says():
    """4 (n m + n^2 + n) for n units and m inputs, twice where bidirectional (Greff et al. 2017)."""

    def lstm(m, n):
        return 4 * (n * m + n * n + n)

    def trained(model):
        return sum(weight.numpy().size for weight in model.trainable_weights)

    plain = lz.build_regressor((10, 3), lstm_units=(6, 5), dense_units=())
    assert trained(plain) == lstm(3, 6) + lstm(6, 5) + (5 + 1)
    both = lz.build_regressor((10, 3), lstm_units=(6, 5), dense_units=(), bidirectional=True)
    assert trained(both) == 2 * lstm(3, 6) + 2 * lstm(12, 5) + (10 + 1)


@pytest.mark.short(cell=("lstm", "gru", OwnCell))
@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("lstm", lz.LSTM),
        ("peephole", lz.PeepholeLSTM),
        ("gru", lz.GRU),
        ("simple_rnn", lz.SimpleRNN),
        ("coupled", lz.layers.CoupledLSTM),
        (lz.LSTMCell, lz.LSTM),
        (lz.PeepholeLSTMCell, lz.PeepholeLSTM),
        (OwnCell, lz.layers.RNN),
        (keras.layers.GRUCell, keras.layers.RNN),
        (lz.LSTM, lz.LSTM),
        (keras.layers.GRU, keras.layers.GRU),
    ],
)
def test_every_cell_is_ready_for_keras_fit(cell, kind):
    model = lz.build_classifier((5, 3), 4, cell=cell, lstm_units=(4, 3), dense_units=(5,))
    assert len(layers_of(model, kind)) == 2
    if isinstance(cell, type) and issubclass(cell, lz.cells.Cell):
        assert all(why_not_fast(layer) is None for layer in layers_of(model, kind))
    before = model.get_weights()
    loss = model.fit(RNG.random((8, 5, 3)), np.arange(8) % 4, verbose=0).history["loss"]
    assert np.isfinite(loss).all()
    assert all((new != old).any() for new, old in zip(model.get_weights(), before))


@pytest.mark.slow
def test_mask_value_masks_padding():
    model = lz.build_classifier((None, 3), 4, mask_value=0.0, bidirectional=True)
    x = RNG.random((2, 7, 3))
    padded = np.concatenate([x, np.zeros((2, 5, 3))], axis=1)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), model.predict(padded, verbose=0), atol=1e-6
    )


@pytest.mark.slow
def test_forecaster_with_quantiles_learns_the_quantiles_of_noise():
    """Of targets that are uniform on 0 to 1 and independent of x, quantile q is q."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    model = lz.build_forecaster(
        (4, 1), 1, quantiles=(0.1, 0.5, 0.9), lstm_units=(2,), dense_units=(), learning_rate=0.03
    )
    y = rng.random((2000, 1))
    model.fit(np.zeros((2000, 4, 1)), y, epochs=15, batch_size=200, verbose=0)
    quantiles = model.predict(np.zeros((1, 4, 1)), verbose=0)
    assert quantiles.shape == (1, 1, 3)
    np.testing.assert_allclose(quantiles[0, 0], [0.1, 0.5, 0.9], atol=0.05)


def test_quantile_loss_equals_its_formula():
    rng = np.random.default_rng(1)
    truth, forecast = rng.normal(size=(4, 5)), rng.normal(size=(4, 5, 3))
    total = 0.0
    for q, column in zip((0.1, 0.5, 0.9), np.moveaxis(forecast, -1, 0)):
        error = truth - column
        total += np.where(error >= 0, q * error, (q - 1) * error).mean()
    loss = QuantileLoss((0.1, 0.5, 0.9))
    np.testing.assert_allclose(float(loss(truth, forecast)), total / 3, rtol=1e-6)


@pytest.mark.short("<lambda>-y2")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "y"),
    [
        (BUILDERS[0], np.array([3, 1])),
        (BUILDERS[1], np.ones((2, 2))),
        (BUILDERS[2], np.ones((2, 5))),
        (lambda: lz.build_forecaster((10, 3), 2, quantiles=[0.2, 0.5]), np.ones((2, 2))),
    ],
)
def test_saved_model_comes_back_compiled_and_equal(build, y, tmp_path):
    model = build()
    x = RNG.random((2, 10, 3))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    assert model.evaluate(x, y, verbose=0) == again.evaluate(x, y, verbose=0)


def test_numbers_of_numpy_are_numbers():
    one, three = np.int64(1), np.uint8(3)
    model = lz.build_classifier((np.int32(5), three), three, lstm_units=(three,), dense_units=[one])
    assert model.output_shape == (None, 3)
    assert lz.build_forecaster((5, 3), three, lstm_units=(one,)).output_shape == (None, 3)


def test_quantiles_may_be_any_iterable_and_the_learning_rate_any_number():
    model = lz.build_forecaster(
        (10, 3), 2, quantiles=(q / 4 for q in (1, 3)), learning_rate=np.float32(0.5)
    )
    assert model.output_shape == (None, 2, 2)
    assert float(model.optimizer.learning_rate) == 0.5


def test_learning_rate_may_be_a_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 100)
    model = lz.build_regressor((10, 3), learning_rate=schedule)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"lstm_units": ()}, r"lstm_units must be a tuple such as \(64, 32\), got \(\)"),
        ({"lstm_units": 6.4}, r"lstm_units must be a tuple such as \(64, 32\), got 6.4"),
        ({"lstm_units": True}, r"lstm_units must be a tuple such as \(64, 32\), got True"),
        ({"lstm_units": 0}, "lstm_units must be a whole number of at least 1, got 0"),
        ({"lstm_units": (0,)}, "lstm_units must be a whole number of at least 1, got 0"),
        ({"lstm_units": (8, -4)}, "lstm_units must be a whole number of at least 1, got -4"),
        ({"dense_units": (8.5,)}, "dense_units must be a whole number of at least 1, got 8.5"),
        ({"cell": "lstn"}, "cell must be one of lstm, .*, got 'lstn'; did you mean 'lstm'?"),
        ({"cell": "peep"}, "did you mean 'peephole'?"),
        ({"cell": "LSTM"}, "got 'LSTM'; did you mean 'lstm'?"),
        ({"cell": 3}, "cell must be one of .* or a cell class such as LSTMCell, got 3"),
        ({"cell": keras.layers.Dense}, "cell must be one of .* got <class .*Dense"),
        ({"cell": keras.layers.RNN}, "cell must be one of .* got <class .*RNN"),
        ({"cell": keras.layers.Bidirectional}, "cell must be one of .* got <class .*Bidirectional"),
        ({"cell": keras.layers.ConvLSTM1D}, "cell must be one of .* got <class .*ConvLSTM1D"),
        ({"mask_value": float("nan")}, "mask_value must be a finite number, got nan"),
        ({"learning_rate": float("inf")}, "learning_rate must be a number above 0, got inf"),
        ({"dropout": 1.0}, "dropout must be a fraction from 0 to below 1, got 1.0"),
        ({"dropout": -0.1}, "dropout must be a fraction from 0 to below 1, got -0.1"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
    ],
)
@pytest.mark.parametrize("build", BUILDERS)
def test_bad_argument_is_named(build, kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


@pytest.mark.parametrize("shape", [(10,), (10, None), (10, 3, 1), 10, None])
def test_bad_input_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"input_shape must be \(timesteps or None, features\)"):
        lz.build_classifier(shape, 3)


@pytest.mark.parametrize("shape", [(0, 3), (10, 0), (-1, 3), (10, 2.5)])
def test_bad_size_in_input_shape_is_named(shape):
    with pytest.raises(ValueError, match="input_shape's .* must be a whole number of at least 1"):
        lz.build_classifier(shape, 3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: lz.build_classifier((10, 3), 1), "num_classes .* at least 2, got 1"),
        (lambda: lz.build_classifier((10, 3), "9"), "num_classes .* at least 2, got '9'"),
        (lambda: lz.build_regressor((10, 3), 0), "num_outputs .* at least 1, got 0"),
        (lambda: lz.build_forecaster((10, 3), 0), "horizon .* at least 1, got 0"),
        (lambda: lz.build_forecaster((10, 3), 2, quantiles=(0.9, 0.1)), "quantiles must be rising"),
        (lambda: lz.build_forecaster((10, 3), 2, quantiles=(0.5, 1.5)), "quantiles must be rising"),
        (lambda: lz.build_forecaster((10, 3), 2, quantiles=()), "quantiles must be rising"),
        (lambda: lz.build_forecaster((10, 3), 2, quantiles=0.5), "quantiles must be .*, got 0.5"),
    ],
)
def test_bad_output_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
