#!/usr/bin/env bash
# BatchNormalization keeps different statistics on each replica (Keras 3.15.1, TensorFlow 2.21.0).
#
# Guess: under tf.distribute.MirroredStrategy the moving mean and variance of
#   keras.layers.BatchNormalization are averaged over the replicas, so that one model results.
# What happens: each replica keeps those of its own rows, and they drift apart. model.predict
#   answers the same row differently on each replica, and get_weights and save take the statistics
#   of the first replica, which saw half of the data.
# Output seen, after training on batches of 0, 0, 8, 8: "moving mean: one device 4.0, replicas 0.0
#   8.0"; "the same row four times: 8.0 8.0 0.0 0.0".
# Do instead: BatchNormalization(synchronized=True), which gives 4.0 on both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow==2.21.0 keras==3.15.1
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - <<'PYTHON'
import warnings

import keras
import numpy as np
import tensorflow as tf

warnings.simplefilter("ignore")
print("keras", keras.__version__, "tensorflow", tf.__version__)
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
ONE = tf.distribute.OneDeviceStrategy("CPU:0")
TWO = tf.distribute.MirroredStrategy(
    ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.HierarchicalCopyAllReduce()
)
X = np.array([[0.0], [0.0], [8.0], [8.0]], "float32")


def trained(strategy, synchronized=False):
    """The moving means, one for each replica, what is saved, and answers to four equal rows."""
    with strategy.scope():
        layer = keras.layers.BatchNormalization(
            momentum=0.5, epsilon=1.0, synchronized=synchronized
        )
        model = keras.Sequential([keras.Input((1,)), layer])
        model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(tf.data.Dataset.from_tensor_slices((X, X)).batch(4), epochs=20, verbose=0)
    copies = strategy.experimental_local_results(layer.moving_mean.value)
    answers = model.predict(np.full((4, 1), 8.0, "float32"), batch_size=4, verbose=0)
    means = [round(float(copy.numpy()[0]), 3) for copy in copies]
    return means, round(float(model.get_weights()[2][0]), 3), [round(float(a), 2) for a in answers.ravel()]


one, two, synchronized = trained(ONE), trained(TWO), trained(TWO, synchronized=True)
print("moving mean: one device", *one[0], "replicas", *two[0], "saved", two[1])
print("the same row four times:", *two[2], "on one device:", *one[2])
print("with synchronized=True: replicas", *synchronized[0], "rows", *synchronized[2])
assert np.allclose(one[0], 4.0, atol=0.01), one
assert np.allclose(two[0], [0.0, 8.0], atol=0.01), two
assert abs(two[1]) < 0.01, two
assert np.allclose(two[2], [8, 8, 0, 0], atol=0.1), two
assert np.allclose(synchronized[0], 4.0, atol=0.01), synchronized
assert np.allclose(synchronized[2], one[2], atol=0.01), synchronized
PYTHON
