"""The arguments that builders share: listed, described, checked."""

import inspect
import re
import typing

import keras
import pytest

import lstm_zoo as lz
from lstm_zoo.builders.options import Options, TokenOptions

BUILDERS = [name for name in lz.builders.__all__ if name.startswith("build_")]
every_builder = pytest.mark.parametrize("name", BUILDERS)


def parameters(name):
    return inspect.signature(getattr(lz, name)).parameters


def test_the_signature_lists_every_argument_with_its_default():
    shown = {name: one.default for name, one in parameters("build_classifier").items()}
    empty = inspect.Parameter.empty
    assert shown == {
        "input_shape": empty,
        "num_classes": empty,
        "lstm_units": (64, 32),
        "dense_units": (32,),
        "cell": "lstm",
        "bidirectional": False,
        "pooling": None,
        "output": "softmax",
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "kernel_regularizer": None,
        "recurrent_regularizer": None,
        "bias_regularizer": None,
        "mask_value": None,
        "normalise": "running",
        "normalise_summary": True,
        "vocabulary_size": None,
        "vocabulary": None,
        "embedding_dim": 32,
        "loss": None,
        "metrics": None,
        "optimizer": None,
        "learning_rate": None,
        "name": None,
    }
    assert parameters("build_lstm_fcn")["dropout"].default == 0.8
    assert parameters("build_tagger")["bidirectional"].default is True
    assert "mask_value" not in parameters("build_language_model")


@every_builder
def test_help_describes_every_argument_once_and_in_order(name):
    doc = inspect.getdoc(getattr(lz, name))
    arguments = doc.partition("Args:\n")[2].partition("Returns:")[0]
    entries = re.findall(r"^    (\w[\w, ]*):", arguments, flags=re.MULTILINE)
    described = [name for entry in entries for name in entry.split(", ")]
    assert sorted(described) == sorted(parameters(name))
    first = [entry.split(", ")[0] for entry in entries]
    assert first == [name for name in parameters(name) if name in first]


@every_builder
def test_every_argument_may_be_given_its_default(name):
    given = {k: p.default for k, p in parameters(name).items() if p.default is not p.empty}
    sizes = {"build_language_model": (5,), "build_seq2seq": (5, 5), "build_autoencoder": ((4, 2),)}
    arguments = sizes.get(name, ((4, 2), 3))
    given = {k: value for k, value in given.items() if k != "num_outputs"}
    a, b = getattr(lz, name)(*arguments), getattr(lz, name)(*arguments, **given)
    assert [w.shape for w in a.weights] == [w.shape for w in b.weights]
    assert a.loss == b.loss


def test_the_type_of_every_argument_can_be_asked_for():
    hints = typing.get_type_hints(lz.build_tagger)
    assert hints["dropout"] is float
    assert hints["return"] is keras.Model
    assert "options" not in hints


def test_every_shared_argument_has_a_type_and_a_default():
    assert set(TokenOptions.__annotations__) == set(Options.__dataclass_fields__)
