"""Texts and tags as numbers: the vocabulary, its order, and refused input."""

import collections
import json

import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.texts import Vocabulary

TEXTS = ["The cat sat.", "A cat ran, and a dog ran!", "It wasn't the cat"]
WORDS = [
    ["the", "cat", "sat", "."],
    ["a", "cat", "ran", ",", "and", "a", "dog", "ran", "!"],
    ["it", "wasn't", "the", "cat"],
]


def test_words_are_numbered_by_how_often_they_occur_and_then_by_their_place():
    counts = collections.Counter(word for row in WORDS for word in row)
    expected = ["", "[unknown]", *(word for word, _ in counts.most_common())]
    assert list(Vocabulary(TEXTS).tokens) == expected


def test_lists_of_words_are_taken_as_they_are_and_texts_are_split_at_marks():
    assert Vocabulary(TEXTS).split(TEXTS)[0] == ["The", "cat", "sat", "."]
    assert Vocabulary([["New York", "..."]]).tokens[2:] == ("new york", "...")


def test_size_keeps_the_most_frequent_words():
    assert Vocabulary(TEXTS, size=4).tokens == ("", "[unknown]", "cat", "the")


def test_characters_and_capital_letters_can_be_tokens():
    assert Vocabulary(["aBb"], by="character").tokens[2:] == ("b", "a")
    assert Vocabulary(["aBb"], by="character", lowercase=False).tokens[2:] == ("a", "B", "b")


def test_numbers_name_the_words_again_and_padding_is_0_and_an_unknown_word_1():
    x, lengths, vocabulary = lz.encode_texts(TEXTS)
    for row, length, words in zip(x, lengths, WORDS):
        assert [vocabulary.tokens[number] for number in row[:length]] == words
        assert not row[length:].any()
    assert lz.encode_texts(["the bird"], vocabulary).x.tolist() == [
        [vocabulary.tokens.index("the"), 1]
    ]


def test_words_that_look_like_the_special_tokens_are_unknown():
    x = lz.encode_texts([["[unknown]", "cat"]]).x
    assert x.tolist() == [[1, 2]]


def test_a_vocabulary_comes_back_from_its_configuration_as_json():
    for one in (Vocabulary(TEXTS), Vocabulary(TEXTS, by="character", lowercase=False, size=9)):
        again = Vocabulary.from_config(json.loads(json.dumps(one.get_config())))
        assert again == one
        assert again.encode(TEXTS)[0].tolist() == one.encode(TEXTS)[0].tolist()


def test_arrays_and_tuples_of_texts_are_texts():
    expected = lz.encode_texts(TEXTS).x
    for same in (tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object)):
        np.testing.assert_array_equal(lz.encode_texts(same).x, expected)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "texts must be a list of texts or of lists of words, got an empty"),
        ("the cat", "texts must be a list of texts or of lists of words, got 'the cat'"),
        (None, "texts must be a list, got None"),
        (["a", ""], "texts must not hold empty rows, got '' in row 1"),
        (["a", " \n"], "texts must not hold empty rows, got ' .n' in row 1"),
        ([["a"], []], r"texts must not hold empty rows, got \[\] in row 1"),
        ([["a"], "b c"], "texts must hold lists of strings, as in row 0, got 'b c' in row 1"),
        (["a", ["b"]], r"texts must hold texts, as in row 0, got \['b'\] in row 1"),
        (["a", float("nan")], "texts must hold texts, as in row 0, got nan in row 1"),
        ([3, 4], "texts must hold lists of strings, got 3 in row 0"),
        ([["a"], ["b", 4]], "texts must hold non-empty strings, got 4 in row 1"),
        ([["a", ""]], "texts must hold non-empty strings, got '' in row 0"),
    ],
)
def test_other_rows_than_texts_are_refused_by_number(texts, message):
    with pytest.raises(ValueError, match=message):
        lz.encode_texts(texts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 2}, "size must be a whole number of at least 3, got 2"),
        ({"by": "words"}, "by must be one of word, character, got 'words'; did you mean 'word'"),
    ],
)
def test_a_wrong_setting_of_a_vocabulary_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(TEXTS, **options)


def test_other_objects_than_a_vocabulary_are_refused():
    with pytest.raises(ValueError, match="vocabulary must be an lz.texts.Vocabulary, got"):
        lz.encode_texts(TEXTS, ["the", "cat"])


def test_tags_are_numbered_in_rising_order_or_that_of_the_names():
    tags = [["NOUN", "VERB"], ["DET", "NOUN", "VERB"]]
    assert lz.encode_tags(tags).names == ("DET", "NOUN", "VERB")
    assert lz.encode_tags(tags).y.tolist() == [[1, 2, 0], [0, 1, 2]]
    assert lz.encode_tags(tags, ["VERB", "NOUN", "DET"]).y.tolist() == [[1, 0, 0], [2, 1, 0]]


@pytest.mark.parametrize(
    ("tags", "names", "message"),
    [
        (["DET"], None, "tags must hold lists of strings, got 'DET' in row 0"),
        ([["DET"], ["NON"]], ["DET", "NOUN"], "tags must be one of DET, NOUN, got 'NON' in row 1"),
        ([["DET"]], ["DET", "DET"], "names must name each class once, got 'DET' twice"),
    ],
)
def test_wrong_tags_are_refused_with_their_row(tags, names, message):
    with pytest.raises(ValueError, match=message):
        lz.encode_tags(tags, names)


@pytest.mark.parametrize("tags", [[["DET", "NOUN"], ["DET"]], [["DET", "NOUN"], ["DET", "NOUN"]]])
def test_labels_that_are_lists_of_tags_are_sent_to_encode_tags(tags):
    with pytest.raises(ValueError, match="lz.encode_tags takes a list of tags for each sentence"):
        lz.encode_labels(tags)
