"""Settings that all tests share: a quiet TensorFlow, exact float32, fixed seeds."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib
import pytest
import tensorflow as tf
from hypothesis import settings

from lstm_zoo.recurrence import parts

matplotlib.use("Agg")  # not by MPLBACKEND, which the notebooks would read too

# On newer GPUs TensorFlow otherwise multiplies float32 with 10 bits of mantissa.
tf.config.experimental.enable_tensor_float_32_execution(False)

# It rewrites each graph before its first run, which takes a third of the time of small tests. What
# runs in a process of its own (commands, examples, notebooks) has it as users do.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# A graph for batches of any size holds each part that there can be: as a rule four, or one a core.
parts.PARTS = 2

# Graphs are many objects that live long; to look through them again and again takes 5 to 10 %.
gc.set_threshold(50_000, 20, 20)

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _same_start_for_every_test():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
