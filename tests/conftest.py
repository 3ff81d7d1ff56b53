"""Settings that all tests share: a quiet TensorFlow, exact float32, fixed seeds."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib
import pytest
import tensorflow as tf
from hypothesis import settings

from lstm_zoo.recurrence import shards

matplotlib.use("Agg")  # not by MPLBACKEND, which the notebooks would read too

# On newer GPUs TensorFlow otherwise multiplies float32 with 10 bits of mantissa.
tf.config.experimental.enable_tensor_float_32_execution(False)

# `make test-unchanged` sets AS_USERS_RUN and leaves the next two as they are for users. So do tests
# that run in a process of their own: commands, examples and notebooks.
if not os.environ.get("AS_USERS_RUN"):
    # TensorFlow rewrites each graph before its first run: a third of the time of small tests.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # A graph for batches of any size holds every possible part: four, or one for each core.
    shards.SHARDS = 2

# Graphs are many objects that live long; to look through them again and again takes 5 to 10 %.
gc.set_threshold(50_000, 20, 20)

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark as `long` each case that the `short` marker does not name by id or arguments."""
    for item in items:
        for marker in item.iter_markers("short"):
            case = item.callspec
            by_arguments = [case.params[name] in values for name, values in marker.kwargs.items()]
            if not all(by_arguments or [case.id in marker.args]):
                item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _same_start_for_every_test():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
