"""`open_onnx`: an ONNX file as a Keras model."""

import pathlib
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt

from lstm_zoo import checks
from lstm_zoo.opening.graph import Unknown, Values
from lstm_zoo.weights.onnx_file import read
from lstm_zoo.weights.onnx_nodes import nodes_of

_TOLD = 20  # nodes in one error


def open_onnx(
    path: str | pathlib.Path,
    *,
    constants: Mapping[str, npt.ArrayLike] | None = None,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> keras.Model:
    """Open an ONNX file as a Keras model that computes the same.

    LSTM, GRU and RNN nodes become recurrent layers, `Gemm` and `MatMul` become `Dense` layers, a
    `Gather` of a table becomes an `Embedding`, and any other node a layer of its own. Their weights
    can be trained. `lz.trace`, `lz.save` and `lz.export` take the model.

    Args:
        path: the .onnx file.
        constants: by the name of an input, the value that it is to have always, such as
            `{"sr": 16000}`; the model has no such input then. An `If` needs it where its condition
            depends on that input.
        shapes: by the name of an input, its shape, such as `{"input": (None, 512)}`, where the file
            leaves sizes open that an `If` depends on. None is for any size.

    Returns:
        A model whose input has the shape in the file. With several inputs or outputs, a dict by
        their names in the file.

    Raises:
        ValueError: if the file is no ONNX file, a size in it does not fit, there is no such input,
            or some nodes are not known. The error lists them; `lz.weights.from_onnx` still reads
            the recurrent ones.

    Example:
        >>> import lstm_zoo as lz
        >>> model = lz.build_regressor((None, 3), lstm_units=(4,), dense_units=())
        >>> again = open_onnx(lz.export(model, "model.onnx"))
        >>> x = np.ones((2, 5, 3), "float32")
        >>> bool(np.allclose(again(x), model(x), atol=1e-6))
        True
    """
    file = read(path)
    graph = file.graph
    inside = {tensor.name for tensor in graph.proto.initializer}
    inputs = {value.name: value for value in graph.proto.input if value.name not in inside}
    constants, shapes = dict(constants or {}), dict(shapes or {})
    for argument, names in (("constants", constants), ("shapes", shapes)):
        for name in names:
            checks.one_of(argument, name, sorted(inputs))
    known, given = {}, {}
    for name, value in inputs.items():
        shape, dtype = _declared(value, file.path)
        if name in constants:
            known[name] = np.asarray(constants[name], dtype)
            graph.fixed[name] = known[name]
        else:
            shape = _shape(name, shapes[name], shape) if name in shapes else shape
            if shape is None:
                raise ValueError(f"shapes must have the shape of {name!r}, which the file lacks")
            plain = "".join(c if c.isalnum() else "_" for c in str(name))
            given[name] = known[name] = keras.Input(batch_shape=shape, dtype=dtype, name=plain)
    versions = [one.version for one in file.proto.opset_import if one.domain in ("", "ai.onnx")]
    version = max(versions, default=1)
    model = _model(file, version, known, given, {})
    used = _used(model)
    shorter = {name for name, outputs in used.items() if outputs in ({0}, {1})}
    return _model(file, version, known, given, used) if shorter else model


def _model(file, version, known, given, used):
    """The model of a file; `used` has by the name of a recurrent layer the needed outputs."""
    values = Values(version, used)
    found = values.run(file.graph, known)
    outputs = {one.name: found.get(one.name, Unknown()) for one in file.graph.proto.output}
    if values.problems or any(isinstance(one, Unknown) for one in outputs.values()):
        raise _refused(file, values.problems)
    for name, value in outputs.items():
        if isinstance(value, np.ndarray):
            raise ValueError(f"{file.path}: its output {name!r} must depend on an input")
    return keras.Model(_alone(given), _alone(outputs), name=_name(file.path))


def _used(model):
    """By the name of each recurrent layer of a model, the indices of its outputs that it uses."""
    kinds = (keras.layers.RNN, keras.layers.Bidirectional)
    used = {layer.name: set() for layer in model.layers if isinstance(layer, kinds)}
    config = model.get_config()
    for name, _, index in _histories([config["layers"], config["output_layers"]]):
        if name in used:
            used[name].add(index)
    return used


def _histories(config):
    """Each `[layer, node, output]` in a model's configuration."""
    if isinstance(config, dict):
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        if [type(one) for one in config] == [str, int, int]:
            yield config
        for one in config:
            yield from _histories(one)


def _declared(value, path):
    """The shape of an input, with None for any size, or None for any shape; and its type."""
    import onnx

    if not value.type.HasField("tensor_type"):
        raise ValueError(f"{path}: its input {value.name!r} must be a tensor")
    kind = value.type.tensor_type
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    except KeyError:
        dtype = "object"
    if dtype not in ("float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool"):
        raise ValueError(f"{path}: its input {value.name!r} must hold numbers, got {dtype}")
    if not kind.HasField("shape"):
        return None, dtype
    return tuple(size.dim_value or None for size in kind.shape.dim), dtype


def _shape(name, wanted, declared):
    shape = tuple(None if one is None else checks.count("shapes", one) for one in wanted)
    fits = declared is None or len(declared) == len(shape)
    if not fits or any(a and b and a != b for a, b in zip(shape, declared or ())):
        raise ValueError(f"shapes must fit {name!r}, which is {declared}, got {shape}")
    return tuple(a or b for a, b in zip(shape, declared or shape))


def _refused(file, problems):
    more = [f"and {len(problems) - _TOLD} more"] if len(problems) > _TOLD else []
    recurrent = nodes_of(file)
    told = f"{file.path} has nodes that are not known: {'; '.join([*problems[:_TOLD], *more])}."
    if recurrent:
        told += (
            f" Its recurrent nodes ({checks.listed(node.name for node in recurrent[:_TOLD])}) can "
            "be read by lz.weights.from_onnx"
        )
    return ValueError(told)


def _alone(by_name):
    return next(iter(by_name.values())) if len(by_name) == 1 else by_name


def _name(path):
    return "".join(c if c.isalnum() else "_" for c in path.stem) or None
