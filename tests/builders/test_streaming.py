"""A stream computes, step by step, the same numbers as on the whole sequence."""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.layers.one_step import OneStep, one_step_of
from lstm_zoo.layers.variants import names

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 3)).astype("float32")
SMALL = {"lstm_units": (4, 3), "dense_units": 5}


def streamed(model, x):
    reader = lz.stream(model, batch_size=len(x))
    return np.stack([reader.step(x[:, t]) for t in range(x.shape[1])], axis=1)


def whole(model, x):
    """What the model gives for each beginning of the sequences."""
    return np.stack([model(x[:, : t + 1]).numpy() for t in range(x.shape[1])], axis=1)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_stream_of_a_summary_equals_the_model_on_each_beginning(pooling):
    model = lz.build_classifier((None, 3), 4, pooling=pooling, mask_value=0.0, **SMALL)
    if pooling == "attention":
        layer = model.get_layer("attention")
        layer.set_weights([RNG.normal(size=w.shape) for w in layer.get_weights()])
    x = X.copy()
    x[0, 2] = x[1, 4:] = x[1, 0] = 0  # masked, in the middle, at the end and at the start
    np.testing.assert_allclose(streamed(model, x), whole(model, x), atol=1e-6)


@pytest.mark.short(cell=("lstm", "peephole"))
@pytest.mark.slow
@pytest.mark.parametrize("cell", [cell for cell in names() if cell != "gru_d"])  # not stacked
def test_stream_of_every_cell_equals_the_whole_sequence(cell):
    model = lz.build_tagger((None, 3), 4, cell=cell, bidirectional=False, **SMALL)
    np.testing.assert_allclose(streamed(model, X), model(X), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        lambda: lz.build_regressor((6, 3), 2, normalise=X, dropout=0.5, **SMALL),
        lambda: lz.build_forecaster(
            (None, 3), 2, quantiles=(0.1, 0.9), num_targets=2, scale_windows=False, **SMALL
        ),
        lambda: lz.build_forecaster((6, 3), 2, scale_windows=False, **SMALL),
    ],
)
def test_stream_of_every_causal_builder_ends_where_the_model_does(model):
    model = model()
    np.testing.assert_allclose(streamed(model, X)[:, -1], model(X), atol=1e-5)


def test_stream_of_tokens_equals_the_whole_sequence():
    model = lz.build_language_model(7, lstm_units=4, embedding_dim=3)
    tokens = RNG.integers(0, 7, size=(2, 5))
    np.testing.assert_allclose(streamed(model, tokens), model(tokens), atol=1e-6)


def test_stream_does_not_change_the_keras_model(tmp_path):
    inputs = keras.Input((None, 3))
    x = keras.layers.GRU(4, return_sequences=True)(inputs)
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.TimeDistributed(keras.layers.Dense(3))(x)
    x = keras.layers.LSTM(4)(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    before = model.get_config()
    np.testing.assert_allclose(streamed(model, X), whole(model, X), atol=1e-6)
    assert model.get_config() == before
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X), model(X))


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize(
    "layer",
    [
        lz.LSTM,
        lambda _, **options: keras.layers.RNN(
            [keras.layers.LSTMCell(4), keras.layers.GRUCell(5)], **options
        ),
    ],
    ids=["LSTM", "stacked cells"],
)
def test_stream_equals_the_layer_at_masked_steps(layer, zeros, sequences):
    inputs = keras.Input((None, 3))
    x = keras.layers.Masking()(inputs)
    x = layer(4, zero_output_for_mask=zeros, return_sequences=sequences)(x)
    model = keras.Model(inputs, x)
    x = X.copy()
    x[0, 2] = x[1, 4:] = x[1, 0] = 0
    expected = model(x) if sequences else whole(model, x)
    np.testing.assert_allclose(streamed(model, x), expected, atol=1e-6)


HALF = "mixed_float16"
AFTER_A_MASK = {
    "LSTM in half": lambda x: lz.LSTM(4, dtype=HALF)(x),
    "Keras's GRU in half": lambda x: keras.layers.GRU(4, dtype=HALF)(x),
    "LSTM in double": lambda x: lz.LSTM(4, dtype="float64")(x),
    "mean in half": lambda x: lz.layers.MeanOverTime(dtype=HALF)(x),
    "Keras's mean in half": lambda x: keras.layers.GlobalAveragePooling1D(dtype=HALF)(x),
    "Keras's maximum, which ignores masks": lambda x: keras.layers.GlobalMaxPooling1D(dtype=HALF)(
        x
    ),
    "behind a layer in half": lambda x: lz.LSTM(4)(keras.layers.Dense(3, dtype=HALF)(x)),
    "behind an LSTM in half": lambda x: lz.LSTM(4)(
        lz.LSTM(3, return_sequences=True, dtype=HALF)(x)
    ),
    "behind a cast": lambda x: lz.LSTM(4)(keras.ops.cast(x, "float16")),
    "behind a cast to the same type": lambda x: lz.LSTM(4)(keras.ops.cast(x, "float32")),
}


@pytest.mark.parametrize("layers", AFTER_A_MASK)
def test_stream_keeps_the_mask_where_layers_differ_in_type(layers):
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, AFTER_A_MASK[layers](keras.layers.Masking()(inputs)))
    x = X.copy()
    x[0, 4:] = x[1, :2] = 0
    # The last steps are masked: without the mask the answers are about 0.05 apart.
    np.testing.assert_allclose(streamed(model, x)[:, -1], model(x), atol=2e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_stream_keeps_the_mask_where_all_layers_are_in_half_precision(policy):
    keras.config.set_dtype_policy(policy)
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, lz.LSTM(4)(keras.layers.Masking()(inputs)))
    x = X.copy()
    x[0, 4:] = x[1, :2] = 0
    expected = keras.ops.cast(model(x), "float32")
    np.testing.assert_allclose(streamed(model, x)[:, -1].astype("float32"), expected, atol=1e-2)


@pytest.mark.parametrize("pooling", ["GlobalAveragePooling1D", "GlobalMaxPooling1D"])
def test_pooling_that_gives_no_vector_over_time_is_refused(pooling):
    inputs, layer = keras.Input((None, 3)), getattr(keras.layers, pooling)
    with pytest.raises(
        ValueError, match="must pool over time to be streamed, with data_format='ch"
    ):
        lz.stream(keras.Model(inputs, layer(data_format="channels_first")(inputs)))
    with pytest.raises(ValueError, match="must have keepdims=False to be streamed, got True"):
        lz.stream(keras.Model(inputs, layer(keepdims=True)(inputs)))


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_stream_starts_from_states_that_were_learned(pooling):
    inputs = keras.Input((None, 3))
    sequences = pooling == "mean"
    x = lz.LSTM(4, learned_initial_state=True, return_sequences=sequences)(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(x) if sequences else x)
    model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
    np.testing.assert_allclose(streamed(model, X), whole(model, X), atol=1e-6)


@pytest.mark.parametrize("sequences", [True, False])
def test_stream_outputs_zeros_before_the_first_unmasked_step(sequences):
    inputs = keras.Input((None, 3))
    layer = lz.LSTM(4, learned_initial_state=True, return_sequences=sequences)
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs)))
    model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
    x = X.copy()
    x[0, :2] = x[1] = 0
    expected = model(x) if sequences else whole(model, x)
    np.testing.assert_allclose(streamed(model, x), expected, atol=1e-6)


@pytest.mark.parametrize("layer", ["recurrent", "pooling"])
def test_stream_of_a_shared_layer_keeps_states_for_each_of_its_calls(layer):
    inputs = keras.Input((None, 3))
    if layer == "recurrent":
        shared = lz.LSTM(3, return_sequences=True)
        model = keras.Model(inputs, shared(shared(inputs)))
    else:
        shared = keras.layers.GlobalMaxPooling1D()
        after = lz.LSTM(3, return_sequences=True)(inputs)
        model = keras.Model(inputs, keras.layers.Add()([shared(inputs), shared(after)]))
    expected = model(X) if layer == "recurrent" else whole(model, X)
    np.testing.assert_allclose(streamed(model, X), expected, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Softmax(axis=1),
        keras.layers.UnitNormalization(axis=1),
        keras.layers.Normalization(axis=1, mean=np.arange(6.0), variance=np.ones(6)),
        keras.layers.LayerNormalization(axis=(1, 2)),
        keras.layers.EinsumDense("abc,bd->adc", output_shape=(6, 3)),
        keras.layers.Activation(lambda x: keras.ops.cumsum(x, axis=1)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_that_looks_along_the_sequence_is_refused(layer):
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, layer(inputs))
    with pytest.raises(ValueError, match="can't be run step by step"):
        lz.stream(model)


class StartsFromOnes(keras.layers.GRUCell):
    def get_initial_state(self, batch_size=None):
        return [keras.ops.ones((batch_size, self.units))]


@pytest.mark.parametrize(
    "cell",
    [
        lambda: StartsFromOnes(4),
        lambda: [StartsFromOnes(4), keras.layers.LSTMCell(3)],
    ],
    ids=["cell of its own", "stack of it"],
)
def test_stream_starts_where_the_layer_does(cell):
    inputs = keras.Input((None, 3))
    x = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, keras.layers.RNN(cell())(x))
    model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
    x = X.copy()
    x[0, 2] = x[1, 4:] = 0
    np.testing.assert_allclose(streamed(model, x), whole(model, x), atol=1e-6)


def test_stream_in_half_precision_sums_in_single():
    keras.config.set_dtype_policy("mixed_float16")
    model = lz.build_regressor((None, 1), pooling="mean", lstm_units=4, dense_units=())
    x = RNG.normal(size=(1, 3000, 1)).astype("float32")
    reader = lz.stream(model)
    for t in range(x.shape[1]):
        y = reader.step(x[:, t])
    assert any(state.max() == 3000 for state in reader.state)  # float16 counts to 2048
    np.testing.assert_allclose(y, model(x), atol=5e-3)


def test_stream_resets_and_continues_from_a_stored_state():
    model = lz.build_regressor((None, 3), pooling="max", lstm_units=4)
    reader = lz.stream(model, batch_size=2)
    first = [reader.step(X[:, t]) for t in range(6)]
    reader.reset()
    for t in range(3):
        reader.step(X[:, t])
    kept = reader.state
    reader.step(X[:, 0])
    reader.state = kept
    np.testing.assert_array_equal([reader.step(X[:, t]) for t in range(3, 6)], first[3:])


def test_a_single_sequence_may_lack_the_batch_axis():
    model = lz.build_regressor((None, 3), lstm_units=4)
    assert lz.stream(model).step(X[0, 0]).shape == (1, 1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: lz.build_tagger((None, 3), 2, lstm_units=4), "'recurrent_1' must not be bidirect"),
        (lambda: lz.build_lstm_fcn((6, 3), 2), "'convolution_1' .Conv1D. can't be run step by"),
        (lambda: lz.build_seq2seq(5, 5, lstm_units=4), "model must have one input"),
        (lambda: lz.build_autoencoder((6, 3), lstm_units=4), "'for_each_step' can't"),
        (lambda: lz.build_forecaster((6, 3), 2), "'window_scale' .* scale_windows=False"),
        (
            lambda: keras.Sequential(
                [keras.Input((6, 3)), keras.layers.LSTM(4, go_backwards=True)]
            ),
            "must have go_backwards=False",
        ),
    ],
)
def test_layers_that_need_later_steps_are_refused_by_name(model, message):
    with pytest.raises(ValueError, match=message):
        lz.stream(model())


@pytest.mark.parametrize("model", ["text", None, keras.layers.LSTM], ids=["text", "None", "class"])
def test_other_objects_than_models_are_refused(model):
    with pytest.raises(ValueError, match="model must be a keras.Model, got"):
        lz.stream(model)


def test_wrong_step_or_state_is_named():
    reader = lz.stream(lz.build_regressor((None, 3), lstm_units=4), batch_size=2)
    with pytest.raises(ValueError, match=r"x must be of shape \(2, 3\), got \(2, 4\)"):
        reader.step(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="state must hold 2 arrays, got 1"):
        reader.state = [np.zeros(2)]
    with pytest.raises(ValueError, match="x must be finite, got 1 NaN or infinite values"):
        reader.step([[0.0, 1.0, np.nan], [0.0, 0.0, 0.0]])
    speller = lz.stream(lz.build_language_model(5, lstm_units=2, embedding_dim=2))
    np.testing.assert_array_equal(speller.step([1.0]).shape, (1, 5))
    with pytest.raises(ValueError, match=r"x must hold integer tokens, got \[1.5\]"):
        speller.step([1.5])


def test_a_layer_after_pooling_runs_on_its_whole_sequence_at_each_step():
    """A decoder behind RepeatVector: its timesteps are not those of the input."""
    inputs = keras.Input((None, 3))
    x = keras.layers.RepeatVector(3)(keras.layers.LSTM(4)(inputs))
    model = keras.Model(inputs, keras.layers.Bidirectional(lz.LSTM(2))(x))
    np.testing.assert_allclose(streamed(model, X), whole(model, X), atol=1e-6)


@pytest.mark.parametrize("make", [lambda model: model, lz.predictor])
@pytest.mark.parametrize("shape", [(None, 3), (8, 3)])
def test_an_autoencoder_says_why_it_has_no_stream_and_names_a_call_that_works(make, shape):
    model = lz.build_autoencoder(shape, lstm_units=4)
    with pytest.raises(ValueError, match="autoencoder starts after the last step") as error:
        lz.stream(make(model))
    assert "register" not in str(error.value)
    assert "lz.anomaly_scores(model, window[None])" in str(error.value)
    assert lz.anomaly_scores(model, np.zeros((8, 3))[None]).shape == (1, 8)


def test_a_layer_of_keras_without_a_stream_names_the_call_for_whole_sequences():
    model = lz.build_lstm_fcn((8, 3), 2, lstm_units=4, filters=(4,), kernel_sizes=(3,))
    with pytest.raises(ValueError, match=r"Conv1D\) can't be run step by step.*lz\.predictor"):
        lz.stream(model)


def test_a_layer_becomes_streamable_by_one_registration_beside_it():
    class Largest(keras.layers.Layer):
        def call(self, sequences):
            return keras.ops.max(sequences, axis=1)

    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, Largest()(lz.LSTM(4, return_sequences=True)(inputs)))
    with pytest.raises(ValueError, match=r"Largest\) can't be run step by step"):
        lz.stream(model)

    @one_step_of(Largest)
    class LargestStep(OneStep):
        def states_of(self, features):
            return [("largest", features, "float32"), ("steps", 1, "float32")]

        def call(self, sequence, states, mask=None):
            largest, steps = states
            x = sequence[:, 0]
            largest = keras.ops.where(steps > 0, keras.ops.maximum(largest, x), x)
            return largest, largest, steps + 1

    np.testing.assert_allclose(streamed(model, X), whole(model, X), atol=1e-6)
