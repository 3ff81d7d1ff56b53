"""A model that gives a label to each step of a sequence."""

from collections.abc import Sequence

import keras
from keras import ops
from typing_extensions import Unpack

from lstm_zoo.backend import get_keras_mask, set_keras_mask
from lstm_zoo.builders.classes import Classes, counted_and_named, probabilities
from lstm_zoo.builders.options import Options, TokenOptions, takes
from lstm_zoo.builders.stack import compiled, dense, recurrent, sequence_input
from lstm_zoo.layers import CRF


@takes(TokenOptions)
def build_tagger(
    input_shape: tuple[int | None, int] | tuple[int | None],
    num_classes: Classes,
    *,
    crf: bool = False,
    lstm_units: int | Sequence[int] = (64,),
    dense_units: int | Sequence[int] = (),
    bidirectional: bool = True,
    normalise=None,
    **options: Unpack[TokenOptions],
) -> keras.Model:
    """A compiled model that gives a label to each step of a sequence.

    Args:
        num_classes: 2 or more. Labels are `(samples, timesteps)` integers from 0 on; those of
            masked steps do not matter, but must be within the classes. Or the names of the tags in
            the order of these integers, or the tags of all training sentences, lists of strings:
            then the model keeps the names, `lz.fit` takes such lists, and `lz.predict` gives them.
        crf: whether a conditional random field learns how labels follow one another. The model's
            loss is then the negative log likelihood of the whole sequence of labels, `predict`
            gives 1 to the labels of the likeliest sequence (Viterbi) and 0 to all others, and a
            call of the model gives scores instead of probabilities.
        bidirectional: whether each recurrent layer reads the sequence from both ends. With False,
            and `crf=False`, the model can be run step by step (`lz.stream`).
        loss: as `keras.Model.compile` takes it; None with `crf`, which has its own.
        metrics: as `keras.Model.compile` takes them; None takes the accuracy.
        Others: shared by builders, see lstm_zoo/builders/options.py; `help` describes them here.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to
        `(batch, timesteps, num_classes)`.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

    Example:
        >>> build_tagger((None,), 5, vocabulary_size=1000, mask_value=0).output_shape
        (None, None, 5)
        >>> sentences, tags = ["the cat sat"], [["DET", "NOUN", "VERB"]]
        >>> build_tagger((None,), tags, vocabulary=sentences).output_shape
        (None, None, 3)
    """
    num_classes, names = counted_and_named(num_classes)
    shared = Options(**options)
    if crf and shared.loss is not None:
        raise ValueError(f"loss must be None with crf, which has its own, got {shared.loss!r}")
    inputs, x = sequence_input(input_shape, shared, normalise=normalise)
    x = recurrent(x, lstm_units, shared, bidirectional=bidirectional)
    x = dense(x, dense_units, shared)
    if crf:
        x = keras.layers.Dense(num_classes, name="scores")(x)
        x = CRF(num_classes, class_names=names, name="crf")(x)
        model: keras.Model = ChainTagger(inputs, x, name=shared.name)
    else:
        x = probabilities(x, num_classes, names)
        model = keras.Model(inputs, x, name=shared.name)
    return compiled(model, "sparse_categorical_crossentropy", ["accuracy"], shared)


@keras.saving.register_keras_serializable(package="lstm_zoo")
class ChainTagger(keras.Model):
    """A model that ends in a `CRF`, trained on the likelihood of whole sequences of labels.

    Example:
        >>> inputs = keras.Input((None, 3))
        >>> scores = keras.layers.Dense(2)(inputs)
        >>> ChainTagger(inputs, CRF(2)(scores)).predict(ops.ones((1, 4, 3)), verbose=0).shape
        (1, 4, 2)
    """

    scores_whole_sequences = True  # a weight can be given to a sequence, not to a step

    @property
    def crf(self):
        return self.layers[-1]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the sequences of the negative log likelihood, and the regularizers."""
        if sample_weight is not None and len(sample_weight.shape) > 1:
            raise ValueError(
                "sample_weight must be (samples,) because a CRF has one loss per sequence, "
                f"got shape {tuple(sample_weight.shape)}"
            )
        surprise = -self.crf.log_likelihood(y_pred, _labels(y, y_pred), get_keras_mask(y_pred))
        mean = _Mean("mean", dtype=keras.backend.result_type(surprise.dtype, "float32"))
        total = mean(surprise, surprise, sample_weight)
        for added in self.losses:
            total += mean(added[None], added[None])
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Of the likeliest labels."""
        return super().compute_metrics(x, y, self._likeliest(y_pred), sample_weight)

    _weights = None

    def predict_step(self, *given):
        return self._keeping_weights(self._predict, given)

    if keras.backend.backend() == "jax":
        # JAX hands a step its weights, (state, data), and the variables hold none meanwhile.
        def train_step(self, *given):
            return self._keeping_weights(super().train_step, given)

        def test_step(self, *given):
            return self._keeping_weights(super().test_step, given)

    def _keeping_weights(self, step, given):
        if keras.backend.backend() != "jax":
            return step(*given)
        # A list that is set as an attribute would count among the variables that Keras saves.
        vars(self)["_weights"] = list(zip(self.trainable_variables, given[0][0]))
        try:
            return step(*given)
        finally:
            vars(self)["_weights"] = None

    def _predict(self, *given):
        said = super().predict_step(*given)
        if keras.backend.backend() != "jax":
            return self._likeliest(said)
        scores, state = said
        return self._likeliest(scores), state

    def _likeliest(self, scores):
        mask = get_keras_mask(scores)
        if self._weights is None:
            tags = self.crf.best_path(scores, mask)
        else:
            with keras.StatelessScope(self._weights):
                tags = self.crf.best_path(scores, mask)
        result = ops.one_hot(tags, self.crf.num_tags, dtype=scores.dtype)
        set_keras_mask(result, mask)
        return result


class _Mean(keras.losses.Loss):
    """The mean of numbers, of which Keras adds up those of several replicas."""

    def call(self, y_true, y_pred):
        return y_pred


def _labels(y, scores):
    return y[..., 0] if len(y.shape) == len(scores.shape) else y
