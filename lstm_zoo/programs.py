"""Passes over a batch as XLA programs, each traced once, and run on parts of the batch at a time.

A step of a recurrence is too small for two cores to share: they would wait for each other at every
product. So a batch is cut into parts of some sixteen rows, and each core takes whole sequences of
its own. Parts are of few sizes, the last one filled up with zeros, so that a partial last batch, or
a batch of any size up to sixty-four rows, needs no program of its own.
"""

import os
import weakref

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # Whether an outer function is compiled as a whole; TensorFlow's only way to ask.
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

ROWS = 16  # in a part: fewer would waste the weights that a product reads, more the cores
PARTS = max(4, min(os.cpu_count() or 1, 16))  # at most; of a larger batch the parts are larger


class compiled:
    """A pass over rows as XLA programs: one for each cell, plan and shape of its tensors.

    The pass is a function of `cell`, `plan`, `rows` (tensors with the batch as first axis),
    `shared` (weights and other things that all rows see) and `kept` (what an earlier pass kept for
    this one). It returns results with the batch as first axis, sums over the batch, and what a
    later pass wants kept. A call returns the same of the whole batch, and takes and returns `kept`
    as a list, an entry for each part.
    """

    def __init__(self, function):
        self.plain = function
        self.programs = weakref.WeakKeyDictionary()  # cell -> signature -> program

    def __call__(self, cell, plan, rows, shared, kept=None):
        split = not (GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()) or sees_a_gpu())
        pass_ = self._in_parts if split else self._whole
        return self._program(cell, plan, pass_, False, rows, shared, kept)

    def count(self):
        """How many XLA programs there are by now, not counting those for other sizes of a batch."""
        keys = (key for programs in self.programs.values() for key in programs)
        return sum(jit_compile for _, _, jit_compile, *_ in keys)

    def _whole(self, cell, plan, rows, shared, kept):
        kept = None if kept is None else kept[0]
        rows, sums, kept = self._program(cell, plan, self.plain, True, rows, shared, kept)
        return rows, sums, [kept]

    def _in_parts(self, cell, plan, rows, shared, kept):
        x = tf.nest.flatten(rows)[0]
        batch = x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]
        size, count = size_and_count(batch)
        if isinstance(batch, int) and (size, count) == (batch, 1):
            return self._whole(cell, plan, rows, shared, kept)
        done = []
        for k in range(count):
            args = rows, k * size, size, shared, None if kept is None else kept[k]
            if isinstance(batch, int):
                done.append(self._part(cell, plan, *args))
            else:  # the same graph for each
                done.append(self._program(cell, plan, self._part_if_any, False, *args))
        rows, sums, kept = zip(*done)
        rows = tf.nest.map_structure(lambda *parts: tf.concat(parts, 0)[:batch], *rows)
        return rows, tf.nest.map_structure(lambda *parts: tf.add_n(parts), *sums), list(kept)

    def _part(self, cell, plan, rows, start, size, shared, kept):
        part = on_tensors(lambda a: _take(a, start, size), rows)
        return self._program(cell, plan, self.plain, True, part, shared, kept)

    def _part_if_any(self, cell, plan, rows, start, size, shared, kept):
        """The results of a part, or the same of no rows if the batch ends before it."""
        batch, timesteps = tf.unstack(tf.shape(tf.nest.flatten(rows)[0])[:2])
        specs = []

        def yes():
            results = self._part(cell, plan, rows, start, size, shared, kept)
            specs.append(tf.nest.map_structure(tf.TensorSpec.from_tensor, results))
            return results

        def no():
            of_rows, *others = specs[0]
            of_rows = tf.nest.map_structure(lambda a: nothing(a, [0, *a.shape[1:]]), of_rows)
            # What is kept of no rows is never read.
            return of_rows, *tf.nest.map_structure(lambda a: nothing(a, a.shape, 0), others)

        def nothing(like, shape, unknown=timesteps):
            return tf.zeros([unknown if n is None else n for n in shape], like.dtype)

        return tf.cond(start < batch, yes, no)

    def _program(self, cell, plan, function, jit_compile, *args):
        """Call `function` through a graph that is kept for the next call of this kind."""
        flat = tf.nest.flatten(args)
        kinds = ((a.dtype, tuple(a.shape)) if tf.is_tensor(a) else a for a in flat)
        key = (plan, function.__name__, jit_compile, *kinds)
        programs = self.programs.setdefault(cell, {})
        if key not in programs:
            programs[key] = _trace(function, weakref.ref(cell), plan, args, jit_compile)
        return programs[key](*(a for a in flat if tf.is_tensor(a)))


def on_tensors(function, structure):
    """The structure with `function` of each tensor; what else is in it stays."""
    return tf.nest.map_structure(lambda a: function(a) if tf.is_tensor(a) else a, structure)


def size_and_count(batch):
    """Rows in a part, and the number of parts, which for a tensor is the largest there can be."""
    if isinstance(batch, int):
        size = _size(batch)
        return size, max(1, -(-batch // size))
    sizes = [_size(few) for few in range(ROWS * PARTS + 1)]
    of_few = tf.gather(sizes, tf.minimum(batch, ROWS * PARTS))
    return tf.where(batch > ROWS * PARTS, -(-batch // PARTS), of_few), PARTS


def _size(batch):
    count = max(-(-batch // ROWS), 2 if batch >= ROWS else 1)
    even = -(-batch // min(count, PARTS))
    return next((size for size in (1, 2, 4, 8, ROWS) if size >= even), even)


def _take(a, start, size):
    """`size` rows of `a` from `start` on, filled up with zeros."""
    part = a[start : start + size]
    if part.shape[0] is not None and part.shape[0] == size:
        return part
    missing = size - (part.shape[0] if part.shape[0] is not None else tf.shape(part)[0])
    return tf.pad(part, [[0, missing]] + [[0, 0]] * (len(a.shape) - 1))


def _trace(function, cell, plan, args, jit_compile):
    """`function` as a graph for tensors like those in `args`; it keeps neither them nor `cell`."""
    args = on_tensors(_Spec, args)
    flat = tf.nest.flatten(args)

    def program(*tensors):
        tensors = iter(tensors)
        values = [next(tensors) if isinstance(a, _Spec) else a for a in flat]
        return function(cell(), plan, *tf.nest.pack_sequence_as(args, values))

    specs = [a.spec for a in flat if isinstance(a, _Spec)]
    graph = tf.function(program, jit_compile=jit_compile or None, autograph=False)
    return graph.get_concrete_function(*specs)


class _Spec:
    """Stands for a tensor where its value must not be kept."""

    def __init__(self, tensor):
        self.spec = tf.TensorSpec(tensor.shape, tensor.dtype)


def sees_a_gpu():
    """Whether TensorFlow is the backend and has a GPU."""
    on_tensorflow = keras.backend.backend() == "tensorflow"
    return on_tensorflow and bool(tf.config.list_logical_devices("GPU"))
