"""Keras layers with imported PyTorch weights (GRU, RNN, cells) compute PyTorch's numbers."""

import pathlib
import sys
import types

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import lstm_zoo as lz
from lstm_zoo.weights import from_torch, to_torch

DATA = pathlib.Path(__file__).parents[1] / "data" / "weights"
FILE, NUMBERS = DATA / "torch_kinds.safetensors", np.load(DATA / "torch_kinds.npz")


def layer_of(kind, units=4, **options):
    return kind(units, return_sequences=True, **options)


def projected():
    return lz.layers.layer_for("projected", 4, projection=2, return_sequences=True)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("lstm_cell", lambda: layer_of(lz.LSTM)),
        ("lstm_cell", lambda: layer_of(keras.layers.LSTM)),
        ("lstm_cell_without_bias", lambda: layer_of(lz.LSTM, use_bias=False)),
        ("lstm_cell_without_bias", lambda: layer_of(lz.LSTM)),
        ("gru_cell", lambda: layer_of(keras.layers.GRU)),
        ("gru_without_bias", lambda: layer_of(keras.layers.GRU)),
        ("rnn_cell", lambda: layer_of(keras.layers.SimpleRNN, activation="relu")),
        ("rnn", lambda: layer_of(keras.layers.SimpleRNN)),
        ("projected", projected),
    ],
)
def test_layer_gives_the_numbers_of_pytorchs_module_and_of_what_it_writes(name, make, tmp_path):
    layer, again = make(), make()
    from_torch(layer, FILE, prefix=f"{name}.")
    np.testing.assert_allclose(layer(NUMBERS["x"]), NUMBERS[name], atol=1e-6)
    to_torch(layer, tmp_path / "again.safetensors", prefix="m.")
    from_torch(again, tmp_path / "again.safetensors", prefix="m.")
    np.testing.assert_allclose(again(NUMBERS["x"]), NUMBERS[name], atol=1e-6)


def test_stacked_bidirectional_gru_gives_pytorchs_numbers_and_goes_back(tmp_path):
    layers = [keras.layers.Bidirectional(layer_of(keras.layers.GRU)) for _ in range(2)]
    from_torch(layers, FILE, prefix="gru.")
    first, second = layers
    np.testing.assert_allclose(second(first(NUMBERS["x"])), NUMBERS["gru"], atol=1e-6)
    to_torch(layers, tmp_path / "gru.safetensors", prefix="gru.")
    original = load_file(FILE)
    for name, value in load_file(tmp_path / "gru.safetensors").items():
        np.testing.assert_array_equal(value, original[name])


def test_float16_biases_are_summed_in_float32(tmp_path):
    tensors = {k: v.astype("float16") for k, v in load_file(FILE).items()}
    save_file(tensors, tmp_path / "half.safetensors")
    layer = layer_of(lz.LSTM)
    from_torch(layer, tmp_path / "half.safetensors", "lstm_cell.")
    both = [tensors[f"lstm_cell.bias_{x}"].astype("float32") for x in ("ih", "hh")]
    np.testing.assert_array_equal(layer.get_weights()[2], np.add(*both))


@pytest.mark.parametrize(
    ("prefix", "make", "message"),
    [
        ("", lambda: lz.LSTM(4), "prefix must be one of .*'lstm_cell.', .*'module.one_way.'"),
        ("module.one_way.", lambda: lz.LSTM(4), "layers must be keras.layers.Bidirectional"),
        ("lstm_cell.", lambda: [lz.LSTM(4), lz.LSTM(4)], "once for each cell"),
        ("lstm_cell.", lambda: keras.layers.Bidirectional(lz.LSTM(4)), "once for each cell"),
        ("projected.", lambda: lz.LSTM(4), r'layer_for\("projected", 4, projection=2\)'),
        ("lstm_cell.", projected, "no tensor 'lstm_cell.weight_hr'"),
        ("gru_cell.", lambda: lz.LSTM(4), r"kernel must be of shape \(4, 16\), got \(4, 12\)"),
        ("lstm_cell.", lambda: keras.layers.GRU(4), r"must be of shape \(4, 12\), got \(4, 16\)"),
        ("gru_cell.", lambda: keras.layers.GRU(4, reset_after=False), "reset_after=True"),
        ("gru_cell.", lambda: keras.layers.GRU(4, activation="relu"), "'tanh', as in .*nn.GRU"),
        ("rnn.", lambda: keras.layers.SimpleRNN(4, activation="elu"), "'tanh' or 'relu'"),
        (
            "lstm_cell.",
            lambda: lz.LSTM(4, recurrent_activation="hard_sigmoid"),
            "recurrent_activation must be 'sigmoid', as in PyTorch's nn.LSTM, got 'hard_sigmoid'",
        ),
    ],
)
def test_layer_that_computes_something_else_is_refused(prefix, make, message):
    with pytest.raises(ValueError, match=message):
        from_torch(make(), FILE, prefix)


def test_no_layer_changes_if_one_does_not_fit():
    layers = [keras.layers.Bidirectional(layer_of(keras.layers.GRU, n)) for n in (4, 5)]
    layers[0].build((None, None, 3))
    before = layers[0].get_weights()
    with pytest.raises(ValueError, match="recurrent kernel must be of shape"):
        from_torch(layers, FILE, "gru.")
    for old, new in zip(before, layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


class Tensor:
    """Stands in for a tensor of PyTorch, with the methods that the reader needs."""

    def __init__(self, array):
        self.array = array

    def is_floating_point(self):
        return self.array.dtype.kind == "f"

    def detach(self):
        return self

    def to(self, dtype):
        return Tensor(self.array.astype(dtype))

    def numpy(self):
        return self.array


def torch_that_loads(content, version="2.13.0+cpu"):
    """Stands in for the package torch; `load` returns `content`, or raises it."""

    def load(path, *, map_location, weights_only):
        assert (map_location, weights_only) == ("cpu", True)
        if isinstance(content, Exception):
            raise content
        return content

    module = types.ModuleType("torch")
    module.__version__, module.load, module.float32 = version, load, "float32"
    module.is_tensor = lambda value: isinstance(value, Tensor)
    return module


@pytest.mark.parametrize("name", ["model.ckpt", "model.pt", "weights"])
def test_checkpoint_of_pytorch_is_read_with_weights_only(name, monkeypatch):
    tensors = {k.removeprefix("lstm_cell."): Tensor(v) for k, v in load_file(FILE).items()}
    content = {"epoch": 3, "state_dict": tensors | {"steps": Tensor(np.ones(1, "int64"))}}
    monkeypatch.setitem(sys.modules, "torch", torch_that_loads(content))
    layer, wanted = layer_of(lz.LSTM), layer_of(lz.LSTM)
    from_torch(layer, name, prefix="state_dict.")
    from_torch(wanted, FILE, prefix="lstm_cell.")
    for got, value in zip(layer.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize(
    ("torch", "message"),
    [
        (None, "PyTorch is not installed; save it in PyTorch with safetensors.torch.save_file"),
        (torch_that_loads({}, "2.5.1"), "safely from version 2.6 on, got 2.5.1; save it"),
        (torch_that_loads([1]), "must hold a state_dict, got list"),
        (torch_that_loads({}), "it contains no recurrent module, only nothing"),
        (torch_that_loads(RuntimeError("use weights_only=False")), "damaged or holds more than t"),
    ],
)
def test_checkpoint_that_cannot_be_read_safely_is_refused(torch, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(ValueError, match=message) as refused:
        from_torch(lz.LSTM(4), DATA / "pickled.pt")
    assert "weights_only=False" not in str(refused.value)
