"""Translates TensorFlow operations to C loops over float tensors of known size."""

import numpy as np

from lstm_zoo.backend import tf
from lstm_zoo.exporting.c_places import places_of
from lstm_zoo.exporting.c_tables import FOLDED, NOTHING, ONE, REDUCTIONS, SAME, TWO


class Code:
    """The statements of a C function, written operation by operation."""

    def __init__(self, prefix, constants, wanted):
        self.prefix, self.given, self.wanted = prefix, constants, wanted
        self.lines, self.names, self.constants = [], {}, {}

    def place(self, tensor, name):
        """Set the C name of a tensor."""
        self.names[tensor.name] = name

    def line(self, text):
        self.lines.append(f"    {text}")

    def constants_in_c(self):
        for name, value in self.constants.items():
            c_type = "int" if value.dtype.kind == "i" else "float"
            numbers = [str(x) if c_type == "int" else _float(x) for x in value.ravel()]
            lines = [", ".join(numbers[k : k + 8]) for k in range(0, len(numbers), 8)]
            body = ",\n    ".join(lines)
            yield f"static const {c_type} {name}[{len(numbers)}] = {{\n    {body}}};"

    def name_of(self, tensor):
        """The C name of a tensor; a constant is declared first."""
        if tensor.name not in self.names:
            value = self.value_of(tensor)
            if value is None:
                raise ValueError(f"C: {tensor.name} is used before it is computed")
            self.names[tensor.name] = self._constant("weight", np.asarray(value, "float32"))
        return self.names[tensor.name]

    def value_of(self, tensor):
        """The value of a tensor if it is known at export, else None."""
        if tensor.name in self.given:
            return self.given[tensor.name]
        return tf.get_static_value(tensor)

    def kept(self, tensor):
        """The C name of a copy of a tensor that stays valid when states are overwritten."""
        name = self.name_of(tensor)
        if not name.startswith("state->"):
            return name
        copy = self._new(tensor)
        self.line(f"memcpy({copy}, {name}, sizeof {copy});")
        return copy

    def add(self, operation):
        """Write the code of an operation."""
        op_type, outputs = operation.type, operation.outputs
        if not any(one.name in self.wanted and self.value_of(one) is None for one in outputs):
            return
        if op_type in NOTHING.split():
            return
        if op_type in SAME.split():
            for source, output in zip(operation.inputs, outputs):
                if source.name in self.given:
                    self.given[output.name] = self.given[source.name]
                else:
                    self.place(output, self.name_of(source))
        elif op_type in FOLDED and all(self.value_of(one) is not None for one in operation.inputs):
            self._fold(operation)
        elif op_type in ONE:
            self._each(operation, f"const float x = {{0}}; {{y}} = {ONE[op_type]};")
        elif op_type == "LeakyRelu":
            slope = _float(operation.get_attr("alpha"))
            self._each(operation, f"const float x = {{0}}; {{y}} = x > 0 ? x : {slope} * x;")
        elif op_type in TWO:
            self._each(operation, f"const float x = {{0}}, y = {{1}}; {{y}} = {TWO[op_type]};")
        elif op_type in ("SelectV2", "Select"):
            self._each(operation, "{y} = {0} ? {1} : {2};")
        elif op_type == "AddN":
            terms = " + ".join(f"{{{k}}}" for k in range(len(operation.inputs)))
            self._each(operation, f"{{y}} = {terms};")
        elif op_type in ("MatMul", "BatchMatMulV2"):
            self._product(operation)
        elif op_type in REDUCTIONS:
            self._reduce(operation)
        elif op_type in ("Softmax", "LogSoftmax"):
            self._softmax(operation)
        elif op_type in ("ConcatV2", "Pack"):
            self._join(operation)
        elif op_type == "Pad":
            self._pad(operation)
        elif (
            op_type in ("GatherV2", "ResourceGather") and self.value_of(operation.inputs[1]) is None
        ):
            self._look_up(operation)
        else:
            self._move(operation)

    def _fold(self, operation):
        """Compute an operation at export if its inputs are known, such as slices of a weight."""
        computed = FOLDED[operation.type]
        if computed is None:
            source, places = places_of(operation, self.value_of)
            values = [np.ravel(self.value_of(source))[np.asarray(place)] for place in places]
        else:
            values = [computed(*map(self.value_of, operation.inputs))]
        for output, value in zip(operation.outputs, values):
            self.given[output.name] = value

    def _constant(self, what, value):
        name = f"{self.prefix}_{what}_{len(self.constants)}"
        self.constants[name] = value
        return name

    def _new(self, tensor):
        """Declare an array for a tensor, and return its name."""
        name = f"t{len(self.lines)}"
        self.line(f"float {name}[{max(1, int(np.prod(tensor.shape)))}];")
        return name

    def _each(self, operation, statement):
        """Write a loop over the elements of the output; inputs are broadcast to its shape."""
        [output] = operation.outputs
        shape = tuple(output.shape)
        read = [self._broadcast(self.name_of(a), tuple(a.shape), shape) for a in operation.inputs]
        y = self._new(output)
        body = statement.format(*read, y=f"{y}[i]")
        self.line(f"for (int i = 0; i < {int(np.prod(shape))}; i++) {{ {body} }}")
        self.place(output, y)

    def _broadcast(self, name, shape, wanted):
        index = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(shape), wanted)
        return f"{name}[{self._index(index)}]"

    def _index(self, index):
        """A C expression for the index that element `i` is read from."""
        index = np.ravel(index)
        i, most = np.arange(len(index)), index.max(initial=0) + 1
        if (index == i).all():
            return "i"
        if (index == index[0]).all():
            return str(index[0])
        if (index == index[0] + i).all():
            return f"i + {index[0]}"
        if (index == i % most).all():
            return f"i % {most}"
        if len(index) % most == 0 and (index == i // (len(index) // most)).all():
            return f"i / {len(index) // most}"
        return f"{self._constant('place', index.astype('int32'))}[i]"

    def _product(self, operation):
        a, b = operation.inputs
        [output] = operation.outputs
        names = ("transpose_a", "transpose_b") if operation.type == "MatMul" else ("adj_x", "adj_y")
        turned = [operation.get_attr(name) for name in names]
        *batch, rows, columns = output.shape
        count, common = int(np.prod(batch)), int(a.shape[-2 if turned[0] else -1])
        places = []
        for tensor, turn in zip((a, b), turned):
            sizes = [*batch, *tensor.shape[-2:]]
            place = np.arange(int(np.prod(tensor.shape))).reshape(tensor.shape)
            if list(np.broadcast_to(place, sizes).shape) != list(tensor.shape) or turn:
                place = np.broadcast_to(place, sizes)
                place = np.swapaxes(place, -1, -2) if turn else place
                name = self._moved(self.name_of(tensor), place)
            else:
                name = self.name_of(tensor)
            places.append(name)
        y = self._new(output)
        self.line(f"memset({y}, 0, sizeof {y});")
        for n in range(count * rows):
            # Row by row of b, so that its numbers are read in memory order.
            b_row = f"({n // rows * common} + k)" if count > 1 else "k"
            sum_of = f"{places[0]}[{n * common} + k] * {places[1]}[{b_row} * {columns} + j]"
            self.line(f"for (int k = 0; k < {common}; k++)")
            self.line(f"    for (int j = 0; j < {columns}; j++)")
            self.line(f"        {y}[{n * columns} + j] += {sum_of};")
        self.place(output, y)

    def _moved(self, name, place):
        """Copy the elements of `name` in the order of `place`."""
        moved = f"t{len(self.lines)}"
        self.line(f"float {moved}[{place.size}];")
        index = self._index(place)
        self.line(f"for (int i = 0; i < {place.size}; i++) {moved}[i] = {name}[{index}];")
        return moved

    def _reduce(self, operation):
        source, axes = operation.inputs
        [output] = operation.outputs
        axes = sorted(int(axis) % len(source.shape) for axis in np.ravel(self.value_of(axes)))
        place = np.arange(int(np.prod(source.shape))).reshape(source.shape)
        place = np.moveaxis(place, axes, range(-len(axes), 0)) if axes else place[..., None]
        count = int(np.prod([source.shape[axis] for axis in axes]))
        name = self.name_of(source)
        if not (place.ravel() == np.arange(place.size)).all():
            name = self._moved(name, place)
        start, more, end = REDUCTIONS[operation.type]
        y = self._new(output)
        self.line(f"for (int i = 0; i < {place.size // count}; i++) {{")
        self.line(f"    float a = {start};")
        self.line(f"    for (int k = 0; k < {count}; k++) {{")
        self.line(f"        const float x = {name}[i * {count} + k]; a = {more}; }}")
        self.line(f"    {y}[i] = {end.format(count=count)}; }}")
        self.place(output, y)

    def _softmax(self, operation):
        [source], [output] = operation.inputs, operation.outputs
        x, size = self.name_of(source), int(source.shape[-1])
        y = self._new(output)
        self.line(f"for (int i = 0; i < {int(np.prod(source.shape)) // size}; i++) {{")
        self.line(f"    float most = -INFINITY, sum = 0.0f; const float *x = {x} + i * {size};")
        self.line(f"    for (int k = 0; k < {size}; k++) most = fmaxf(most, x[k]);")
        self.line(f"    for (int k = 0; k < {size}; k++) sum += expf(x[k] - most);")
        end = "x[k] - most - logf(sum)" if operation.type[0] == "L" else "expf(x[k] - most) / sum"
        self.line(f"    for (int k = 0; k < {size}; k++) {y}[i * {size} + k] = {end}; }}")
        self.place(output, y)

    def _join(self, operation):
        [output] = operation.outputs
        if operation.type == "Pack":
            sources, axis = list(operation.inputs), operation.get_attr("axis")
            joined = np.stack
        else:
            *sources, axis = operation.inputs
            axis, joined = int(self.value_of(axis)), np.concatenate
        # For each element of the result: the source, and the index in it.
        which = joined([np.full(tuple(p.shape), k) for k, p in enumerate(sources)], axis).ravel()
        sizes = [int(np.prod(p.shape)) for p in sources]
        place = joined(
            [np.arange(n).reshape(p.shape) for n, p in zip(sizes, sources)], axis
        ).ravel()
        names = [self.name_of(source) for source in sources]
        y = self._new(output)
        for k, (name, size) in enumerate(zip(names, sizes)):
            at = self._index(np.flatnonzero(which == k))
            taken = self._index(place[which == k])
            self.line(f"for (int i = 0; i < {size}; i++) {y}[{at}] = {name}[{taken}];")
        self.place(output, y)

    def _pad(self, operation):
        source, around = operation.inputs
        [output] = operation.outputs
        place = np.arange(int(np.prod(output.shape))).reshape(output.shape)
        inside = zip(self.value_of(around), source.shape)
        place = place[tuple(slice(before, before + size) for (before, _), size in inside)]
        name, y = self.name_of(source), self._new(output)
        self.line(f"memset({y}, 0, sizeof {y});")
        at = self._index(place)
        self.line(f"for (int i = 0; i < {place.size}; i++) {y}[{at}] = {name}[i];")
        self.place(output, y)

    def _look_up(self, operation):
        """Look up rows of a table by computed numbers, as an embedding does."""
        table, numbers, *_ = operation.inputs
        [output] = operation.outputs
        values = self.value_of(table)
        if values is None or len(values.shape) != 2:
            raise ValueError(
                "model can't be written in C, because it looks up rows of a computed tensor; ONNX "
                "(.onnx) and SavedModel support it"
            )
        count, width = values.shape
        names = self._constant("table", np.asarray(values, "float32")), self.name_of(numbers)
        y = self._new(output)
        self.line(f"for (int i = 0; i < {int(np.prod(numbers.shape))}; i++) {{")
        self.line(f"    const float row = fminf(fmaxf({names[1]}[i], 0.0f), {count - 1}.0f);")
        self.line(f"    for (int k = 0; k < {width}; k++)")
        self.line(f"        {y}[i * {width} + k] = {names[0]}[(int)row * {width} + k]; }}")
        self.place(output, y)

    def _move(self, operation):
        """Write an operation that only moves elements from known places."""
        source, places = places_of(operation, self.value_of)
        name = self.name_of(source)
        for output, place in zip(operation.outputs, places):
            if output.name in self.wanted:
                self.place(output, self._moved(name, np.asarray(place)))


def _float(x):
    """A float32 as a C literal, exact to the last bit."""
    text = f"{float(x):.9g}"
    if "inf" in text or "nan" in text:
        return text.replace("inf", "INFINITY").replace("nan", "NAN")
    return text + ("f" if "." in text or "e" in text else ".0f")
