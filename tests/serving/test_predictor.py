"""A predictor gives what `predict` gives, for every layer, mask, length and batch."""

import concurrent.futures
import functools
import json
import os
import pathlib
import pickle
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.layer_tree import every_layer
from lstm_zoo.layers.variants import names

RNG = np.random.default_rng(0)
SMALL = {"lstm_units": (18, 5), "dense_units": 6}


def weighted(model):
    """The model with weights that no initializer would give, so that none is left out unseen."""
    for layer in model.layers:
        positive = any(word in layer.name for word in ("norm", "scale", "estimate"))
        weights = [
            RNG.normal(size=w.shape) / max(w.shape, default=1) ** 0.5 for w in layer.get_weights()
        ]
        layer.set_weights([np.abs(w) + 0.1 for w in weights] if positive else weights)
    return model


def masked(batch, timesteps=7, features=3):
    """Sequences with zeros in the middle, at the end and at the start, and one of zeros alone."""
    x = RNG.normal(size=(batch, timesteps, features)).astype("float32")
    x[0, timesteps // 2] = x[-1, -2:] = 0
    x[batch // 2, :2] = 0
    if batch > 2:
        x[1] = 0
    return x


def tokens(batch, timesteps, most):
    return RNG.integers(0, most, (batch, timesteps))


def compare(model, x, atol=2e-6):
    """The predictor's answers beside those of `predict`; that it is C code that gives them."""
    answer = lz.predictor(model)
    assert "runs in the C code" in lz.explain(answer)
    expected, got = model.predict(x, verbose=0), answer(x)
    assert isinstance(got, dict) == isinstance(expected, dict)
    for one, other in zip(keras.tree.flatten(got), keras.tree.flatten(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=atol)


def two_inputs(batch):
    return {
        "sequence": masked(batch),
        "known_future": masked(batch, 4, 2),
        "static": masked(batch, 1, 2)[:, 0],
    }


BUILT = {
    "classifier": (lambda: lz.build_classifier((None, 3), 4, mask_value=0.0, **SMALL), masked),
    "sigmoid": (
        lambda: lz.build_classifier((7, 3), 2, output="sigmoid", normalise=None, **SMALL),
        masked,
    ),
    "words": (
        lambda: lz.build_classifier((None,), 3, vocabulary_size=9, mask_value=0, **SMALL),
        lambda batch: tokens(batch, 6, 9),
    ),
    "regressor": (lambda: lz.build_regressor((7, 3), 2, mask_value=0.0, **SMALL), masked),
    "forecaster": (lambda: lz.build_forecaster((7, 3), 4, season=2, **SMALL), masked),
    "forecaster of all it knows": (
        lambda: lz.build_forecaster(
            (7, 3),
            4,
            quantiles=(0.1, 0.5, 0.9),
            num_targets=2,
            known_future=2,
            static=2,
            mask_value=0.0,
            **SMALL,
        ),
        two_inputs,
    ),
    "forecaster of any length": (
        lambda: lz.build_forecaster((None, 3), 4, num_targets=2, **SMALL),
        masked,
    ),
    "tagger": (lambda: lz.build_tagger((None, 3), 4, mask_value=0.0, **SMALL), masked),
    "tagger with a CRF": (
        lambda: lz.build_tagger((None, 3), 4, crf=True, mask_value=0.0, **SMALL),
        masked,
    ),
    "language model": (
        lambda: lz.build_language_model(9, lstm_units=18, mask_zero=True),
        lambda batch: tokens(batch, 6, 9),
    ),
    "autoencoder": (
        lambda: lz.build_autoencoder((None, 3), mask_value=0.0, normalise=masked(9)),
        masked,
    ),
    "LSTM-FCN": (
        lambda: lz.build_lstm_fcn((7, 3), 4, filters=(17, 5), kernel_sizes=(8, 3)),
        masked,
    ),
    "LSTM-FCN with masks": (
        lambda: lz.build_lstm_fcn(
            (None, 3), 4, filters=9, kernel_sizes=4, dimension_shuffle=False, mask_value=0.0
        ),
        masked,
    ),
    "LSTM-FCN with differences": (
        lambda: lz.build_lstm_fcn((7, 3), 4, filters=9, kernel_sizes=4, differences=True),
        masked,
    ),
    "translation": (
        lambda: lz.build_seq2seq(9, 8, embedding_dim=5, lstm_units=18),
        lambda batch: {"source": tokens(batch, 6, 9), "target": tokens(batch, 5, 8)},
    ),
    "translation without attention": (
        lambda: lz.build_seq2seq(9, 8, bidirectional=False, attention=False, lstm_units=5),
        lambda batch: {"source": tokens(batch, 6, 9), "target": tokens(batch, 5, 8)},
    ),
}


def test_every_builder_is_among_those_compared(monkeypatch):
    every = {name for name in lz.builders.__all__ if name.startswith("build_")}
    called = set()

    def build(name, made, *given, **options):
        called.add(name)
        return made(*given, **options)

    for name in every:
        monkeypatch.setattr(lz, name, functools.partial(build, name, getattr(lz, name)))
    for make, _ in BUILT.values():
        make()
    assert called == every


@pytest.mark.parametrize("built", BUILT)
def test_answers_of_every_builder_are_those_of_predict(built):
    make, inputs = BUILT[built]
    model = weighted(make())
    for batch in (1, 3, 29):
        compare(model, inputs(batch))


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_answers_with_masks_are_those_of_predict_for_every_pooling(pooling, bidirectional):
    options = {"pooling": pooling, "bidirectional": bidirectional, "mask_value": 0.0, **SMALL}
    compare(weighted(lz.build_classifier((None, 3), 4, **options)), masked(8))


IN_C = ("lstm", "peephole", "coupled", "gru", "simple_rnn")


@pytest.mark.parametrize("cell", IN_C)
def test_every_cell_in_c_answers_as_predict_at_every_length_in_turn(cell):
    model = lz.build_tagger((None, 3), 4, cell=cell, mask_value=0.0, lstm_units=(35, 16))
    answer = lz.predictor(weighted(model))
    for timesteps in (1, 2, 24, 25, 60, 5):
        for batch in (1, 2, 7):
            x = masked(batch, max(timesteps, 3))[:, :timesteps]
            np.testing.assert_allclose(answer(x), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [cell for cell in names() if cell not in (*IN_C, "gru_d")])
@pytest.mark.short(cell=("min_gru",))
def test_every_other_cell_answers_as_predict_by_one_graph(cell):
    model = lz.build_classifier((None, 3), 4, cell=cell, lstm_units=5)
    answer = lz.predictor(model)
    assert "is run by Keras, in one graph. Not in C: layer 'recurrent_1'" in lz.explain(answer)
    x = masked(3)
    np.testing.assert_allclose(answer(x), model.predict(x, verbose=0), atol=1e-6)


LAYERS = {
    "Keras's LSTM": lambda **options: keras.layers.LSTM(18, **options),
    "relu": lambda **options: lz.LSTM(5, activation="relu", use_bias=False, **options),
    "peepholes": lambda **options: lz.PeepholeLSTM(18, **options),
    "GRU without a bias": lambda **options: keras.layers.GRU(18, use_bias=False, **options),
    "GRU that resets before": lambda **options: keras.layers.GRU(18, reset_after=False, **options),
    "GRU that resets before, relu": lambda **options: keras.layers.GRU(
        70, reset_after=False, activation="relu", use_bias=False, **options
    ),
    "our GRU": lambda **options: lz.GRU(18, **options),
    "our GRU that resets before": lambda **options: lz.GRU(5, reset_after=False, **options),
    "our SimpleRNN": lambda **options: lz.SimpleRNN(18, activation="relu", **options),
    "learned first states": lambda **options: lz.LSTM(18, learned_initial_state=True, **options),
    "SimpleRNN": lambda **options: keras.layers.SimpleRNN(70, **options),
    "a cell": lambda **options: lz.RNN(lz.CoupledLSTMCell(5), **options),
}


def model_of_layer(layer):
    inputs = keras.Input((None, 3))
    return weighted(keras.Model(inputs, layer(keras.layers.Masking()(inputs))))


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_with_every_option_answers_as_predict(layer, sequences):
    for options in (
        {},
        {"go_backwards": True},
        {"zero_output_for_mask": True},
        {"return_state": True},
    ):
        made = LAYERS[layer](return_sequences=sequences, **options)
        compare(model_of_layer(made), masked(5))


@pytest.mark.parametrize("sequences", [False, True])
def test_stacked_cells_answer_as_predict(sequences):
    cells = [lz.LSTMCell(18), keras.layers.GRUCell(5), keras.layers.SimpleRNNCell(7)]
    for options in ({}, {"zero_output_for_mask": True}):
        layer = keras.layers.RNN(cells, return_sequences=sequences, **options)
        compare(model_of_layer(layer), masked(5))
    inputs = keras.Input((None, 3))
    layer = keras.layers.RNN(cells, return_sequences=sequences, go_backwards=True)
    compare(weighted(keras.Model(inputs, layer(inputs))), masked(5))


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
def test_both_directions_answer_as_predict_however_they_are_merged(merge_mode):
    for options in (
        {"return_sequences": True},
        {"return_sequences": True, "zero_output_for_mask": True},
        {"return_state": True},
    ):
        layer = keras.layers.Bidirectional(lz.LSTM(18, **options), merge_mode=merge_mode)
        compare(model_of_layer(layer), masked(5))


def test_states_from_outside_are_where_a_layer_starts():
    sequence, h, c = keras.Input((None, 3)), keras.Input((5,)), keras.Input((5,))
    x = keras.layers.Masking()(sequence)
    mask = keras.ops.any(keras.ops.not_equal(sequence, 0.0), axis=-1)
    y = lz.LSTM(5, return_sequences=True, return_state=True)(x, initial_state=[h, c], mask=mask)
    model = weighted(keras.Model([sequence, h, c], y))
    h, c = RNG.normal(size=(2, 6, 5)).astype("float32")
    compare(model, [masked(6), h, c])


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dense(70, activation="gelu"),
        keras.layers.Dense(3, activation="elu", use_bias=False),
        keras.layers.TimeDistributed(keras.layers.Dense(4, activation="softplus")),
        keras.layers.Activation("softmax"),
        keras.layers.Activation("hard_sigmoid"),
        keras.layers.Activation("silu"),
        keras.layers.Activation("softsign"),
        keras.layers.ReLU(),
        keras.layers.LayerNormalization(),
        keras.layers.BatchNormalization(),
        keras.layers.Rescaling(2.0, offset=-1.0),
        keras.layers.Conv1D(20, 3, padding="causal", activation="tanh"),
        keras.layers.Conv1D(3, 2, padding="valid"),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.GlobalMaxPooling1D(),
    ],
    ids=lambda layer: layer.name,
)
def test_a_layer_of_keras_behind_an_lstm_answers_as_predict(layer):
    inputs = keras.Input((None, 3))
    x = lz.LSTM(5, return_sequences=True)(inputs)
    model = weighted(keras.Model(inputs, layer(x)))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([np.abs(w) for w in layer.get_weights()])
    compare(model, masked(5))


def test_outputs_come_nested_as_those_of_the_model():
    inputs = keras.Input((7, 3), name="x")
    x = lz.LSTM(5)(inputs)
    y = {"mean": keras.layers.Dense(2)(x), "states": x, "input": inputs}
    model = keras.Model({"x": inputs}, y)
    compare(model, {"x": masked(3)})


def test_an_array_is_taken_where_a_list_or_dict_would_hold_nothing_else():
    inputs = keras.Input((7, 3), name="x")
    for named in ([inputs], {"x": inputs}):
        model = weighted(keras.Model(named, lz.LSTM(5)(inputs)))
        compare(model, masked(3))


def test_large_and_small_numbers_answer_as_predict():
    model = weighted(lz.build_classifier((None, 3), 4, mask_value=0.0, normalise=None, **SMALL))
    compare(model, masked(5) * np.float32(1e4))
    compare(model, masked(5) * np.float32(1e-20))


def test_a_row_is_answered_to_the_bit_as_among_others():
    answer = lz.predictor(weighted(lz.build_classifier((None, 3), 4, mask_value=0.0, **SMALL)))
    x = masked(40, 30)
    whole = answer(x)
    for row in (0, 1, 17, 39):
        np.testing.assert_array_equal(answer(x[row : row + 1])[0], whole[row])


def test_calls_from_eight_threads_give_the_same_bits():
    answer = lz.predictor(weighted(lz.build_tagger((None, 3), 4, lstm_units=(130, 40))))
    inputs = [masked(batch, timesteps) for batch in (1, 3, 40) for timesteps in (3, 20)]
    expected = [answer(x) for x in inputs]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for turn, got in enumerate(pool.map(answer, inputs * 170)):  # 1,020 calls
            np.testing.assert_array_equal(got, expected[turn % len(inputs)])


def resident():
    """Bytes of memory in use; where /proc is not there to say it, the most that was."""
    statm = pathlib.Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * 4096
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_memory_does_not_grow_with_calls():
    answer, x = lz.predictor(lz.build_classifier((None, 3), 4, lstm_units=32)), masked(16, 50)
    for _ in range(200):
        answer(x)
    before = resident()
    for _ in range(5000):  # 5000 times the arrays of one call are 4 GB
        answer(x)
    assert resident() - before < 20e6


def test_weights_are_those_of_the_last_refresh():
    for cell in ("lstm", "min_gru"):
        model = lz.build_classifier((None, 3), 4, cell=cell, lstm_units=5)
        answer, x = lz.predictor(model), masked(4)
        before = answer(x)
        model.set_weights([w + 0.3 for w in model.get_weights()])
        np.testing.assert_array_equal(answer(x), before)
        answer.refresh()
        np.testing.assert_allclose(answer(x), model.predict(x, verbose=0), atol=1e-6)
        assert np.abs(answer(x) - before).max() > 1e-3


def test_a_crf_of_our_own_model_answers_as_predict_by_one_graph():
    """What the `predict_step` of a subclass does is not known."""

    class Own(type(lz.build_tagger((None, 3), 4, crf=True, lstm_units=5))):
        def predict_step(self, *given):
            return 2 * super().predict_step(*given)

    built = lz.build_tagger((None, 3), 4, crf=True, lstm_units=5)
    model, x = Own(built.inputs, built.outputs), masked(5)
    answer = lz.predictor(model)
    assert "Not in C: Own has a step of predict of its own" in lz.explain(answer)
    np.testing.assert_array_equal(answer(x), model.predict(x, verbose=0))


def test_the_likeliest_path_is_the_best_of_all_paths():
    """Every sequence of tags is scored by the formula of a CRF, in float64."""
    tags, steps = 3, 4
    model = weighted(lz.build_tagger((None, 3), tags, crf=True, lstm_units=5))
    x = RNG.normal(size=(6, steps, 3)).astype("float32")
    scores = keras.Model(model.inputs, model.outputs).predict(x, verbose=0).astype("float64")
    between, first, last = (np.asarray(w, "float64") for w in model.crf.get_weights())
    paths = np.array(list(np.ndindex(*[tags] * steps)))
    fixed = first[paths[:, 0]] + last[paths[:, -1]]
    fixed += sum(between[paths[:, t], paths[:, t + 1]] for t in range(steps - 1))
    of_scores = sum(scores[:, t][:, paths[:, t]] for t in range(steps))
    expected = paths[(of_scores + fixed).argmax(axis=1)]
    np.testing.assert_array_equal(lz.predictor(model)(x).argmax(axis=-1), expected)


def refused(answer, x):
    with pytest.raises(ValueError, match="must") as problem:
        answer(x)
    return str(problem.value)


def test_inputs_that_do_not_fit_are_refused_by_name():
    answer, x = lz.predictor(lz.build_classifier((None, 3), 4, lstm_units=5)), masked(4)
    assert refused(answer, x[0]) == "sequence must be of shape (batch, any, 3), got (7, 3)"
    assert "of shape (batch, any, 3), got (4, 7, 2)" in refused(answer, x[..., :2])
    assert refused(answer, x[:0]).startswith("sequence must not be empty")
    assert "1 NaN or infinite" in refused(answer, np.where(x == x.max(), np.nan, x))
    assert "must fit in float32, got numbers up to 1e+300" in refused(
        answer, np.full((1, 2, 3), 1e300)
    )
    assert "must hold numbers" in refused(answer, x.astype(object))


def test_numbers_of_other_types_and_layouts_are_answered_alike():
    answer, x = lz.predictor(lz.build_classifier((None, 3), 4, lstm_units=5)), masked(4)
    expected = answer(x)
    wide, back = np.zeros((4, 14, 6), "float32"), x[:, ::-1]
    wide[:, ::2, ::2] = x
    same = x.astype("float64"), x.tolist(), np.asfortranarray(x), wide[:, ::2, ::2], back[:, ::-1]
    for other in (*same, x.astype(">f4")):
        np.testing.assert_array_equal(answer(other), expected)
    small = np.round(x).astype("int8")
    np.testing.assert_array_equal(answer(small), answer(small.astype("float32")))


def test_many_rows_at_once_are_answered_as_in_parts():
    answer = lz.predictor(lz.build_classifier((None, 3), 4, lstm_units=5))
    x = np.tile(masked(250, 3), (400, 1, 1))  # 100,000 rows
    np.testing.assert_array_equal(answer(x), np.tile(answer(x[:250]), (400, 1)))


def run_alone(script, folder, **environment):
    """What a script prints in a process of its own."""
    environment = {**os.environ, **environment}
    environment["PYTHONPATH"] = str(pathlib.Path(lz.__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_a_process_that_was_forked_answers_alike(tmp_path):
    """A service forks after it has loaded its model; the threads of the C code stay behind."""
    lz.predictor(lz.build_classifier((None, 3), 4, lstm_units=130)).save(tmp_path / "model.npz")
    np.save(tmp_path / "x.npy", masked(40, 30))
    script = """
import os
import numpy as np
import lstm_zoo as lz
answer = lz.load_predictor("model.npz")
x = np.load("x.npy")
expected = answer(x)
if hasattr(os, "fork"):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if (answer(x) == expected).all() else 1)
    assert os.waitpid(pid, 0)[1] == 0
"""
    run_alone(script, tmp_path)


def test_a_predictor_is_pickled_for_processes_that_share_work(tmp_path):
    model, x = weighted(lz.build_classifier((None, 3), 4, lstm_units=5)), masked(3)
    answer = lz.predictor(model)
    for one in (answer, pickle.loads(pickle.dumps(answer))):
        again = pickle.loads(pickle.dumps(one))
        np.testing.assert_array_equal(again(x), answer(x))
        np.testing.assert_array_equal(lz.stream(again, 3).step(x[:, 0]), answer(x[:, :1]))
        with pytest.raises(ValueError, match="refresh needs the model"):
            again.refresh()


def test_what_can_not_be_pickled_says_what_to_do():
    model = lz.build_classifier((None, 3), 4, cell="min_gru", lstm_units=5)
    with pytest.raises(ValueError, match="can't be pickled: .*MinGRUCell"):
        pickle.dumps(lz.predictor(model))
    with pytest.raises(ValueError, match="keep reader.state"):
        pickle.dumps(lz.stream(model))


def test_inputs_that_do_not_fit_each_other_are_refused_by_name():
    answer = lz.predictor(BUILT["forecaster of all it knows"][0]())
    x = two_inputs(4)
    assert "must be a dict with" in refused(answer, x["sequence"])
    assert "got one with" in refused(answer, {"sequence": x["sequence"]})
    assert "as many rows as" in refused(answer, {**x, "static": x["static"][:2]})


def test_sequences_of_unequal_lengths_side_by_side_are_refused():
    one, other = keras.Input((None, 3)), keras.Input((None, 2))
    x = keras.layers.Concatenate()([one, other])
    answer = lz.predictor(keras.Model([one, other], lz.LSTM(5)(x)))
    assert answer([masked(2, 5), masked(2, 5, 2)]).shape == (2, 5)
    assert "equal timesteps, got" in refused(answer, [masked(2, 5), masked(2, 6, 2)])


def test_a_sequence_that_is_shorter_than_a_convolution_is_refused():
    inputs = keras.Input((None, 3))
    answer = lz.predictor(keras.Model(inputs, keras.layers.Conv1D(2, 4)(inputs)))
    assert answer(masked(2, 4)).shape == (2, 1, 2)
    assert refused(answer, masked(2, 4)[:, :2]) == "x must have more timesteps, at least 2 more"


def test_tokens_that_the_model_does_not_know_are_refused():
    answer = lz.predictor(BUILT["words"][0]())
    for wrong in ([[0, 9]], [[-1, 2]]):
        assert "tokens that the model knows" in refused(answer, np.array(wrong))
    assert "must be tokens, whole numbers" in refused(answer, np.array([[0.5, 1]]))
    np.testing.assert_array_equal(answer([[1.0, 2.0]]), answer([[1, 2]]))


def test_a_stateful_model_is_refused():
    inputs = keras.Input((None, 3), batch_size=2)
    model = keras.Model(inputs, lz.LSTM(5, stateful=True)(inputs))
    with pytest.raises(ValueError, match="'lstm.*is stateful; lz.stream"):
        lz.predictor(model)


def test_a_file_answers_to_the_bit_as_the_predictor_that_wrote_it(tmp_path):
    for make, inputs in BUILT.values():
        answer, path, x = lz.predictor(weighted(make())), tmp_path / "model.npz", inputs(3)
        answer.save(path)
        again = lz.load_predictor(path)
        np.testing.assert_array_equal(again(x), answer(x))
        with pytest.raises(ValueError, match="refresh needs the model"):
            again.refresh()


def test_a_file_that_is_damaged_or_another_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    lz.predictor(lz.build_classifier((None, 3), 4, lstm_units=5)).save(path)
    whole = path.read_bytes()
    for wrong in (whole[:-30], whole.replace(b"recurrent", b"recurrenz"), b"", b"PK"):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="path must be a file of Predictor.save"):
            lz.load_predictor(path)
    np.savez(path, a=np.ones(3))
    with pytest.raises(ValueError, match="path must be a file of Predictor.save"):
        lz.load_predictor(path)


def test_a_file_whose_steps_do_not_fit_its_arrays_is_refused_before_it_runs(tmp_path):
    """Someone may write a file to make the C code read or write outside of its arrays."""
    make, inputs = BUILT["forecaster of all it knows"]
    lz.predictor(make()).save(tmp_path / "model.npz")
    with zipfile.ZipFile(tmp_path / "model.npz") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    written, x, refusals = json.loads(parts["plan.json"]), inputs(2), 0
    steps = written["whole"]["plan"]["steps"]
    for step in steps:
        for field in ("inputs", "outputs", "options", "weights"):
            for place, number in enumerate(step[field]):
                for other in (number + 1, number + 7, -number - 1, 10**9):
                    step[field][place] = other
                    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
                        for name, content in {**parts, "plan.json": json.dumps(written)}.items():
                            archive.writestr(name, content)
                    try:
                        lz.load_predictor(tmp_path / "other.npz")(x)
                    except ValueError as problem:
                        refusals += "does not fit" in str(problem)
                step[field][place] = number
    assert refusals > 300


def test_a_model_that_needs_keras_can_not_be_saved(tmp_path):
    answer = lz.predictor(lz.build_classifier((None, 3), 4, cell="min_gru", lstm_units=5))
    with pytest.raises(ValueError, match="path can't be written: .*MinGRUCell"):
        answer.save(tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("simd", ["plain", "avx2"])
def test_older_processors_give_the_same_numbers(tmp_path, simd):
    for number, built in enumerate(BUILT):
        make, inputs = BUILT[built]
        answer, x = lz.predictor(weighted(make())), inputs(7)
        answer.save(tmp_path / f"{number}.npz")
        np.savez(tmp_path / f"{number}_in.npz", **(x if isinstance(x, dict) else {"x": x}))
        np.save(tmp_path / f"{number}_out.npy", answer(x))
    script = f"""
import numpy as np
from lstm_zoo.serving import compiled, load_predictor
print(compiled.simd())
for number in range({len(BUILT)}):
    with np.load(f"{{number}}_in.npz") as file:
        x = dict(file)
    got = load_predictor(f"{{number}}.npz")(x.get("x", x))
    np.testing.assert_allclose(got, np.load(f"{{number}}_out.npy"), rtol=2e-6, atol=2e-6)
"""
    assert run_alone(script, tmp_path, LSTM_ZOO_SIMD=simd) in (simd, "plain")


@pytest.mark.parametrize("cell", IN_C)
def test_bfloat16_answers_as_a_model_whose_kernels_are_rounded(cell, tmp_path):
    model = weighted(lz.build_tagger((None, 3), 4, cell=cell, mask_value=0.0, lstm_units=(35, 16)))
    answer = lz.predictor(model, variable_dtype="bfloat16")
    exact, x = lz.predictor(model), masked(9, 30)
    assert 1e-6 < np.abs(answer(x) - exact(x)).max() < 0.1
    for layer in every_layer(model):
        if getattr(layer, "cell", None) is None:
            continue
        weights = [
            w
            if w.name == "bias" or "peephole" in w.name
            else keras.ops.cast(keras.ops.cast(w, "bfloat16"), "float32")
            for w in layer.weights
        ]
        layer.set_weights([keras.ops.convert_to_numpy(w) for w in weights])
    for rows in (1, 9):
        np.testing.assert_allclose(answer(x[:rows]), model.predict(x[:rows], verbose=0), atol=2e-6)
    answer.save(tmp_path / "half.npz")
    exact.save(tmp_path / "whole.npz")
    assert (tmp_path / "half.npz").stat().st_size < 0.75 * (tmp_path / "whole.npz").stat().st_size
    np.testing.assert_array_equal(lz.load_predictor(tmp_path / "half.npz")(x), answer(x))
    answer.refresh()
    np.testing.assert_allclose(answer(x), model.predict(x, verbose=0), atol=2e-6)


def test_bfloat16_is_refused_where_the_c_code_does_not_run_the_model():
    model = lz.build_classifier((None, 3), 4, cell="min_gru", lstm_units=5)
    with pytest.raises(ValueError, match="variable_dtype must be 'float32', .*MinGRUCell"):
        lz.predictor(model, variable_dtype="bfloat16")
    with pytest.raises(ValueError, match="variable_dtype must be one of"):
        lz.predictor(model, variable_dtype="float16")


def test_a_file_holds_no_pickle(tmp_path):
    path = tmp_path / "model.npz"
    lz.predictor(lz.build_classifier((None, 3), 4, lstm_units=5)).save(path)
    with zipfile.ZipFile(path) as archive:
        arrays = [name for name in archive.namelist() if name.endswith(".npy")]
        assert set(archive.namelist()) == {"plan.json", *arrays}
        assert all(archive.read(name)[:6] == b"\x93NUMPY" for name in arrays)
        assert not any(b"descr': '|O" in archive.read(name) for name in arrays)
