"""Makes xlstm.npz: what the xlstm package (Beck et al. 2024) computes on PyTorch.

Run it in an environment of its own: pip install torch xlstm; python tests/data/make_xlstm.py.
Every weight is random, those that start at zero or one too, so that none can be left out.
"""

import pathlib

import numpy as np
import torch
import xlstm
from xlstm.blocks.xlstm_block import xLSTMBlock, xLSTMBlockConfig

BATCH, STEPS, WIDTH, HEADS = 2, 6, 8, 2


def randomised(module):
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(std=0.5)
    return module.eval()


def vectors(prefix, module, x):
    weights = {f"{prefix}/{name}": w.detach().numpy() for name, w in module.named_parameters()}
    with torch.no_grad():
        return {**weights, f"{prefix}/y": module(torch.tensor(x)).numpy()}


torch.manual_seed(0)
x = np.random.default_rng(0).normal(size=(BATCH, STEPS, WIDTH)).astype("float32")
mlstm = xlstm.mLSTMLayerConfig(
    embedding_dim=WIDTH,
    num_heads=HEADS,
    context_length=STEPS,
    qkv_proj_blocksize=4,
    proj_factor=2.0,
)
slstm = xlstm.sLSTMLayerConfig(embedding_dim=WIDTH, num_heads=HEADS, backend="vanilla", dropout=0.0)
feedforward = xlstm.FeedForwardConfig(proj_factor=1.3, act_fn="gelu", embedding_dim=WIDTH)
blocks = {
    "mlstm": xLSTMBlockConfig(mlstm=mlstm, _num_blocks=1, _block_idx=0),
    "slstm": xLSTMBlockConfig(slstm=slstm, feedforward=feedforward, _num_blocks=1, _block_idx=0),
}
arrays = {"x": x}
for name, config in blocks.items():
    arrays |= vectors(name, randomised(xLSTMBlock(config)), x)
np.savez_compressed(pathlib.Path(__file__).with_name("xlstm.npz"), **arrays)
for name, array in arrays.items():
    print(name, array.shape)
