"""Layers that store words: an Embedding with its vocabulary, an output with its class names."""

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.layers.each_step import each_step_alone
from lstm_zoo.texts import Vocabulary


def checked_names(argument, value) -> tuple[str, ...]:
    """Check class names: at least two different strings."""
    names = tuple(str(checks.text(argument, one)) for one in checks.listing(argument, value))
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"{argument} must be at least two different names, got {names!r:.80}")
    return names


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class WordEmbedding(keras.layers.Embedding):
    """An Embedding that stores its vocabulary and masks padding.

    Args:
        vocabulary: a `lz.texts.Vocabulary`, or the dict from its `get_config`.
        output_dim: size of the embedding of a word.

    Call arguments:
        inputs: `(batch, timesteps)` whole numbers; 0 is padding.

    Returns:
        `(batch, timesteps, output_dim)`.

    Example:
        >>> layer = WordEmbedding(Vocabulary(["the cat sat"]), 4)
        >>> layer(layer.vocabulary.encode(["the cat"])[0]).shape
        TensorShape([1, 2, 4])
    """

    def __init__(self, vocabulary: Vocabulary | dict, output_dim: int, **kwargs):
        if isinstance(vocabulary, dict):
            vocabulary = Vocabulary.from_config(vocabulary)
        if not isinstance(vocabulary, Vocabulary):
            raise ValueError(f"vocabulary must be an lz.texts.Vocabulary, got {vocabulary!r:.80}")
        output_dim = checks.count("output_dim", output_dim)
        super().__init__(len(vocabulary), output_dim, mask_zero=True, **kwargs)
        self.vocabulary = vocabulary

    def get_config(self):
        config = super().get_config()
        del (
            config["input_dim"],
            config["mask_zero"],
        )  # these follow from the vocabulary and the class
        return {**config, "vocabulary": self.vocabulary.get_config()}


@each_step_alone
@keras.saving.register_keras_serializable(package="lstm_zoo")
class NamedDense(keras.layers.Dense):
    """A Dense layer that outputs class probabilities and stores the class names.

    Args:
        units: the number of classes, or 1 for the probability of the second of two classes.
        class_names: the name of each class.
        activation: "softmax", or "sigmoid" for independent classes.

    Call arguments:
        inputs: `(batch, ..., features)`.

    Returns:
        `(batch, ..., units)`.

    Raises:
        ValueError: if the number of names is not the number of classes, or if a name repeats.

    Example:
        >>> layer = NamedDense(2, ["low", "high"], activation="softmax")
        >>> layer.named(np.array([[0.1, 0.9], [0.8, 0.2]])).tolist()
        ['high', 'low']
    """

    def __init__(self, units: int, class_names, activation="softmax", **kwargs):
        units = checks.count("units", units)
        activation = checks.of_keras("activation", activation)
        super().__init__(units, activation=activation, **kwargs)
        self.class_names = checked_names("class_names", class_names)
        if units not in (1, len(self.class_names)) or (units == 1 and len(self.class_names) > 2):
            raise ValueError(
                f"class_names must name each of {max(units, 2)} classes, "
                f"got {len(self.class_names)} names"
            )

    @property
    def several(self) -> bool:
        """Whether a sequence can belong to several classes."""
        return self.units > 1 and self.activation is keras.activations.sigmoid

    def named(self, probabilities: np.ndarray):
        """The name of the likeliest class, as an array of strings without the class axis.

        For independent classes ("sigmoid"), a list of the names with a probability above 1/2.
        """
        names = np.array(self.class_names, object)
        if self.units == 1:
            return names[(probabilities[..., 0] > 0.5).astype(int)]
        if self.several:
            return [names[row].tolist() for row in probabilities > 0.5]
        return names[probabilities.argmax(axis=-1)]

    def get_config(self):
        return {**super().get_config(), "class_names": list(self.class_names)}
