"""One node of an ONNX file as a Keras layer."""

from typing import Any

import keras
import numpy as np
from keras import ops

from lstm_zoo import checks
from lstm_zoo.opening.operations import OPERATIONS

_LISTED = 64  # numbers that a layer's configuration holds; more are weights
_FIXED = {"BatchNormalization": (3, 4)}  # by operator the places of weights that are not trained
_LISTS = ("Reshape", "Expand")  # which take sizes as a list


@keras.saving.register_keras_serializable("lstm_zoo")
class ONNXOperation(keras.layers.Layer):
    """What one node of an ONNX file computes; `lz.open_onnx` makes these layers.

    Args:
        operator: ONNX's name of the operation, such as "Conv".
        attributes: the node's attributes by name.
        slots: where each input of the node comes from: `{"tensor": k}` is the k-th of the layer's
            inputs, `{"weight": shape, "dtype": name}` a weight, `{"constant": numbers, "dtype":
            name}` the numbers, `{"sizes": list}` whole numbers, in which `[k, axis]` is the size
            of the k-th input along an axis; None is a missing input.

    Call arguments:
        inputs: a list of tensors.

    Returns:
        A tensor, or a list of several.
    """

    def __init__(self, operator: str, attributes: dict, slots: list, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})
        self.operator = checks.one_of("operator", operator, OPERATIONS)
        self.attributes, self.slots = dict(attributes), list(slots)
        self._constants: dict[int, Any] = {}
        self.supports_masking = True  # and ends the mask: the axes may be others from here on

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def build(self, input_shape):
        for place, slot in enumerate(self.slots):
            if slot and "weight" in slot:
                weight = self.add_weight(
                    shape=slot["weight"],
                    dtype=slot["dtype"],
                    initializer="zeros",
                    name=f"input_{place}",
                    trainable=slot["dtype"].startswith("float")
                    and place not in _FIXED.get(self.operator, ()),
                )
                self._constants[place] = weight
            elif slot and "constant" in slot:
                self._constants[place] = np.array(slot["constant"], slot["dtype"])
        self.built = True

    def call(self, inputs):
        values = [self._value(place, slot, inputs) for place, slot in enumerate(self.slots)]
        return OPERATIONS[self.operator](ops, self.attributes, *values)

    def _value(self, place, slot, inputs):
        if slot is None:
            return None
        if "tensor" in slot:
            return inputs[slot["tensor"]]
        if "sizes" not in slot:
            value = self._constants[place]
            return value if isinstance(value, np.ndarray) else ops.convert_to_tensor(value)
        sizes = [
            ops.shape(inputs[size[0]])[size[1]] if isinstance(size, list) else size
            for size in slot["sizes"]
        ]
        if self.operator in _LISTS and place == 1:
            return sizes
        sizes = [ops.cast(size, "int64") for size in sizes]
        return sizes[0] if slot.get("scalar") else ops.stack(sizes)

    def get_config(self):
        config = {"operator": self.operator, "attributes": self.attributes, "slots": self.slots}
        return {**super().get_config(), **config}


def slot_of(value: np.ndarray) -> dict[str, Any]:
    """The slot of a constant: a weight if it is large or made of several fractions."""
    if value.size > _LISTED or (value.dtype.kind == "f" and value.size > 1):
        return {"weight": list(value.shape), "dtype": value.dtype.name}
    return {"constant": value.tolist(), "dtype": value.dtype.name}
