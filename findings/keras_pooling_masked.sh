#!/usr/bin/env bash
# A fully masked row makes weights NaN behind GlobalAveragePooling1D (Keras 3.15.1).
#
# Guess: keras.layers.GlobalAveragePooling1D gives zeros for a row without a valid step, as an empty
#   sentence in a padded batch has; a sample weight of 0 takes the row out of the training.
# What happens: the layer divides zero by zero steps. The row's output is NaN, the loss is NaN, and
#   one training step makes the weights of the next layer NaN, with a sample weight of 0 too.
# Output seen: "outputs [ 1. nan]", "loss nan", "layers whose weights are NaN: after".
# Do instead: leave out rows that contain only padding, or keep one step of each unmasked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - <<'PYTHON'
import keras
import numpy as np
import tensorflow as tf

print("keras", keras.__version__, "tensorflow", tf.__version__)
dense = {"use_bias": False, "kernel_initializer": "ones"}
model = keras.Sequential(
    [
        keras.Input((3, 1)),
        keras.layers.Masking(),
        keras.layers.Dense(1, name="before", **dense),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1, name="after", **dense),
    ]
)
x = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], "float32")[..., None]
outputs = model.predict(x, verbose=0).ravel()
print("outputs", outputs)
model.compile("sgd", "mse")
history = model.fit(x, np.zeros((2, 1)), sample_weight=np.array([1.0, 0.0]), verbose=0)
[loss] = history.history["loss"]
print("loss", loss)
broken = [layer.name for layer in model.layers for one in layer.weights if np.isnan(one.numpy()).any()]
print("layers whose weights are NaN:", *broken)
assert outputs[0] == 1 and np.isnan(outputs[1]), outputs
assert np.isnan(loss), loss
assert "after" in broken, broken
PYTHON
