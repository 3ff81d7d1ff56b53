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
        split = not (GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()) or _gpu())
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
        """The results of a part, or results of no rows."""
        x = tf.nest.flatten(rows)[0]
        specs = []

        def yes():
            results = self._part(cell, plan, rows, start, size, shared, kept)
            specs.append(tf.nest.map_structure(tf.TensorSpec.from_tensor, results))
            return results

        def no():
            of_rows, *others = specs[0]
            timesteps = tf.shape(x)[1]
            of_rows = tf.nest.map_structure(
                lambda a: nothing([0, *a.shape[1:]], timesteps, a.dtype), of_rows
            )
            others = tf.nest.map_structure(lambda a: nothing(a.shape, 0, a.dtype), others)
            return of_rows, *others

        def nothing(shape, unknown, dtype):
            return tf.zeros([unknown if n is None else n for n in shape], dtype)

        return tf.cond(start < tf.shape(x)[0], yes, no)

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
    """Rows in a part and number of parts for a batch; the number is an upper limit for a tensor."""
    if not isinstance(batch, int):
        even = -(-batch // tf.clip_by_value(-(-batch // ROWS), tf.where(batch < ROWS, 1, 2), PARTS))
        power = 2 ** tf.reduce_sum(tf.cast(even > [1, 2, 4, 8], even.dtype))
        return tf.where(even > ROWS, even, power), PARTS
    even = -(-batch // min(max(-(-batch // ROWS), 1 if batch < ROWS else 2), PARTS))
    size = even if even > ROWS else 2 ** sum(even > power for power in (1, 2, 4, 8))
    return size, max(1, -(-batch // size))


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


def _gpu():
    return bool(tf.config.list_logical_devices("GPU"))
