"""The blocks of the xLSTM agree with the reference implementation on PyTorch."""

import pathlib

import keras
import numpy as np
import pytest

from lstm_zoo.layers import MLSTMBlock, SLSTMBlock

PATH = pathlib.Path(__file__).parents[1] / "data" / "xlstm.npz"


@pytest.fixture(scope="module")
def reference():
    """What `tests/data/make_xlstm.py` stored."""
    with np.load(PATH, allow_pickle=False) as arrays:
        return dict(arrays)


def assign_shared(block, w, inner):
    """The weights that both blocks have; the reference's gains are 1 + weight."""
    block.norm.gamma.assign(1 + w["xlstm_norm.weight"])
    block.convolution_kernel.assign(w[f"{inner}.conv1d.conv.weight"][:, 0].T)
    block.convolution_bias.assign(w[f"{inner}.conv1d.conv.bias"])


def test_mlstm_block_gives_the_numbers_of_the_reference(reference):
    w = {name.removeprefix("mlstm/"): a for name, a in reference.items()}
    x, inner = reference["x"], len(w["xlstm.learnable_skip"])
    block = MLSTMBlock(heads=2, expansion=inner // x.shape[-1])
    block.build(x.shape)
    assign_shared(block, w, "xlstm")
    block.up.kernel.assign(w["xlstm.proj_up.weight"].T)
    block.down.kernel.assign(w["xlstm.proj_down.weight"].T)
    for name in ("query", "key", "value"):
        kernel = w[f"xlstm.{name[0]}_proj.weight"].transpose(0, 2, 1)
        getattr(block, f"{name}_kernel").assign(kernel)
    for ours, theirs in (("input_gate", "igate"), ("forget_gate", "fgate")):
        getattr(block, ours).kernel.assign(w[f"xlstm.mlstm_cell.{theirs}.weight"].T)
        getattr(block, ours).bias.assign(w[f"xlstm.mlstm_cell.{theirs}.bias"])
    block.head_gain.assign(1 + w["xlstm.mlstm_cell.outnorm.weight"])
    block.skip.assign(w["xlstm.learnable_skip"])
    np.testing.assert_allclose(block(x), w["y"], rtol=1e-4, atol=1e-4)


def test_slstm_block_gives_the_numbers_of_the_reference(reference):
    w = {name.removeprefix("slstm/"): a for name, a in reference.items()}
    x = reference["x"]
    inner = w["ffn.proj_down.weight"].shape[1]
    block = SLSTMBlock(heads=2, expansion=inner / x.shape[-1])
    block.build(x.shape)
    assign_shared(block, w, "xlstm")
    # What the reference calls fgate stands where its cell has the input gate, and the other way.
    for kernel, theirs in zip(block.gate_kernels, ("fgate", "igate", "zgate", "ogate")):
        kernel.assign(w[f"xlstm.{theirs}.weight"].transpose(0, 2, 1))
    cell, d = block.recurrence.cell, x.shape[-1] // 2
    recurrent = w["xlstm.slstm_cell._recurrent_kernel_"].reshape(2, 4, d, d)
    cell.recurrent_kernel.assign(recurrent.transpose(0, 3, 1, 2))
    cell.bias.assign(w["xlstm.slstm_cell._bias_"])
    block.head_gain.assign(1 + w["xlstm.group_norm.weight"])
    block.feed_norm.gamma.assign(1 + w["ffn_norm.weight"])
    block.up.kernel.assign(w["ffn.proj_up.weight"].T)
    block.down.kernel.assign(w["ffn.proj_down.weight"].T)
    np.testing.assert_allclose(block(x), w["y"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [MLSTMBlock, SLSTMBlock])
def test_block_masks_padding_and_loads_from_its_file(kind, tmp_path):
    inputs = keras.Input((None, 8))
    model = keras.Model(inputs, kind(heads=2)(keras.layers.Masking()(inputs)))
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
    padded = np.pad(x, [(0, 0), (0, 3), (0, 0)])
    y = model(x)
    np.testing.assert_allclose(model(padded)[:, :5], y, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), y, atol=1e-6)
    with pytest.raises(ValueError, match="heads must divide"):
        kind(heads=3).build((None, 5, 8))
