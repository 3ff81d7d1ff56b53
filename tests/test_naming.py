"""Models with words and class names: built, trained, used and saved with lists of strings."""

import itertools
import warnings

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import naming

RNG = np.random.default_rng(0)
SENTENCES = ["The cat sat", "A dog ran .", "the dog"]
TAGS = [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB", "."], ["DET", "NOUN"]]
TEXTS, MOODS = ["so good", "too bad , really", "bad", "good"], ["happy", "sad", "sad", "happy"]
SMALL = {"lstm_units": 6, "dense_units": (), "embedding_dim": 6, "learning_rate": 0.05}


def tagger(**options):
    keras.utils.set_random_seed(0)
    return lz.build_tagger((None,), TAGS, vocabulary=SENTENCES, **SMALL, **options)


def classifier(**options):
    keras.utils.set_random_seed(0)
    return lz.build_classifier((None,), MOODS, vocabulary=TEXTS, **SMALL, **options)


@pytest.fixture(scope="module")
def trained():
    model = tagger()
    lz.fit(model, SENTENCES, TAGS, epochs=20, seed=0, verbose=0)
    return model


def test_a_tagger_learns_lists_of_tags_and_answers_with_one_for_each_word(trained):
    assert lz.predict(trained, SENTENCES) == TAGS
    assert lz.predict(trained, [["the", "cat", "ran", "."], ["a", "cat"]]) == [TAGS[1], TAGS[2]]


def test_a_classifier_learns_strings_and_answers_with_them():
    model = classifier()
    lz.fit(model, TEXTS, MOODS, validation_data=(TEXTS, MOODS), epochs=10, seed=0, verbose=0)
    assert lz.predict(model, TEXTS) == MOODS
    assert lz.naming.class_names(model) == ("happy", "sad")


def test_fit_on_strings_is_fit_on_their_numbers():
    one, other = tagger(), tagger()
    x, _, _ = lz.encode_texts(SENTENCES, lz.naming.vocabulary(one))
    y, names = lz.encode_tags(TAGS)
    losses = [
        lz.fit(model, *data, epochs=2, seed=0, verbose=0).history["loss"]
        for model, data in ((one, (SENTENCES, TAGS)), (other, (x, y)))
    ]
    assert losses[0] == losses[1]
    assert names == lz.naming.class_names(one)


def test_padding_is_masked_as_keras_s_embedding_masks_it(trained):
    x = lz.encode_texts(SENTENCES, lz.naming.vocabulary(trained)).x
    layer = trained.get_layer("embedding")
    theirs = keras.layers.Embedding(layer.input_dim, 6, mask_zero=True)
    np.testing.assert_array_equal(layer.compute_mask(x), theirs.compute_mask(x))
    theirs.build(None)
    theirs.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x), theirs(x))


@pytest.mark.parametrize("crf", [False, True])
def test_words_and_names_come_back_from_the_file(crf, tmp_path):
    model = tagger(crf=crf)
    path = lz.save(model, tmp_path / "tagger.keras")
    for again in (lz.load(path), keras.models.load_model(path)):
        assert lz.naming.vocabulary(again) == lz.naming.vocabulary(model)
        assert lz.naming.class_names(again) == lz.naming.class_names(model)
        assert lz.predict(again, SENTENCES) == lz.predict(model, SENTENCES)


def test_a_crf_answers_with_its_best_path():
    model = tagger(crf=True)
    lz.fit(model, SENTENCES, TAGS, epochs=1, seed=0, verbose=0)
    x, lengths, _ = lz.encode_texts(SENTENCES, lz.naming.vocabulary(model))
    scores = model(x)
    path = np.asarray(model.crf.best_path(scores, x != 0))
    names = lz.naming.class_names(model)
    expected = [[names[k] for k in row[:length]] for row, length in zip(path, lengths)]
    assert lz.predict(model, SENTENCES) == expected
    with pytest.raises(ValueError, match="probabilities must be False for a CRF"):
        lz.predict(model, SENTENCES, probabilities=True)


def test_probabilities_are_those_of_the_model_for_each_word(trained):
    x = lz.encode_texts(SENTENCES, lz.naming.vocabulary(trained)).x
    expected = trained.predict(x, verbose=0)
    got = lz.predict(trained, SENTENCES, probabilities=True)
    assert [rows.shape for rows in got] == [(3, 4), (4, 4), (2, 4)]
    for rows, every in zip(got, expected):
        np.testing.assert_allclose(rows, every[: len(rows)], atol=1e-6)


def test_series_of_numbers_have_classes_with_names_too():
    x, names = RNG.normal(size=(6, 5, 2)), ["walk", "run"]
    model = lz.build_classifier((5, 2), names, lstm_units=3)
    lz.fit(model, x, ["run", "walk"] * 3, epochs=1, seed=0, verbose=0)
    numbers = model.predict(x, verbose=0)
    assert lz.predict(model, x) == [names[k] for k in numbers.argmax(axis=1)]
    np.testing.assert_allclose(lz.predict(model, x, probabilities=True), numbers)


def test_an_lstm_fcn_has_class_names_too():
    x, labels = RNG.normal(size=(4, 6, 1)), ["up", "down", "up", "up"]
    model = lz.build_lstm_fcn((6, 1), labels, lstm_units=2, filters=(3,), kernel_sizes=(2,))
    lz.fit(model, x, labels, epochs=1, verbose=0)
    assert set(lz.predict(model, x)) <= {"down", "up"}


def test_a_tagger_of_masked_series_names_the_steps_that_count():
    x = RNG.normal(size=(2, 4, 3))
    x[1, 2:] = 0
    tags = [["on", "off", "on", "off"], ["off", "off"]]
    model = lz.build_tagger((None, 3), tags, mask_value=0.0, lstm_units=3)
    lz.fit(model, x, tags, epochs=1, verbose=0)
    assert [len(row) for row in lz.predict(model, x)] == [4, 2]


@pytest.mark.parametrize("output", ["sigmoid", "multilabel"])
def test_other_outputs_of_a_classifier_have_names(output):
    x = RNG.normal(size=(4, 5, 2))
    model = lz.build_classifier((5, 2), ["no", "yes"], output=output, lstm_units=3)
    y = {"sigmoid": ["no", "yes"] * 2, "multilabel": [["no"], ["no", "yes"]] * 2}[output]
    lz.fit(model, x, y, epochs=1, verbose=0)
    above = model.predict(x, verbose=0) > 0.5
    if output == "sigmoid":
        expected = ["yes" if one else "no" for one in above[:, 0]]
    else:
        expected = [[name for name, one in zip(("no", "yes"), row) if one] for row in above]
    assert lz.predict(model, x) == expected


class Column:
    """What a polars Series has of a list."""

    dtype = "String"

    def __init__(self, values):
        self.values = values

    def to_list(self):
        return self.values

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)


def test_columns_of_strings_are_lists_of_strings():
    model = lz.build_classifier((None,), Column(MOODS), vocabulary=Column(TEXTS), **SMALL)
    lz.fit(model, Column(TEXTS), Column(MOODS), epochs=1, class_weight="balanced", verbose=0)
    assert lz.predict(model, Column(TEXTS)) == lz.predict(model, TEXTS)


def test_names_keep_their_order_and_labels_are_sorted():
    def names_of(given):
        return lz.naming.class_names(lz.build_classifier((5, 1), given, lstm_units=2))

    assert names_of(["walk", "run"]) == ("walk", "run")
    assert names_of(["walk", "run", "walk"]) == ("run", "walk")
    assert names_of(np.array(["walk", "run", "walk"])) == ("run", "walk")
    assert names_of(2) is None


def test_a_model_without_names_gives_its_numbers():
    x = RNG.normal(size=(3, 5, 2))
    model = lz.build_classifier((5, 2), 2, lstm_units=3)
    np.testing.assert_array_equal(lz.predict(model, x), model.predict(x, verbose=0))


def test_a_vocabulary_of_characters_or_a_size_is_made_before():
    vocabulary = lz.texts.Vocabulary(TEXTS, by="character", size=5)
    model = lz.build_classifier((None,), MOODS, vocabulary=vocabulary, **SMALL)
    assert model.get_layer("embedding").weights[0].shape == (5, 6)
    assert len(lz.predict(model, ["good"])) == 1


def test_texts_are_padded_to_the_timesteps_of_the_model():
    model = lz.build_classifier((6,), MOODS, vocabulary=TEXTS, **SMALL)
    assert len(lz.predict(model, TEXTS)) == 4
    with pytest.raises(ValueError, match="data must have at most 6 words in each row.* 7 in row 1"):
        lz.predict(model, ["good", "a b c d e f g"])


def test_validation_texts_are_refused_by_their_name():
    with pytest.raises(ValueError, match="validation x must not hold empty rows, got '' in row 1"):
        lz.fit(classifier(), TEXTS, MOODS, validation_data=(["a", ""], ["sad", "sad"]), verbose=0)


def test_an_unbuilt_model_is_refused():
    with pytest.raises(ValueError, match="model must be built: start it with a keras.Input"):
        lz.predict(keras.Sequential([keras.layers.Dense(2)]), np.zeros((2, 5)))
    inputs = {name: keras.Input((4, 2), name=name) for name in ("left", "right")}
    both = lz.LSTM(2, return_sequences=True)(keras.layers.Concatenate()([*inputs.values()]))
    model = keras.Model(inputs, lz.layers.NamedDense(2, ["a", "b"])(both))
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = {name: np.zeros((2, 4, 2)) for name in inputs}
    with pytest.raises(ValueError, match="y must hold numbers if a model has several inputs"):
        lz.fit(model, x, [["a", "b", "a", "b"]] * 2, verbose=0)
    assert [len(row) for row in lz.predict(model, x)] == [4, 4]


FIT = [
    ("so good", MOODS, "x must be a list of texts or of lists of words, got 'so good'"),
    ([*TEXTS[:3], ""], MOODS, "x must not hold empty rows, got '' in row 3"),
    ([["a"], "b", ["c"], ["d"]], MOODS, "x must hold lists of strings, as in row 0, got 'b'"),
    ([[1.5], [2.0], [1.0], [1.0]], MOODS, "x must be a list of texts, .* from 0 to 7"),
    ([[99]] * 4, MOODS, "x must be a list of texts, .* from 0 to 7"),
    ([], MOODS, "x must be a list of texts"),
    (TEXTS, ["happy", "sad", "sat", "sad"], "y must be one of happy, sad, got 'sat' in row 2; did"),
    (TEXTS, MOODS[:3], "x and y must have the same number of samples, got 4 and 3"),
    (TEXTS, [[mood] for mood in MOODS], r"y must have one label in each row, got \['happy'\]"),
]


@pytest.mark.parametrize(("x", "y", "message"), FIT)
def test_fit_refuses_wrong_texts_and_labels_by_their_row(x, y, message):
    with pytest.raises(ValueError, match=message):
        lz.fit(classifier(), x, y, verbose=0)


TAG = [
    ([*TAGS[:2], ["DET"]], "y must have one tag per word .*, got 1 tags for 2 in row 2"),
    ([*TAGS[:2], ["DET", "NUON"]], "y must be one of ., DET, NOUN, VERB, got 'NUON' in row 2; did"),
    (["DET NOUN VERB"] * 3, "y must have a list of tags in each row, got 'DET NOUN VERB' in row 0"),
]


@pytest.mark.parametrize(("tags", "message"), TAG)
def test_fit_refuses_wrong_tags_by_their_row(tags, message):
    with pytest.raises(ValueError, match=message):
        lz.fit(tagger(), SENTENCES, tags, verbose=0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: classifier(vocabulary_size=9),
            "vocabulary and vocabulary_size must not both be given",
        ),
        (lambda: classifier(mask_value=3), "mask_value must be None or 0 if vocabulary is"),
        (lambda: lz.build_classifier((5, 1), 2, vocabulary=TEXTS), "if vocabulary is given"),
        (
            lambda: lz.build_classifier((None,), 2, vocabulary=[3]),
            "vocabulary must hold lists",
        ),
        (
            lambda: lz.build_classifier((5, 1), ["a", "a"]),
            "num_classes must name at least two .*only 'a'",
        ),
        (lambda: lz.build_classifier((5, 1), [0, 1]), "num_classes must be a whole number, a list"),
        (lambda: lz.build_classifier((5, 1), "walk"), "num_classes must be a whole number"),
    ],
)
def test_wrong_words_and_names_are_refused_by_the_builder(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_strings_are_refused_for_a_model_without_names():
    x, model = np.zeros((2, 5, 1)), lz.build_classifier((5, 1), 2, lstm_units=2)
    with pytest.raises(
        ValueError, match="y must hold numbers, got names, because the model has no"
    ):
        lz.fit(model, x, ["a", "b"], verbose=0)
    with pytest.raises(
        ValueError, match="x must hold numbers, got texts, because the model has no"
    ):
        lz.fit(model, TEXTS, [0, 1, 0, 1], verbose=0)
    with pytest.raises(ValueError, match="data must be of shape"):
        lz.predict(model, x[:, :3])


def test_inspection_takes_texts_and_names(trained):
    x = lz.encode_texts(SENTENCES, lz.naming.vocabulary(trained)).x
    y = lz.encode_tags(TAGS).y
    numbers, words = lz.trace(trained, x), lz.trace(trained, SENTENCES)
    np.testing.assert_array_equal(numbers.forward.hidden_state, words.forward.hidden_state)
    by_number, by_word = lz.gradient_flow(trained, x, y), lz.gradient_flow(trained, SENTENCES, TAGS)
    assert list(by_number.hidden) == list(by_word.hidden)
    for name, norms in by_number.hidden.items():
        np.testing.assert_array_equal(norms, by_word.hidden[name])


def test_saliency_of_a_class_by_its_name_is_that_of_its_number():
    model = classifier()
    by_name = lz.saliency(model, TEXTS, target="sad")
    np.testing.assert_array_equal(by_name, lz.saliency(model, TEXTS, target=1))
    with pytest.raises(ValueError, match="target must be one of happy, sad, got 'sat'; did you"):
        lz.saliency(model, TEXTS, target="sat")


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_pictures_take_names_from_the_data_or_the_model():
    model = classifier()
    said = ["sad", "sad", "sad", "happy"]
    axes = lz.plots.plot_confusion(MOODS, said)
    assert axes.get_title() == "accuracy 0.75, 4 samples"
    assert ticks(axes.xaxis) == ticks(axes.yaxis) == ["happy", "sad"]
    assert [text.get_text() for text in axes.texts] == ["1", "1", "", "2"]
    axes = lz.plots.plot_confusion([0, 1, 1, 0], [1, 1, 1, 0], class_names=model)
    assert ticks(axes.xaxis) == ["happy", "sad"]
    axes = lz.plots.plot_embedding(RNG.normal(size=(4, 3)), MOODS)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["happy", "sad"]


def test_the_confusion_of_tags_counts_every_word():
    axes = lz.plots.plot_confusion(TAGS, [["DET", "NOUN", "NOUN"], *TAGS[1:]])
    assert axes.get_title() == "accuracy 0.89, 9 samples"
    with pytest.raises(
        ValueError, match="y_true and y_pred must have rows of equal length, got 2 and 1"
    ):
        lz.plots.plot_confusion(TAGS, [*TAGS[:2], ["DET"]])
    with pytest.raises(ValueError, match="y_pred must hold names like the other, got"):
        lz.plots.plot_confusion(MOODS, [0, 1, 1, 0])
    with pytest.raises(ValueError, match="class_names must be a list or a model with class names"):
        lz.plots.plot_confusion([0, 1], [0, 1], lz.build_classifier((5, 1), 2, lstm_units=2))


def test_saliency_is_drawn_over_the_words_without_padding():
    [panel] = lz.plots.plot_saliency(lz.saliency(classifier(), TEXTS), TEXTS, sample=0)
    assert ticks(panel.xaxis) == ["so", "good"]
    assert len(panel.patches) == 2


def test_one_sequence_at_a_time_is_answered_with_a_hint_once(monkeypatch):
    model = lz.build_classifier((4, 2), ["up", "down"], lstm_units=3)
    monkeypatch.setattr(naming, "_MANY", 2)
    monkeypatch.setattr(naming, "_calls", itertools.count(1))
    x = np.zeros((3, 4, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for rows in (3, 1, 3, 1, 1):
            lz.predict(model, x[:rows])
    hints = [str(one.message) for one in caught if "lz.predictor(model)" in str(one.message)]
    assert len(hints) == 1
    assert "called 2 times with one sequence" in hints[0]
