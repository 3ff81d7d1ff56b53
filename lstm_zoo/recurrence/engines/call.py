"""The arguments of one call of a recurrent layer, for engines."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from lstm_zoo.cells.base import Cell


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """The arguments of a call of a recurrent layer.

    Args:
        layer: a `keras.layers.RNN`.
        sequences: `(batch, timesteps, features)`.
        states: the states before the first step, each `(batch, width)`, in the cell's structure.
        mask: `(batch, timesteps)` of booleans, or None.
        training: whether dropout is on.
    """

    layer: Any
    sequences: Any
    states: Sequence = ()
    mask: Any = None
    training: bool = False

    @classmethod
    def of_size(cls, layer, timesteps: int | None = None, masked: bool = False) -> "LayerCall":
        """A call without numbers or states, to find the engine that would run it.

        >>> LayerCall.of_size(keras.layers.LSTM(2), timesteps=5).timesteps
        5
        """
        mask = keras.KerasTensor((None, timesteps), "bool") if masked else None
        return cls(layer, keras.KerasTensor((None, timesteps, None)), mask=mask)

    @property
    def cell(self):
        """The layer's cell, or None."""
        return getattr(self.layer, "cell", None)

    @property
    def timesteps(self) -> int | None:
        """The length of the sequences; None if a graph does not know it."""
        return self.sequences.shape[1]

    def draw(self) -> dict:
        """The random numbers that `Cell.draw` draws for every step of training, by name."""
        if self.training and isinstance(self.cell, Cell):
            return self.cell.draw(*ops.shape(self.sequences)[:2])
        return {}

    def random_arguments(self) -> dict:
        """The dropout masks (or None) and random numbers of training, for `recurrence.run`.

        They come from one generator, so their order determines the numbers.
        """
        cell, drawn = self.cell, self.draw()
        input_mask = recurrent_mask = None
        if self.training and 0.0 < cell.dropout < 1.0:
            input_mask = cell.get_dropout_mask(self.sequences[:, 0])
        if self.training and 0.0 < cell.recurrent_dropout < 1.0:
            recurrent_mask = cell.get_recurrent_dropout_mask(cell.recurrent_part(self.states))
        return {"drawn": drawn, "input_mask": input_mask, "recurrent_mask": recurrent_mask}

    def result(self, outputs, states) -> tuple:
        """The result of a Keras layer's `inner_loop`, from the results of our own engines.

        Args:
            outputs: the outputs of all steps, `(batch, timesteps, width)`, or None.
            states: the last states.

        Returns:
            The last output, all outputs (only the last for None), and the last states.
        """
        last = states[0]
        if self.mask is not None:
            outputs, last = self.outputs_as_keras_masks(outputs, last)
        return last, last[:, None] if outputs is None else outputs, states

    def outputs_as_keras_masks(self, outputs, last) -> tuple:
        """Set outputs to zero before the first unmasked step.

        With the layer's `zero_output_for_mask`, set outputs to zero at all masked steps.
        """
        layer, mask = self.layer, self.mask
        mask = ops.cast(ops.flip(mask, axis=1) if layer.go_backwards else mask, "bool")
        seen = mask if layer.zero_output_for_mask else ops.cumsum(ops.cast(mask, "int32"), 1) > 0
        if outputs is not None:
            outputs = ops.where(ops.expand_dims(seen, -1), outputs, 0)
        return outputs, ops.where(seen[:, -1:], last, 0)


def over_time(mask):
    """A dropout mask `(batch, features)`, or a list of masks, with an added time axis."""
    return keras.tree.map_structure(lambda m: None if m is None else ops.expand_dims(m, 1), mask)
