#!/usr/bin/env bash
# A saved Huber loss forgets its delta (Keras 3.15.1, TensorFlow 2.21.0).
#
# Guess: a model compiled with keras.losses.Huber(delta=2.0), saved with model.save and loaded with
#   keras.saving.load_model, has the same loss as before.
# What happens: the loaded model uses delta=1.0, the default, without a warning. The configuration
#   of the loss has no delta. CosineSimilarity(axis=1), the loss and the metric, comes back with
#   axis=-1 in the same way. Losses such as Tversky and BinaryFocalCrossentropy keep their arguments.
# Output seen: "huber of an error of 5: before 8.0, after 4.5" (8.0 is right: 2 * 5 - 2 * 2 / 2).
# Do instead: compile the loaded model again with the loss before you train or evaluate it.
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


def before_and_after(loss, x, y):
    """What a model that passes its input through evaluates to, before and after a file."""
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Identity()])
    model.compile(loss=loss)
    model.save("model.keras")
    loaded = keras.saving.load_model("model.keras")
    return [round(float(one.evaluate(x, y, verbose=0)), 4) for one in (model, loaded)]


huber = before_and_after(keras.losses.Huber(delta=2.0), np.zeros((1, 1)), np.full((1, 1), 5.0))
print("huber of an error of 5: before {}, after {}".format(*huber))
x, y = np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[[1.0, 0.0], [0.0, 1.0]]])
cosine = before_and_after(keras.losses.CosineSimilarity(axis=1), x, y)
print("cosine similarity over axis 1: before {}, after {}".format(*cosine))
tversky = before_and_after(keras.losses.Tversky(alpha=0.2, beta=0.9), x / 4, y)
print("tversky, for comparison: before {}, after {}".format(*tversky))
assert huber == [8.0, 4.5], huber
assert cosine[0] != cosine[1], cosine
assert tversky[0] == tversky[1], tversky
PYTHON
