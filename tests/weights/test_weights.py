"""LSTM layers with imported weights compute the same numbers as the other libraries."""

import pathlib
import pickle

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

import lstm_zoo as lz
from lstm_zoo.weights import from_keras2, from_tensorflow1, from_torch, to_torch

DATA = pathlib.Path(__file__).parents[1] / "data" / "weights"
TORCH, KERAS2 = np.load(DATA / "torch.npz"), np.load(DATA / "keras2.npz")


def lstm(kind=lz.LSTM, units=4, **options):
    return kind(units, return_sequences=True, **options)


@pytest.mark.parametrize("kind", [lz.LSTM, keras.layers.LSTM])
def test_layer_gives_torchs_numbers(kind):
    layer = lstm(kind)
    from_torch(layer, DATA / "plain.safetensors", prefix="lstm.")
    np.testing.assert_allclose(layer(TORCH["x"]), TORCH["plain"], atol=1e-6)


def test_layer_without_bias_gives_torchs_numbers():
    for use_bias in (False, True):
        layer = lstm(use_bias=use_bias)
        from_torch(layer, DATA / "bare.safetensors", prefix="lstm.")
        np.testing.assert_allclose(layer(TORCH["x"]), TORCH["bare"], atol=1e-6)


def test_stacked_bidirectional_layers_give_torchs_numbers_and_go_back(tmp_path):
    layers = [keras.layers.Bidirectional(lstm()) for _ in range(2)]
    model = keras.Sequential([keras.Input((None, 3)), *layers])
    from_torch(layers, DATA / "stacked.safetensors", prefix="lstm.")
    np.testing.assert_allclose(model(TORCH["x"]), TORCH["stacked"], atol=1e-6)
    to_torch(layers, tmp_path / "m.safetensors", prefix="lstm.")
    written = load_file(tmp_path / "m.safetensors")
    original = load_file(DATA / "stacked.safetensors")
    assert set(written) == set(original)
    for name, value in original.items():
        if "bias" not in name:
            np.testing.assert_array_equal(written[name], value)
        elif "bias_ih" in name:  # only the sum counts
            total = value + original[name.replace("ih", "hh")]
            got = written[name] + written[name.replace("ih", "hh")]
            np.testing.assert_allclose(got, total, rtol=1e-6)


def test_wrong_torch_files_are_refused(tmp_path):
    layer = lz.LSTM(4)
    with pytest.raises(ValueError, match="must be a .safetensors file"):
        from_torch(layer, DATA / "keras2_model.h5")
    with pytest.raises(ValueError, match="proj_size"):
        from_torch(layer, DATA / "projected.safetensors")
    with pytest.raises(ValueError, match="prefix must be one of .lstm.'"):
        from_torch(layer, DATA / "plain.safetensors")
    with pytest.raises(ValueError, match="layers must be as many as in the file"):
        from_torch(keras.layers.Bidirectional(layer), DATA / "stacked.safetensors", "lstm.")
    with pytest.raises(ValueError, match="recurrent kernel must be of shape"):
        from_torch(lz.LSTM(5), DATA / "plain.safetensors", "lstm.")
    with pytest.raises(ValueError, match="layers must be LSTM layers with the plain cell"):
        from_torch(lz.PeepholeLSTM(4), DATA / "plain.safetensors", "lstm.")
    tensors = load_file(DATA / "plain.safetensors")
    tensors["lstm.weight_hh_l0"][0, 0] = np.nan
    save_file(tensors, tmp_path / "nan.safetensors")
    with pytest.raises(ValueError, match="kernel must be finite"):
        from_torch(lz.LSTM(4), tmp_path / "nan.safetensors", "lstm.")
    for content in (b"", b"\xff" * 100, (2**40).to_bytes(8, "little") + b"{}"):
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match="not a safetensors file"):
            from_torch(layer, tmp_path / "bad.safetensors")


def test_pickle_under_another_name_is_not_run(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return marker.touch, ()

    model = model_of_keras2()
    readers = (".safetensors", from_torch, model.layers[1]), (".h5", from_keras2, model)
    for ending, read, target in readers:
        path = tmp_path / f"evil{ending}"
        path.write_bytes(pickle.dumps(Evil()))
        with pytest.raises(ValueError):  # noqa: PT011
            read(target, path)
    assert not marker.exists()


def model_of_keras2():
    return keras.Sequential(
        [
            keras.Input((None, 3)),
            keras.layers.Bidirectional(lstm()),
            lz.LSTM(3),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(2),
        ]
    )


@pytest.mark.parametrize(
    ("file", "numbers"),
    [("keras2_model", "whole"), ("keras2_weights", "whole"), ("keras2_cudnn", "cudnn")],
)
def test_model_gives_keras_2s_numbers(file, numbers):
    model = model_of_keras2()
    from_keras2(model, DATA / f"{file}.h5")
    np.testing.assert_allclose(model(KERAS2["x"]), KERAS2[numbers], atol=1e-5)


def test_wrong_keras_2_files_are_refused(tmp_path):
    model = lz.build_regressor((None, 3), lstm_units=(4,), dense_units=())
    with pytest.raises(ValueError, match="as many layers with weights as the file"):
        from_keras2(model, DATA / "keras2_model.h5")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    before = model.get_weights()
    path = tmp_path / "linked.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["a"]
        group = file.create_group("a")
        group.attrs["weight_names"] = ["w"]
        secret = tmp_path / "secret"
        secret.write_bytes(bytes(16))
        group.create_dataset("w", (4,), "float32", external=[(str(secret), 0, 16)])
    with pytest.raises(ValueError, match="link to another file"):
        from_keras2(model, path)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["a"]
        group = file.create_group("a")
        group.attrs["weight_names"] = ["w"]
        group.create_dataset("w", (2**33,), "float32", chunks=(2**20,), compression="gzip")
    with pytest.raises(ValueError, match="must not have more numbers than the model"):
        from_keras2(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("forget_bias", [1.0, 0.0])
def test_layer_gives_the_numbers_of_tensorflow_1(peepholes, forget_bias):
    rng = np.random.default_rng(3)
    x, units = rng.normal(size=(5, 2, 3)).astype("float32"), 4
    kernel = rng.normal(size=(3 + units, 4 * units)).astype("float32")
    bias = rng.normal(size=4 * units).astype("float32")
    diagonals = rng.normal(size=(3, units)).astype("float32") * peepholes
    zeros = tf.zeros((2, units))
    _, _, _, _, _, _, expected = tf.raw_ops.BlockLSTM(  # the operation of TensorFlow 1
        seq_len_max=5,
        x=x,
        cs_prev=zeros,
        h_prev=zeros,
        w=kernel,
        wci=diagonals[0],
        wcf=diagonals[1],
        wco=diagonals[2],
        b=bias,
        forget_bias=forget_bias,
        cell_clip=-1.0,
        use_peephole=peepholes,
    )
    layer = lstm(lz.PeepholeLSTM if peepholes else lz.LSTM)
    options = {"peepholes": tuple(diagonals)} if peepholes else {}
    from_tensorflow1(layer, kernel, bias, forget_bias=forget_bias, **options)
    got = layer(np.swapaxes(x, 0, 1))
    np.testing.assert_allclose(got, np.swapaxes(expected, 0, 1), atol=1e-5)


def test_wrong_kernels_of_tensorflow_1_are_refused():
    for layer, kernel, bias, options, message in [
        (lz.LSTM(4), np.ones((7, 12)), np.ones(16), {}, "kernel must be of shape"),
        (lz.LSTM(4), np.ones((4, 16)), np.ones(16), {}, "more than units=4 rows"),
        (lz.LSTM(4), np.ones((7, 16)), np.ones(12), {}, "bias must be of shape"),
        (lz.LSTM(4), np.ones((7, 16)), np.ones(16), {"peepholes": np.ones((3, 4))}, "PeepholeLSTM"),
        (lz.LSTM(4), np.ones((7, 16)), np.ones(16), {"forget_bias": np.nan}, "forget_bias must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            from_tensorflow1(layer, kernel, bias, **options)
