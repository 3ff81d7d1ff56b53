"""The words and class names of a model are in a second file next to the exported one."""

import json

import keras
import numpy as np
import pytest

import lstm_zoo as lz

SENTENCES, TAGS = ["The cat sat", "a dog"], [["DET", "NOUN", "VERB"], ["DET", "NOUN"]]


def tagger(**options):
    keras.utils.set_random_seed(0)
    return lz.build_tagger((None,), TAGS, vocabulary=SENTENCES, lstm_units=3, **options)


def answers(session, names, sentences):
    """The tags of sentences by a file and its names, with nothing of LSTM Zoo."""
    for sentence in sentences:
        words = sentence.lower().split()
        numbers = [names["tokens"].index(w) if w in names["tokens"] else 1 for w in words]
        [said] = session.run(None, {session.get_inputs()[0].name: np.array([numbers], "int32")})
        yield [names["class_names"][k] for k in said[0].argmax(axis=-1)]


@pytest.mark.slow
@pytest.mark.parametrize("crf", [False, True])
def test_an_onnx_file_and_its_names_answer_texts_as_predict_does(crf, tmp_path):
    import onnxruntime

    model = tagger(crf=crf)
    path = lz.export(model, tmp_path / "tagger.onnx")
    names = json.loads((tmp_path / "tagger.onnx.names.json").read_text())
    session = onnxruntime.InferenceSession(str(path))
    assert list(answers(session, names, SENTENCES)) == lz.predict(model, SENTENCES)
    assert (names["by"], names["lowercase"]) == ("word", True)


def test_a_header_in_c_has_them_too_and_a_model_without_names_takes_them_away(tmp_path):
    path, beside = tmp_path / "tagger.h", tmp_path / "tagger.h.names.json"
    lz.export(tagger(bidirectional=False), path)
    assert json.loads(beside.read_text())["class_names"] == ["DET", "NOUN", "VERB"]
    lz.export(lz.build_classifier((None, 2), 2, lstm_units=2), path)
    assert not beside.exists()


def test_class_names_alone_are_kept(tmp_path):
    lz.export(lz.build_classifier((None, 2), ["walk", "run"], lstm_units=2), tmp_path / "m.h")
    names = json.loads((tmp_path / "m.h.names.json").read_text())
    assert names == {"class_names": ["walk", "run"]}
