"""Weights that leave Keras for another format and come back are the same bits.

test_arrays.py has the same test for the arrays of other libraries.
"""

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.weights import from_keras2, from_onnx, from_torch, to_torch

Both = keras.layers.Bidirectional


def through_torch(layers, again, folder):
    to_torch(layers, folder / "weights.safetensors", prefix="rnn.")
    from_torch(again, folder / "weights.safetensors", prefix="rnn.")


def through_hdf5(layers, again, folder):
    model_of(layers).save(folder / "model.h5")
    from_keras2(model_of(again), folder / "model.h5")


def through_weights_alone(layers, again, folder):
    model_of(layers).save_weights(folder / "model.weights.h5")
    from_keras2(model_of(again), folder / "model.weights.h5")


def through_onnx(layers, again, folder):
    path = lz.export(model_of(layers), folder / "model.onnx")
    model_of(again)  # builds the layers
    if len(lz.onnx_summary(path)) == len(again):
        from_onnx(again, path)
        return
    parts = [part for layer in again for part in parts_of(layer)]
    forward = [type(part)(4) for part in parts]  # the file has a forward node for each direction
    from_onnx(forward, path)
    for part, one in zip(parts, forward, strict=True):
        part.set_weights(one.get_weights())


def parts_of(layer):
    return [layer.forward_layer, layer.backward_layer] if isinstance(layer, Both) else [layer]


def model_of(layers):
    return keras.Sequential([keras.Input((None, 3)), *layers])


OURS = {"LSTM": lz.LSTM, "GRU": lz.GRU, "SimpleRNN": lz.SimpleRNN}
KINDS = OURS | {f"Keras's {name}": getattr(keras.layers, name) for name in OURS}
WAYS = [through_torch, through_hdf5, through_weights_alone]
CASES = [(kind, way) for kind in KINDS for way in WAYS]
CASES += [(kind, through_onnx) for kind in [*OURS, "Keras's LSTM"]]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "way"), CASES)
def test_two_layers_come_back_without_a_changed_bit(kind, way, bidirectional, tmp_path):
    def layer():
        one = KINDS[kind](4, return_sequences=True)
        return Both(one) if bidirectional else one

    layers, rng = [layer(), layer()], np.random.default_rng(0)
    model = model_of(layers)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    again = [layer(), layer()]
    way(layers, again, tmp_path)
    for old, new in zip(layers, again, strict=True):
        for one, other in zip(old.get_weights(), new.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
