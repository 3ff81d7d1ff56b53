"""Restores the order of inputs and outputs in a LiteRT file, which the converter does not keep.

The file is a FlatBuffer. Its main graph lists inputs and outputs by tensor number, and its
signature maps names to tensors.

Source: https://ai.google.dev/edge/litert/conversion/tensorflow/metadata, and the schema at
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

import numpy as np

# The offset of a field in a table of the schema is 4, plus 2 for each field before it.
_SUBGRAPHS, _SIGNATURES = 8, 18  # of Model
_INPUTS, _OUTPUTS = 6, 8  # of SubGraph, numbers of tensors
_INPUTS_BY_NAME, _OUTPUTS_BY_NAME = 4, 6  # of SignatureDef
_NAME, _TENSOR = 4, 6  # of TensorMap


def in_order(content: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """A LiteRT file with its inputs and outputs in the order of these names."""
    import flatbuffers.table  # installed with TensorFlow

    Table = flatbuffers.table.Table
    content = bytearray(content)
    model = Table(content, flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0))
    [graph, *_], [signature] = _tables(model, _SUBGRAPHS), _tables(model, _SIGNATURES)
    for names, field, by_name in (
        (inputs, _INPUTS, _INPUTS_BY_NAME),
        (outputs, _OUTPUTS, _OUTPUTS_BY_NAME),
    ):
        tensors = {}
        for entry in _tables(signature, by_name):
            name = entry.String(entry.Offset(_NAME) + entry.Pos).decode()
            offset = entry.Offset(_TENSOR)  # 0 if the field is missing, which means 0
            number = entry.Get(flatbuffers.number_types.Uint32Flags, entry.Pos + offset)
            tensors[name] = number if offset else 0
        where, count = graph.Vector(graph.Offset(field)), graph.VectorLen(graph.Offset(field))
        places = np.frombuffer(content, "<i4", count, where)
        places[:] = [tensors[name] for name in names]
    return bytes(content)


def _tables(table, field):
    """The tables listed in a field."""
    offset = table.Offset(field)
    start = table.Vector(offset)
    return [
        type(table)(table.Bytes, table.Indirect(start + 4 * k))
        for k in range(table.VectorLen(offset))
    ]
