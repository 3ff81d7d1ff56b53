"""Compares layers of a Keras 2 file with those of a model: do both compute the same?

A file stores the class and arguments of each layer. Arguments that change outputs are compared.
Arguments for training only (initializers, regularizers, dropout) and the connections between layers
are not.
"""

import dataclasses
import math
import re
from typing import Any

import keras

# Layers without weights that change nothing at inference, or whose classes have no counterpart.
TRAINING_ONLY = re.compile(
    r"InputLayer|Identity|ActivityRegularization|(Alpha|Spatial|Gaussian)?Dropout(\dD)?"
    r"|GaussianNoise|.*Lambda.*|.*OpLambda"
)
WITHOUT_WEIGHTS = re.compile(
    rf"{TRAINING_ONLY.pattern}|Activation|(Leaky|Thresholded)?ReLU|ELU|Softmax|Masking|Flatten"
    r"|Reshape|Permute|RepeatVector|Rescaling|Concatenate|Add|Subtract|Multiply|Average|Maximum"
    r"|Minimum|Dot|.*Pooling\dD|ZeroPadding\dD|Cropping\dD|UpSampling\dD"
)
# Arguments that do not change outputs, or that the shapes of weights determine.
_OF_TRAINING = re.compile(
    r".*_(initializer|regularizer|constraint)|name|trainable|dtype|seed|rate|dropout"
    r"|recurrent_dropout|noise_shape|implementation|unroll|unit_forget_bias|momentum|renorm.*|fused"
    r"|virtual_batch_size|synchronized|units|filters|input_dim|output_dim|input_length|stateful"
    r"|sparse|ragged|batch_(input_)?shape|data_format|cell|layer|layers|backward_layer"
    r"|time_major|dynamic|quantization_config|lora_.*|use_cudnn|input_shape|optional"
)
_CUDNN = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}
_RENAMED = {"alpha": "negative_slope"}  # in LeakyReLU
_ACTIVATIONS = {None: "linear", "swish": "silu", "hard_sigmoid": "keras2_hard_sigmoid"}
_PER_STEP = ("Dense", "Activation")  # TimeDistributed does not change these


@dataclasses.dataclass(eq=False)
class Described:
    """A layer of a file or of a model, and the layers inside it.

    `slot` is its position in the enclosing layer of a `.keras` file; `layer` is the model's layer.
    """

    class_name: str
    name: str
    settings: dict[str, Any]
    inside: list["Described"]
    trainable: bool = True
    slot: str = ""
    layer: Any = None

    @property
    def is_group(self):
        return self.class_name in ("Model", "Bidirectional", "StackedRNNCells", "TimeDistributed")

    def weighted(self):
        """The layers inside with weights."""
        if self.layer is None:
            return [one for one in self.inside if not WITHOUT_WEIGHTS.fullmatch(one.class_name)]
        return [one for one in self.inside if one.layer.weights]

    def unweighted(self):
        """The Keras layers inside that have no weights but change outputs."""
        found = [one for one in self.inside if one not in self.weighted()]
        return [
            one
            for one in found
            if hasattr(keras.layers, one.class_name)
            and not TRAINING_ONLY.fullmatch(one.class_name)
            and one.settings.get("activation") != "linear"
        ]


def of_file(config: dict) -> Described:
    """A layer described by the configuration in a file."""
    class_name, given = str(config["class_name"]), config.get("config") or {}
    # In early versions a Sequential is a list of layers.
    settings: dict[str, Any] = {"layers": given} if isinstance(given, list) else dict(given)
    name = str(settings.get("name", config.get("name", class_name)))
    slot, cudnn = _snake(class_name), class_name.startswith("CuDNN")
    class_name = re.sub(r"^CuDNN|V\d$", "", class_name)
    if cudnn:
        settings |= _CUDNN | ({"reset_after": True} if class_name == "GRU" else {})
    if class_name == "LeakyReLU":
        settings = {_RENAMED.get(key, key): value for key, value in settings.items()}
    inside = []
    if class_name in ("Model", "Functional", "Sequential") and "layers" in settings:
        class_name, inside = "Model", [of_file(one) for one in settings["layers"]]
    elif class_name == "Bidirectional":
        forward = of_file(settings["layer"])
        if settings.get("backward_layer"):
            backward = of_file(settings["backward_layer"])
        else:
            backward = of_file(settings["layer"])
            backward.settings["go_backwards"] = not forward.settings.get("go_backwards")
        forward.slot, backward.slot, inside = "forward_layer", "backward_layer", [forward, backward]
    elif class_name == "TimeDistributed":
        inside = [of_file(settings["layer"])]
        inside[0].slot = "layer"
    elif class_name == "RNN":
        inside = [of_file(settings["cell"])]
        inside[0].slot = "cell"
        settings |= inside[0].settings
        class_name, inside = re.sub("Cell$", "", inside[0].class_name), inside[0].inside
    elif class_name == "StackedRNNCells":
        inside = [of_file(one) for one in settings["cells"]]
    trainable = settings.get("trainable", True) is not False
    return _settled(Described(class_name, name, settings, inside, trainable, slot))


def of_model(layer: keras.layers.Layer, trainable: bool = True) -> Described:
    """A layer of a model, described in the same form."""
    class_name, settings = _class_name_of(layer), dict(layer.get_config())
    trainable = trainable and layer.trainable
    slot, layers = _snake(type(layer).__name__), []
    if isinstance(layer, keras.Model):
        class_name, layers, settings = "Model", layer.layers, {}
    elif isinstance(layer, keras.layers.Bidirectional):
        layers = [layer.forward_layer, layer.backward_layer]
    elif isinstance(layer, keras.layers.TimeDistributed):
        layers = [layer.layer]
    elif isinstance(layer, keras.layers.RNN):
        cell = layer.cell
        settings |= cell.get_config()
        class_name = re.sub("Cell$", "", _class_name_of(cell))
        layers = cell.cells if isinstance(cell, keras.layers.StackedRNNCells) else []
    inside = [of_model(one, trainable) for one in layers]
    for part, place in zip(inside, _PLACES.get(class_name, ())):
        part.slot = place
    return _settled(Described(class_name, layer.name, settings, inside, trainable, slot, layer))


_PLACES = {"Bidirectional": ("forward_layer", "backward_layer"), "TimeDistributed": ("layer",)}


def _settled(one):
    """Normalise settings, number the slots, and drop unneeded TimeDistributed wrappers."""
    if one.class_name == "TimeDistributed" and one.inside[0].class_name in _PER_STEP:
        [inside] = one.inside
        layer = one.layer and one.layer.layer
        inside.slot, inside.layer = f"{one.slot}/layer", layer
        return inside
    of_file = one.layer is None
    counts: dict[str, int] = {}
    for part in one.inside if one.class_name in ("Model", "StackedRNNCells") else ():
        number = counts[part.slot] = counts.get(part.slot, -1) + 1
        head, *tail = part.slot.split("/")
        part.slot = "/".join([f"{head}_{number}" if number else head, *tail])
    one.settings = {
        key: _plain(key, value, of_file)
        for key, value in one.settings.items()
        if not _OF_TRAINING.fullmatch(key) or (key == "time_major" and value)
    }
    return one


def _class_name_of(layer):
    """The name of the Keras class that a layer or cell derives from, or of its own class."""
    for one in type(layer).__mro__:
        if one.__module__.startswith(("keras.", "lstm_zoo.")):
            return one.__name__
    return type(layer).__name__


def _plain(key, value, of_file):
    """A setting in a form in which equal settings compare equal."""
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value["class_name"]
    if key.endswith("activation"):
        value = _ACTIVATIONS.get(value, value) if of_file else value or "linear"
        return str(value).split(">")[-1]
    if isinstance(value, (list, tuple)):
        value = tuple(value)
        return value[0] if key == "axis" and len(value) == 1 else value
    return value


def _snake(name):
    """The name that Keras gives to a class in a `.keras` file."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def differences(saved: Described, ours: Described) -> list[str]:
    """The differences between a layer of a model and one of the file, as sentences."""
    if saved.class_name != ours.class_name and hasattr(keras.layers, saved.class_name):
        return [
            f"{ours.name} must be a {saved.class_name}, as {saved.name!r} in the file, "
            f"got {ours.class_name}"
        ]
    found = []
    if saved.settings.get("time_major"):
        found.append(
            f"{saved.name!r} in the file has time_major=True, which Keras 3 does not support; in "
            "Keras 2, save a model with time_major=False and the same weights"
        )
    for key, value in saved.settings.items():
        got = ours.settings.get(key, value)
        same = _same_axis(ours.layer, got, value) if key == "axis" else _same(got, value)
        if not same:
            wanted = f"lz.cells.{value}" if value == "keras2_hard_sigmoid" else repr(value)
            found.append(
                f"{ours.name} must have {key}={wanted}, as {saved.name!r} in the file, got {got!r}"
            )
    if saved.is_group:
        found += _differences_inside(saved, ours)
    return found


def _differences_inside(saved, ours):
    theirs, mine = saved.weighted(), ours.weighted()
    if len(theirs) != len(mine):
        names = ", ".join(one.name for one in theirs)
        return [
            f"{ours.name} must have as many layers with weights as the file, {len(theirs)} "
            f"({names}), got {len(mine)}"
        ]
    _fold_activations(saved), _fold_activations(ours)
    found = [text for pair in zip(theirs, mine) for text in differences(*pair)]
    theirs, mine = saved.unweighted(), ours.unweighted()
    if [one.class_name for one in theirs] != [one.class_name for one in mine]:
        lists = (", ".join(one.class_name for one in some) or "none" for some in (theirs, mine))
        text = "{} must have these layers without weights, as the file: {}; got {}"
        return [*found, text.format(ours.name, *lists)]
    return found + [text for pair in zip(theirs, mine) for text in differences(*pair)]


def _fold_activations(group):
    """Merge an Activation layer into the preceding layer, if that has no activation."""
    for before, after in zip(group.inside, group.inside[1:]):
        if after.class_name == "Activation" and before.settings.get("activation") == "linear":
            before.settings["activation"] = after.settings["activation"]
            after.settings["activation"] = "linear"


def _same(one, other):
    """Whether two settings are equal; files store some numbers as float32."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)
    return one == other


def _same_axis(layer, *axes):
    """Whether two numbers mean the same axis of a layer's input, such as -1 and the last."""
    try:
        rank = len(layer.input.shape)
    except (AttributeError, ValueError):  # inside another layer; shapes of weights are compared too
        return True
    return all(isinstance(axis, int) for axis in axes) and len({a % rank for a in axes}) == 1
