"""ONNX files: the nodes of a graph and of the graphs inside it, and the arrays that are constant.

Nothing in a file is run. The size that a tensor claims is compared with the bytes that are there
before an array is made, and an array that is computed from others may not outgrow the file.
"""

import math
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_zoo import checks
from lstm_zoo.weights import onnx_moves

_LONGEST = 2**31 - 1  # bytes of a file, the limit of its format
_DEEPEST = 200  # constants computed from constants
_SPARE = 2**20  # numbers that constants may have beyond what the file holds
_KINDS = "FLOAT DOUBLE FLOAT16 BFLOAT16 INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 BOOL"


class Graph:
    """A graph of an ONNX file, whose names may also mean values of the graph around it.

    Attributes:
        proto: ONNX's `GraphProto`.
        outer: the graph around it, or None.
        place: where it is in the file, such as "If_0/then_branch/"; "" for the whole.
        file: what all graphs of a file share.
        fixed: constants by name that are not in the file: inputs that the user fixes.
    """

    def __init__(self, proto, file, outer=None, place=""):
        self.proto, self.file, self.outer, self.place = proto, file, outer, place
        self.fixed: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self._tensors = {tensor.name: tensor for tensor in proto.initializer}
        self._makers = {name: node for node in proto.node for name in node.output if name}
        self._own = {*self._tensors, *self._makers, *(value.name for value in proto.input)}

    def constant(self, name: str, depth: int = 0):
        """A value as an array if it is the same in every call, else None."""
        if name in self.fixed:
            return self.fixed[name]
        if name not in self._own:
            return self.outer.constant(name, depth) if self.outer else None
        if name not in self._known:
            self._known[name] = None  # where a graph runs in a circle
            self._known[name] = self._found(name, depth)
        return self._known[name]

    def _found(self, name, depth):
        if name in self._tensors:
            return self.file.array(self._tensors[name])
        node = self._makers.get(name)
        outputs = self._computed(node, depth) if node and depth < _DEEPEST else None
        return outputs and outputs[list(node.output).index(name)]

    def _computed(self, node, depth):
        """The outputs of a node whose inputs are constant, or None."""
        if node.domain not in ("", "ai.onnx") or node.op_type not in onnx_moves.MOVES:
            return None
        inputs = [self.constant(name, depth + 1) if name else None for name in node.input]
        if any(value is None and name for value, name in zip(inputs, node.input)):
            return None
        return self.file.moved(node, inputs)

    def inside(self, node) -> "dict[str, Graph]":
        """The graphs inside a node, by the name of the attribute."""
        name = node.name or node.op_type
        return {
            a.name: Graph(a.g, self.file, self, f"{self.place}{name}/{a.name}/")
            for a in node.attribute
            if a.HasField("g")
        }

    def everywhere(self) -> "Iterator[tuple[Any, Graph]]":
        """Each node with its graph, of the graphs inside too."""
        for node in self.proto.node:
            yield node, self
            for graph in self.inside(node).values():
                yield from graph.everywhere()


class File:
    """What all graphs of an ONNX file share.

    Attributes:
        path: of the file.
        proto: ONNX's `ModelProto`.
        graph: the whole graph.
    """

    def __init__(self, path, proto, length):
        self.path, self.proto = path, proto
        self._most = length + _SPARE
        self.graph = Graph(proto.graph, self)

    def array(self, tensor) -> np.ndarray:
        """The numbers of a tensor, once it is clear that the file has as many as it claims."""
        import onnx

        kind, dims = tensor.data_type, tuple(tensor.dims)
        if kind not in [onnx.TensorProto.DataType.Value(name) for name in _KINDS.split()]:
            raise self._wrong(tensor, f"has a data type of ONNX that is not read, number {kind}")
        if min(dims, default=0) < 0:
            raise self._wrong(tensor, f"has the shape {list(dims)}")
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
        count = math.prod(dims)
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            return self._external(tensor, dtype, dims)
        if tensor.HasField("raw_data"):
            here = len(tensor.raw_data) / dtype.itemsize
        else:
            here = len(getattr(tensor, onnx.helper.tensor_dtype_to_field(kind)))
        if here != count:
            raise self._wrong(tensor, f"has the shape {list(dims)} and {here:g} numbers")
        return onnx.numpy_helper.to_array(tensor)

    def _external(self, tensor, dtype, dims):
        """Numbers that stand in a second file, which must be in the same folder or below it."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        folder = self.path.resolve().parent
        place = (folder / entries.get("location", "")).resolve()
        if not (place.is_relative_to(folder) and place.is_file()):
            raise self._wrong(
                tensor,
                f"must be in a file beside {self.path.name}, got {entries.get('location')!r}",
            )
        wanted = math.prod(dims) * dtype.itemsize
        try:
            start, length = (int(entries.get(key, 0)) for key in ("offset", "length"))
        except ValueError:
            start = -1
        if start < 0 or length not in (0, wanted) or start + wanted > place.stat().st_size:
            raise self._wrong(tensor, f"has the shape {list(dims)}, which {place.name} does not")
        count = math.prod(dims)
        return np.fromfile(place, dtype.newbyteorder("<"), count, offset=start).reshape(dims)

    def attributes(self, node) -> dict[str, Any]:
        """The attributes of a node by name, without graphs."""
        import onnx

        found: dict[str, Any] = {}
        for a in node.attribute:
            if a.type == onnx.AttributeProto.TENSOR:
                found[a.name] = self.array(a.t)
            elif a.type == onnx.AttributeProto.STRING:
                found[a.name] = a.s.decode(errors="replace")
            elif a.type == onnx.AttributeProto.STRINGS:
                found[a.name] = [text.decode(errors="replace") for text in a.strings]
            elif a.type != onnx.AttributeProto.GRAPH:
                found[a.name] = onnx.helper.get_attribute_value(a)
        if node.op_type == "Split":  # before version 18 only the outputs say how many
            found["num_outputs"] = len(node.output)
        return found

    def moved(self, node, inputs):
        """The outputs of an operation on constants."""
        attributes = self.attributes(node)
        try:
            size = onnx_moves.size_after(node.op_type, inputs)
            if size > self._most:
                raise ValueError(f"it would hold {size} numbers")
            outputs = onnx_moves.MOVES[node.op_type](np, attributes, *inputs)
        except Exception as problem:  # whatever NumPy says of numbers that do not fit
            raise ValueError(
                f"{self.path} must be a sound ONNX file; its {node.op_type} "
                f"{name_of(node)!r} can't be computed: {problem}"
            ) from None
        return outputs if isinstance(outputs, list) else [outputs]

    def _wrong(self, tensor, what):
        return ValueError(
            f"{self.path} must be a sound ONNX file; its tensor {tensor.name!r} {what}"
        )


def name_of(node) -> str:
    """The name of a node, or that of its first output if it has none."""
    name = node.name or next(filter(None, node.output), "")
    return name if isinstance(name, str) else name.decode(errors="replace")  # damaged


def read(path) -> File:
    """An ONNX file; a ValueError if it is none."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ValueError(
            "reading an ONNX file needs the package onnx; pip install 'lstm-zoo[export]'"
        ) from None

    path = checks.path("path", path)
    wrong = ValueError(f"path must be an ONNX file, got {str(path)!r}")
    length = path.stat().st_size
    if path.is_dir() or length > _LONGEST:
        raise wrong
    try:
        proto = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError:
        raise wrong from None
    if not proto.graph.node or not proto.opset_import:
        raise wrong
    return File(pathlib.Path(path), proto, length)
