"""Settings that all tests share: a quiet TensorFlow, exact float32, fixed seeds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import pytest
import tensorflow as tf
from hypothesis import settings

# On newer GPUs TensorFlow otherwise multiplies float32 with 10 bits of mantissa.
tf.config.experimental.enable_tensor_float_32_execution(False)

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _same_start_for_every_test():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
