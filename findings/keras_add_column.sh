#!/usr/bin/env bash
# keras.ops.add adds a column to a square matrix as a row (Keras 3.15.1, TensorFlow 2.21.0).
#
# Guess: keras.ops.add broadcasts as NumPy does, whatever the shapes.
# What happens: on the TensorFlow backend a second argument that has one axis longer than 1 is taken
#   for a bias if that axis is as long as the last axis of the first argument, and is added along
#   that last axis. Nothing is said. (n, n) + (n, 1), and (batch, n, n) + (n, 1), a number for each
#   step of sequences with as many features as steps, are wrong; so are `+` of Keras tensors in a
#   functional model and the layer Add. The arguments swapped, and other sizes, are right.
# Output seen: "add: [1. 2. 3.] in each row, NumPy: [1. 1. 1.] in the first"; "layer Add, one sample:
#   [1. 2. 3.]"; "swapped: [1. 1. 1.]".
# Do instead: keras.ops.add(column, matrix), the column first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 KERAS_BACKEND=tensorflow venv/bin/python - <<'PYTHON'
import keras
import numpy as np
import tensorflow as tf

print("keras", keras.__version__, "tensorflow", tf.__version__)
column = np.array([[1.0], [2.0], [3.0]], "float32")


def numbers(value):
    return keras.ops.convert_to_numpy(value)


matrix, wanted = np.zeros((3, 3), "float32"), np.zeros((3, 3), "float32") + column
found = numbers(keras.ops.add(matrix, column))
print("add:", found[0], "in each row, NumPy:", wanted[0], "in the first")
assert np.array_equal(found, wanted.T), found

steps = np.zeros((2, 3, 3), "float32")
assert np.array_equal(numbers(keras.ops.add(steps, column))[1], wanted.T)

inputs = keras.Input((3, 3))
model = keras.Model(inputs, inputs + column)
assert np.array_equal(numbers(model(steps))[1], wanted.T)

added = numbers(keras.layers.Add()([steps[:1], column[None]]))[0]
print("layer Add, one sample:", added[0])
assert np.array_equal(added, wanted.T), added

swapped = numbers(keras.ops.add(column, matrix))
print("swapped:", swapped[0])
assert np.array_equal(swapped, wanted), swapped
assert np.array_equal(numbers(keras.ops.add(np.zeros((3, 4), "float32"), column))[:, 0], column[:, 0])
PYTHON
