#!/usr/bin/env bash
# With clipnorm, two replicas reach other weights than one device (Keras 3.15.1, TensorFlow 2.21.0).
#
# Guess: under tf.distribute.MirroredStrategy the optimizer clips the gradient of the whole batch,
#   as on one device, so that the same batches lead to the same weights.
# What happens: each replica clips the gradient of its own rows, and the clipped gradients are then
#   added. So the weight of a row depends on its replica, and the norm of a step can
#   exceed the limit. Without clipping, both agree.
# Output seen, after one step of SGD with rate 1 and global_clipnorm=1 from zero:
#   one device [0.99995 0.01], two replicas [1. 1.] (norm 1.414).
# Do instead: clip in a training loop of your own, after strategy.reduce_to the sum of the
#   gradients, or do not clip in the optimizer.
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


def step(strategy, **clip):
    """The two weights after one step on a batch of two rows."""
    x, y = np.eye(2, dtype="float32"), np.array([[100.0], [1.0]], "float32")
    with strategy.scope():
        dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((2,)), dense])
        model.compile(keras.optimizers.SGD(1.0, **clip), "mse")
    model.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(2), verbose=0)
    return np.ravel(model.get_weights()[0])


for clip in ({}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}):
    one, two = step(ONE, **clip), step(TWO, **clip)
    print(clip, "one device", one.round(5), "two replicas", two.round(5))
    if clip:
        assert np.allclose(one, [0.99995, 0.009999], atol=1e-4), one
        assert np.allclose(two, [1.0, 1.0], atol=1e-4), two
        assert np.linalg.norm(two) > 1.4
    else:
        assert np.allclose(one, two), (one, two)
PYTHON
