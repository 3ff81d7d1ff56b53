#!/usr/bin/env bash
# A residual connection around MultiHeadAttention loses the padding mask (Keras 3.15.1, TensorFlow 2.21.0).
#
# Guess: with Embedding(mask_zero=True), every layer that supports masks carries the padding mask on,
#   so a stack of Transformer blocks x = Add()([x, attention(x, x)]) never attends to padding.
# What happens: the call of MultiHeadAttention removes the mask from its own input tensors. Add then
#   sees one input without a mask and drops the mask. The second block attends to padding. Nothing
#   is said, and the symbolic tensors of the model still have their masks.
# Output seen: "mask in the model: True"; "answers for a padded row differ: one block 0.000, two
#   blocks 0.048".
# Do instead: compute the mask once from the tokens and pass it as attention_mask to every layer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python - <<'PYTHON'
import keras
import numpy as np

keras.utils.set_random_seed(0)
tokens = keras.Input((None,), dtype="int32")
x = keras.layers.Embedding(9, 8, mask_zero=True)(tokens)
outputs = {}
for blocks in ("one block", "two blocks"):
    x = keras.layers.Add()([x, keras.layers.MultiHeadAttention(2, 4)(x, x)])
    outputs[blocks] = x
print("mask in the model:", x._keras_mask is not None)

padded = np.array([[3, 4, 5, 0, 0, 0]])
off = {}
for blocks, output in outputs.items():
    model = keras.Model(tokens, output)
    alone = model.predict(padded[:, :3], verbose=0)
    off[blocks] = float(np.abs(model.predict(padded, verbose=0)[:, :3] - alone).max())
print("answers for a padded row differ:", ", ".join(f"{k} {v:.3f}" for k, v in off.items()))
assert off["one block"] < 1e-6 and off["two blocks"] > 1e-3, off

real = keras.ops.not_equal(tokens, 0)[:, None, :]
x = keras.layers.Embedding(9, 8)(tokens)
for _ in range(2):
    x = keras.layers.Add()([x, keras.layers.MultiHeadAttention(2, 4)(x, x, attention_mask=real)])
model = keras.Model(tokens, x)
alone = model.predict(padded[:, :3], verbose=0)
assert np.abs(model.predict(padded, verbose=0)[:, :3] - alone).max() < 1e-5
PYTHON
