"""Frees graphs that TensorFlow would otherwise keep until the process ends."""

import contextlib
from collections.abc import Iterator

from lstm_zoo.backend import tf

if tf is not None:
    # The gradients of operations by name; TensorFlow has no public way to remove a gradient.
    from tensorflow.python.framework.ops import gradient_registry


@contextlib.contextmanager
def not_differentiated() -> Iterator[None]:
    """Remove the gradients that the block registers, so that its graph can be freed.

    A Keras optimizer adds up the replicas' gradients in a `tf.custom_gradient`. TensorFlow never
    removes that function from its registry, which keeps the graph of the whole step in memory: 3 MB
    for each call of `fit`. Removal is safe, because a training step is never differentiated.
    """
    if tf.executing_eagerly():
        yield
        return
    registered, graphs = gradient_registry._registry, [tf.compat.v1.get_default_graph()]
    while outer := getattr(graphs[-1], "outer_graph", None):
        graphs.append(outer)
    known = set(registered)
    yield
    for name in registered.keys() - known:  # another thread may have added gradients too
        if _is_of(graphs, registered[name]["type"]):
            del registered[name]


def _is_of(graphs, function):
    """Whether a function, or a function in its closure, holds tensors of these graphs."""
    for cell in getattr(function, "__closure__", None) or ():
        value = cell.cell_contents
        if isinstance(value, list) and any(getattr(t, "graph", None) in graphs for t in value):
            return True
        if callable(value) and _is_of(graphs, value):
            return True
    return False
