"""Graphs and XLA programs, each compiled once and shared by all cells that compute the same.

Compiling takes half a second to two seconds, and TensorFlow never frees compiled programs. So the
two layers of a `Bidirectional`, the next seed and the three-hundredth model of the same shape share
one program: it takes the weights as arguments, and belongs to all cells of one `EqualCells`.

Linux gives a process 65,530 memory maps, and XLA crashes with a segmentation fault when they run
out. A program uses about fifty, so after about a thousand programs TensorFlow runs new ones without
XLA.
"""

import collections
import warnings
import weakref

import keras

from lstm_zoo.backend import tf
from lstm_zoo.cells.registry import derivatives
from lstm_zoo.recurrence.bound_cell import variables_of

MOST = 256  # programs of each pass; the least recently used one is dropped

_BY_GRAPH: weakref.WeakValueDictionary = weakref.WeakValueDictionary()  # and what else decides
_BY_CELL: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class EqualCells:
    """All cells that compute the same from equal weights, held by weak references."""

    def __init__(self):
        self.members = weakref.WeakSet()

    @property
    def cell(self):
        """Any one of the cells."""
        return next(iter(self.members))


def equal_cells_of(cell):
    """The `EqualCells` of a cell, shared with every cell whose step has the same graph."""
    if cell not in _BY_CELL:
        shapes = [None if w is None else tuple(w.shape) for w in variables_of(cell)[:3]]
        widths = (*cell.state_size, cell.units, *shapes)
        names = (cell.gate_names, cell.state_names, cell.recurrent_names)
        by_hand = derivatives(cell)
        key = type(cell), cell.elementwise, widths, names, by_hand, _graph_of_step(cell)
        _BY_CELL[cell] = _BY_GRAPH.setdefault(key, EqualCells())
    equal = _BY_CELL[cell]
    equal.members.add(cell)
    return equal


def _graph_of_step(cell):
    """The graph of a cell's step as bytes, for inference and training; equal for equal steps."""
    variables = variables_of(cell)

    def step(z, states, by_name, extras):
        with keras.StatelessScope(zip(variables.extras, extras)):
            return cell.step(z, states, **by_name)

    def spec(size):
        return tf.TensorSpec((None, size), cell.compute_dtype)

    z, states = spec(cell.width_of_z), [spec(size) for size in cell.state_size]
    extras = [tf.TensorSpec(w.shape, cell.compute_dtype) for w in variables.extras]
    extra_inputs = {name: spec(size) for name, size in cell.extra_sizes.items()}
    graphs = []
    with tf.init_scope():
        with keras.StatelessScope():  # keeps the seed unchanged
            drawn = {name: spec(a.shape[-1]) for name, a in cell.draw(1, 1).items()}
        for by_name in [extra_inputs, {**extra_inputs, **drawn}][: 2 if drawn else 1]:
            traced_step = tf.function(step, autograph=False)
            concrete = traced_step.get_concrete_function(z, states, by_name, extras)
            if concrete.captured_inputs:  # their values are not in the graph
                return object()
            graph = concrete.graph.as_graph_def().SerializeToString(deterministic=True)
            graphs += [graph, tuple(concrete.structured_outputs)]
    return tuple(graphs)


class traced:
    """A function of equal cells, a `Plan` and tensors, traced to a graph once for all such calls.

    Arguments that are not tensors become part of the graph. With `jit_compile`, XLA compiles it
    once for each shape.
    """

    def __init__(self, function, jit_compile=None):
        self.function, self.jit_compile = function, jit_compile
        self.programs = collections.OrderedDict()

    def __call__(self, cells, plan, *args):
        tensors = [a for a in tf.nest.flatten(args) if tf.is_tensor(a)]
        return self.program(cells, plan, *args)(*tensors)

    def program(self, cells, plan, *args):
        """The graph for tensors like those in `args`, which may be `tf.TensorSpec`s."""
        args = tf.nest.map_structure(_spec, args)
        key = (cells, plan, *tf.nest.flatten(args))
        if key not in self.programs:
            self.programs[key] = self._trace(cells, plan, args)
            if len(self.programs) > MOST:
                self.programs.popitem(last=False)
        self.programs.move_to_end(key)
        return self.programs[key]

    def _trace(self, cells, plan, args):
        flat = tf.nest.flatten(args)

        def program(*tensors):
            tensors = iter(tensors)
            values = [next(tensors) if isinstance(a, tf.TensorSpec) else a for a in flat]
            return self.function(cells, plan, *tf.nest.pack_sequence_as(args, values))

        specs = [a for a in flat if isinstance(a, tf.TensorSpec)]
        jit_compile = self.jit_compile
        if jit_compile and not can_compile_more():
            jit_compile = None
            warnings.warn(
                "this process has nearly used up its memory maps (vm.max_map_count) with about a "
                "thousand XLA programs: new models now run without XLA, about half as fast. Start "
                "a new process to avoid this",
                RuntimeWarning,
                stacklevel=2,
            )
        graph = tf.function(program, jit_compile=jit_compile, autograph=False)
        return graph.get_concrete_function(*specs)


def can_compile_more():
    """Whether the process has memory maps for many more programs."""
    try:
        with open("/proc/self/maps", "rb") as maps, open("/proc/sys/vm/max_map_count") as most:
            return sum(1 for _ in maps) < 0.8 * int(most.read())
    except OSError:  # not Linux
        return True


def _spec(a):
    return tf.TensorSpec(a.shape, a.dtype) if tf.is_tensor(a) else a


def two_features(x, kernel):
    """Add a zero feature to a single feature, and a zero row to its kernel.

    XLA turns a product over one feature into a slow broadcast; the second feature avoids this.
    """
    if x.shape[2] != 1 or kernel is None:
        return x, kernel
    return tf.pad(x, [[0, 0], [0, 0], [0, 1]]), tf.pad(kernel, [[0, 1], [0, 0]])
