"""Trains cells that XLA compiles in a process that has nearly as many maps of memory as it may.

XLA would end it by a segmentation fault. Run by test_recurrence.py.
"""

import ctypes
import mmap
import pathlib

import keras
import numpy as np

import lstm_zoo as lz

x, y = np.ones((20, 5, 3), "float32"), np.ones((20, 1), "float32")


def trained(cell, **options):
    """The weights after three steps."""
    keras.utils.set_random_seed(0)
    layer = lz.layers.layer_for(cell, 4, **options)
    model = keras.Sequential([keras.Input((5, 3)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=3, verbose=0)
    return model.get_weights()


trained("no_input_gate")  # so that there are all the threads that there will be
maps = pathlib.Path("/proc/self/maps").read_bytes().count(b"\n")
most = int(pathlib.Path("/proc/sys/vm/max_map_count").read_text())
libc, pages = ctypes.CDLL(None), most - maps - 50
libc.mmap.restype = ctypes.c_void_p
size = ctypes.c_size_t(pages * mmap.PAGESIZE)
start = libc.mmap(None, size, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, ctypes.c_long(0))
for page in range(0, pages, 2):  # each that may be read becomes a map of its own, and each between
    place = ctypes.c_void_p(start + page * mmap.PAGESIZE)
    libc.mprotect(place, ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ)
for ours, keras_loop in zip(trained("no_output_gate"), trained("no_output_gate", unroll=True)):
    np.testing.assert_allclose(ours, keras_loop, atol=1e-5)
