"""C: one header that needs nothing but <math.h> and <string.h>, with the weights and a step.

A model that takes one step at a time is straight-line code: each operation of its graph becomes a
loop over floats. So every cell and every layer can be written whose operations
`lstm_zoo.exporting.c_operations` knows, and none has to be known by name.
"""

import re

import numpy as np

from lstm_zoo import files
from lstm_zoo.backend import tf
from lstm_zoo.exporting.c_operations import Code
from lstm_zoo.exporting.formats import Format, register
from lstm_zoo.exporting.signature import signature_of

HEADER = """\
/* The model "{model}", one step at a time. Written by LSTM Zoo; C99 and C++.
 *
 *     static {name}_state state;              // zeros: nothing has been seen
 *     float output[{NAME}_OUTPUTS];
 *     for (each step)
 *         {name}_step(&state, step, output);  // the output for all steps so far
 *     {name}_reset(&state);                   // before another sequence
 */
#ifndef {NAME}_H
#define {NAME}_H

#include <math.h>
#include <string.h>

#define {NAME}_FEATURES {features}
#define {NAME}_OUTPUTS {outputs}

typedef struct {{
{fields}
}} {name}_state;

static inline void {name}_reset({name}_state *state) {{ memset(state, 0, sizeof *state); }}

{constants}

static inline void {name}_step({name}_state *state, const float *step, float *output) {{
{body}
}}

#endif
"""


@register
class C(Format):
    """A header, for a model that takes one step at a time."""

    name, ending, title, place = "c", ".h", "C", 4
    steps_only = True

    def refuse(self, model, path, whole):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", path.stem):
            raise ValueError(f"path's name must be a C name, such as model.h, got {path.name!r}")

    def write(self, model, path, whole):
        """Write a model; a `ValueError` if it has an operation that cannot be written."""
        text = _header(model, path.stem)
        with files.replacing(path) as temporary:
            temporary.write_text(text)


def _header(step_model, name):
    """The text of the header, all of whose names begin with `name`."""
    function, specs, names = signature_of(step_model, batch_size=1)
    graph = tf.function(function, autograph=False).get_concrete_function(*specs)
    code = Code(name, constants=_variables(graph), wanted=_wanted(graph))
    step, *states = graph.inputs[: len(specs)]
    code.place(step, "step")
    fields = [_c_name(spec.name) for spec in specs[1:]]
    for state, field in zip(states, fields):
        code.place(state, f"state->{field}")
    for operation in graph.graph.get_operations():
        code.add(operation)
    results = graph.structured_outputs
    output, *after = (results[one] for one in names)
    # No state may be written before all that is made of the old ones has been read.
    copies = [(code.name_of(output), "output", output)]
    copies += [(code.kept(a), f"state->{f}", a) for a, f in zip(after, fields)]
    for source, target, tensor in copies:
        code.line(f"memcpy({target}, {source}, {_size(tensor)} * sizeof(float));")
    sizes = zip(fields, map(_size, states))
    return HEADER.format(
        model=step_model.name,
        name=name,
        NAME=name.upper(),
        features=_size(step),
        outputs=_size(output),
        fields="\n".join(f"    float {field}[{size}];" for field, size in sizes),
        constants="\n".join(code.constants_in_c()),
        body="\n".join(code.lines),
    )


def _variables(graph):
    """The values of what a graph captured, by the name of the tensor that stands for it."""
    inside = graph.inputs[len(graph.inputs) - len(graph.captured_inputs) :]
    by_handle = {id(v.handle): v for v in graph.variables}
    return {
        tensor.name: np.asarray(by_handle.get(id(captured), captured))
        for tensor, captured in zip(inside, graph.captured_inputs)
    }


def _wanted(graph):
    """The names of the tensors from which the results are made."""
    wanted = {tensor.name for tensor in graph.outputs}
    for operation in reversed(graph.graph.get_operations()):
        if any(tensor.name in wanted for tensor in operation.outputs):
            wanted |= {tensor.name for tensor in operation.inputs}
    return wanted


def _size(tensor):
    return int(np.prod(tensor.shape))


def _c_name(name):
    return re.sub(r"\W", "_", name)
