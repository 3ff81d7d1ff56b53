"""The order of inputs and outputs in a LiteRT file, which its converter does not keep.

A file is a FlatBuffer, and its main graph names inputs and outputs by the numbers of their tensors.
The signature in the file says which tensor has which name.

Source: https://ai.google.dev/edge/litert/conversion/tensorflow/metadata, and the schema at
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

import numpy as np

# The places of fields in a table of the schema: 4 and 2 for each field before.
_SUBGRAPHS, _SIGNATURES = 8, 18  # of Model
_INPUTS, _OUTPUTS = 6, 8  # of SubGraph, numbers of tensors
_INPUTS_BY_NAME, _OUTPUTS_BY_NAME = 4, 6  # of SignatureDef
_NAME, _TENSOR = 4, 6  # of TensorMap


def in_order(content: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """A LiteRT file whose inputs and outputs stand in the order of these names."""
    import flatbuffers.table  # comes with TensorFlow, and is not there without it

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
            offset = entry.Offset(_TENSOR)  # 0 where the number is 0, which is then left out
            number = entry.Get(flatbuffers.number_types.Uint32Flags, entry.Pos + offset)
            tensors[name] = number if offset else 0
        where, count = graph.Vector(graph.Offset(field)), graph.VectorLen(graph.Offset(field))
        places = np.frombuffer(content, "<i4", count, where)
        places[:] = [tensors[name] for name in names]
    return bytes(content)


def _tables(table, field):
    """The tables that a field lists."""
    offset = table.Offset(field)
    start = table.Vector(offset)
    return [
        type(table)(table.Bytes, table.Indirect(start + 4 * k))
        for k in range(table.VectorLen(offset))
    ]
