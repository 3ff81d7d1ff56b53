"""A model that labels each step of a sequence."""

from collections.abc import Sequence

import keras
from keras import ops
from typing_extensions import Unpack

from lstm_zoo.backend import get_keras_mask, set_keras_mask
from lstm_zoo.builders.classes import Classes, counted_and_named, probabilities
from lstm_zoo.builders.options import Options, TokenOptions, takes
from lstm_zoo.builders.stack import compiled, dense, recurrent, sequence_input
from lstm_zoo.layers import CRF
from lstm_zoo.serving.tracing import decodes


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
    """Build a model that labels each step of a sequence.

    Args:
        num_classes: the number of classes, 2 or more. Labels are then integers
            `(samples, timesteps)` that start at 0; at masked steps any label in the classes will
            do. Or pass a list of tag names in the order of these integers, or the tags of all
            training sentences, as lists of strings. The model then keeps the names: `lz.fit` takes
            lists of strings, and `lz.predict` returns them.
        crf: whether to add a conditional random field, which learns how labels follow one another.
            The loss is then the negative log likelihood of the whole label sequence. `predict`
            returns 1 for the labels of the likeliest sequence (Viterbi) and 0 for all others;
            calling the model returns scores instead of probabilities.
        bidirectional: whether each recurrent layer reads the sequence in both directions. With
            False, and `crf=False`, the model can run step by step (`lz.stream`).
        loss: as for `keras.Model.compile`; must be None with `crf`, which has its own loss.
        metrics: as for `keras.Model.compile`; None uses the accuracy.
        Others: shared by all builders, described in `help` and in lstm_zoo/builders/options.py.

    Returns:
        A compiled `keras.Model`: `(batch, timesteps, features)` to
        `(batch, timesteps, num_classes)`.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

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
        raise ValueError(
            f"loss must be None if crf is true, because a CRF has its own loss, got {shared.loss!r}"
        )
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

    scores_whole_sequences = True  # sequences can have weights, steps cannot

    @property
    def crf(self):
        return self.layers[-1]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean negative log likelihood over the sequences, plus the regularizers."""
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
        """The metrics of the likeliest labels."""
        return super().compute_metrics(x, y, self._likeliest(y_pred), sample_weight)

    _weights = None

    def predict_step(self, *given):
        return self._keeping_weights(self._predict, given)

    if keras.backend.backend() == "jax":
        # JAX passes a step its weights, as (state, data); the variables are empty meanwhile.
        def train_step(self, *given):
            return self._keeping_weights(super().train_step, given)

        def test_step(self, *given):
            return self._keeping_weights(super().test_step, given)

    def _keeping_weights(self, step, given):
        if keras.backend.backend() != "jax":
            return step(*given)
        # Keras would save a list of variables that is set as an attribute.
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


@decodes(ChainTagger)
def _likeliest_in_c(writer, model, scores):
    """The steps that give a predictor the likeliest tags."""
    crf, [scores] = model.crf, keras.tree.flatten(scores)
    tags = writer.array(scores.shape, scores.mask)
    weights = [crf.transitions, crf.first, crf.last]
    writer.step("best_path", [scores, scores.mask], [tags], weights=weights)
    return tags


class _Mean(keras.losses.Loss):
    """The mean of numbers, as a loss that Keras adds up over several replicas."""

    def call(self, y_true, y_pred):
        return y_pred


def _labels(y, scores):
    return y[..., 0] if len(y.shape) == len(scores.shape) else y
