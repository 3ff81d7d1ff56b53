"""A source: a class of another library, its weight names and its order of gates."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_zoo import checks

Arrays = Mapping[str, np.ndarray]


class Gates(NamedTuple):
    """The weights of one cell by gate.

    The letters are i, f, g, o for an LSTM, z, r, n for a GRU and n for a simple RNN. In `kind`'s
    layers z weighs the old hidden state.

    Attributes:
        kind: name in `kinds.KINDS`.
        kernel: by gate `(features, units)`.
        recurrent: by gate `(units, units)`.
        bias: by gate `(units,)`, or empty.
        recurrent_bias: by gate the bias of the recurrent product `(units,)`, or empty.
        more: the cell's other weights, in Keras's order.
    """

    kind: str
    kernel: Arrays
    recurrent: Arrays
    bias: Arrays
    recurrent_bias: Arrays
    more: tuple[np.ndarray, ...] = ()


@dataclasses.dataclass(frozen=True)
class Source:
    """A class of another library.

    Attributes:
        name: the class, as a user writes it.
        kinds: names in `kinds.KINDS` of the layers that compute the same.
        names: the arrays that it has, relative to the prefix. `{}` stands for the layer and
            direction.
        read: from the arrays by these names to the gates.
        write: from the gates to the arrays by these names; None if `to_arrays` refuses the source.
        optional: groups of further names that `read` uses if they are there.
        refused: by name of an array, why a model that has it computes something else.
        form: makes the library's tree of arrays by name.
        place: the text for `{}`, from the number of the layer, whether the direction is backward,
            and whether the layer is bidirectional; None for a class of one layer and direction.
    """

    name: str
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    read: Callable[[Arrays], Gates]
    write: Callable[[Gates], dict[str, np.ndarray]] | None = None
    optional: tuple[tuple[str, ...], ...] = ()
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    form: Callable[[dict[str, np.ndarray]], dict[str, Any]] = dict
    place: Callable[[int, bool, bool], str] | None = None


SOURCES: dict[str, Source] = {}


def add(source: Source) -> None:
    """Enter a source in `SOURCES`."""
    SOURCES[source.name] = source


def split(name: str, array: Any, order: str, axis: int = 0) -> dict[str, np.ndarray]:
    """The blocks of an array by gate, along an axis."""
    array = checks.array(name, array)
    if axis >= array.ndim or array.shape[axis] % len(order):
        raise ValueError(
            f"{name} must have an axis {axis} of {len(order)} * units, got shape {array.shape}"
        )
    return dict(zip(order, np.split(array, len(order), axis)))


def joined(blocks: Arrays, order: str, axis: int = 0) -> np.ndarray:
    """The blocks as one array, along an axis."""
    return np.concatenate([blocks[gate] for gate in order], axis)


def transposed(blocks: Arrays) -> dict[str, np.ndarray]:
    """Each block's transpose."""
    return {gate: block.T for gate, block in blocks.items()}


def zeros_like(blocks: Arrays) -> dict[str, np.ndarray]:
    """Zeros of each block's shape."""
    return {gate: np.zeros_like(block) for gate, block in blocks.items()}


def summed(gates: Gates, source: str, apart: str = "") -> dict[str, np.ndarray]:
    """One bias by gate, for a source with one; the gates in `apart` must have no recurrent bias."""
    total = dict(gates.bias)
    for gate, value in gates.recurrent_bias.items():
        if gate not in apart:
            total[gate] = total[gate] + value
        elif np.any(value):
            raise ValueError(
                f"layers must have no recurrent bias of the candidate, because {source} has none"
            )
    return total
