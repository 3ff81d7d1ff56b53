"""The arguments that builders share: their descriptions, types, defaults and checks."""

import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import keras

from lstm_zoo import checks
from lstm_zoo.texts import Vocabulary, rows_of_words, split_words

# `help` shows these descriptions for arguments that a builder's docstring does not describe.
ARGUMENTS = """
input_shape: `(timesteps, features)`; `timesteps` may be None if lengths vary. With
    `vocabulary` or `vocabulary_size`, `(timesteps or None,)`.
lstm_units: units of each recurrent layer, first to last; at least one; 16 means (16,).
dense_units: units of each Dense layer before the output layer; may be empty.
bidirectional: whether each recurrent layer reads the sequence in both directions.
pooling: "last" uses the last hidden state; "mean", "max" and "attention" combine the hidden
    states of all steps, "attention" by a mean with learned weights. Masked steps are ignored.
normalise: how to scale each feature to mean 0 and standard deviation 1. "running" estimates
    both during training (`layers.RunningNormalization`), except for tokens and for cells that
    read a time feature ("gru_d", "time_gap"). Training samples `(samples, timesteps,
    features)` fix both beforehand. None does not scale. Masked steps do not count.
cell: a name from `lstm_zoo.layers.variants.names()`: "lstm", "peephole", "coupled", "gru",
    "simple_rnn", ...; or the class of a cell or a recurrent layer that takes `units`.
dropout: fraction of the values that training drops after each recurrent and Dense layer.
recurrent_dropout: fraction of the hidden state that training drops inside the recurrent
    layers, with the same mask at every step.
kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the recurrent
    layers, as in Keras: "l2" or a `keras.regularizers.Regularizer`. Dense layers use the first.
mask_value: the model ignores steps at which every feature has this value, a number other than
    NaN (NaN equals nothing, not even itself); None masks no steps. With `vocabulary_size`,
    None or 0. With `vocabulary`, padding is always masked.
vocabulary_size: the number of different tokens (words, characters), 0 included, if each step
    is an integer token; the model then starts with an Embedding. Otherwise None.
vocabulary: the training texts, as a list of texts or of lists of words, or an
    `lz.texts.Vocabulary` made from them; otherwise None. The model keeps the vocabulary, and
    `lz.fit` and `lz.predict` take texts. All unknown words count as the same word. Not with
    `vocabulary_size`.
embedding_dim: size of the embedding of a token.
loss, metrics: as for `keras.Model.compile`; None uses the builder's own.
optimizer: a name or a `keras.optimizers.Optimizer`; None uses Adam.
learning_rate: a number or a `keras.optimizers.schedules.LearningRateSchedule`; None is 0.001,
    and 0.003 in `build_classifier`. Leave it out if `optimizer` is an object, which has its
    own rate.
name: the name of the model.
"""
REGULARIZERS = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer")


class CompileOptions(TypedDict, total=False):
    """The arguments of every builder."""

    loss: Any
    metrics: Any
    optimizer: str | keras.optimizers.Optimizer | None
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None
    name: str | None


class RecurrentOptions(CompileOptions, total=False):
    """The arguments of every builder, and those of the recurrent layers."""

    cell: str | type
    dropout: float
    recurrent_dropout: float


class SequenceOptions(RecurrentOptions, total=False):
    """The above, and the arguments of models that read `(batch, timesteps, features)`."""

    kernel_regularizer: Any
    recurrent_regularizer: Any
    bias_regularizer: Any
    mask_value: float | None


class TokenOptions(SequenceOptions, total=False):
    """The above, and the arguments of models that can also read tokens."""

    vocabulary_size: int | None
    vocabulary: Vocabulary | Sequence[str] | Sequence[Sequence[str]] | None
    embedding_dim: int


@dataclass(frozen=True)
class Options:
    """The checked shared arguments of a builder call, with their defaults.

    Raises:
        ValueError: if an argument is invalid; the message names it and says what is expected.

    Example:
        >>> Options(dropout=0.5).learning_rate
        >>> Options(dropout=2)
        Traceback (most recent call last):
        ValueError: dropout must be a fraction from 0 to below 1, got 2
    """

    cell: str | type = "lstm"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    mask_value: float | None = None
    vocabulary_size: int | None = None
    vocabulary: Vocabulary | Sequence[str] | Sequence[Sequence[str]] | None = None
    embedding_dim: int = 32
    loss: Any = None
    metrics: Any = None
    optimizer: str | keras.optimizers.Optimizer | None = None
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None
    name: str | None = None

    def __post_init__(self):
        for argument in ("dropout", "recurrent_dropout"):
            self._set(argument, checks.fraction(argument, getattr(self, argument), below_one=True))
        for argument in REGULARIZERS:
            self._set(argument, checks.of_keras(argument, getattr(self, argument)))
        if isinstance(self.loss, str):
            keras.losses.get(self.loss)  # raises for a wrong name, before the first step does
        if self.vocabulary is None:
            return
        if self.vocabulary_size is not None:
            raise ValueError(
                "vocabulary and vocabulary_size must not both be given; "
                "to keep only the most frequent words, pass vocabulary=lz.texts.Vocabulary(texts, "
                "size=...)"
            )
        if not isinstance(self.vocabulary, Vocabulary):
            rows = rows_of_words("vocabulary", self.vocabulary, split_words)
            self._set("vocabulary", Vocabulary(rows))

    @property
    def reads_tokens(self) -> bool:
        """Whether the input holds tokens; the model then starts with an Embedding."""
        return self.vocabulary is not None or self.vocabulary_size is not None

    def _set(self, argument, checked):
        object.__setattr__(self, argument, checked)  # the dataclass is frozen


Builder = TypeVar("Builder", bound=Callable[..., keras.Model])


def takes(options: type) -> Callable[[Builder], Builder]:
    """Decorator that declares which shared arguments a builder takes as `**options`.

    The builder's signature then lists these arguments with their defaults, `help` describes each,
    and any other keyword raises a `TypeError`.

    Args:
        options: the `TypedDict` that the builder unpacks in its signature.

    Example:
        >>> @takes(RecurrentOptions)
        ... def build(units=3, **options): return Options(**options)
        >>> inspect.signature(build).parameters["cell"].default
        'lstm'
        >>> build(drop=0.5)
        Traceback (most recent call last):
        TypeError: build() got an unexpected keyword argument 'drop'
    """
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(Options, name),
            annotation=options.__annotations__[name],
        )
        for name in Options.__dataclass_fields__
        if name in options.__annotations__
    ]

    def decorate(builder):
        raw = inspect.signature(builder)
        *own, _ = raw.parameters.values()
        signature = raw.replace(parameters=[*own, *shared])
        builder.__signature__ = signature
        builder.__annotations__ = {
            **{name: p.annotation for name, p in signature.parameters.items()},
            "return": signature.return_annotation,
        }
        builder.__doc__ = _described(inspect.getdoc(builder), signature.parameters)

        @functools.wraps(builder)
        def build(*arguments, **given):
            for name in given:
                if name not in signature.parameters:
                    raise TypeError(
                        f"{builder.__name__}() got an unexpected keyword argument {name!r}"
                    )
            return builder(*arguments, **given)

        return build

    return decorate


def _described(doc, parameters):
    """A docstring with its line "Others: ..." replaced by the descriptions of those arguments."""
    parts = re.fullmatch(
        r"(.*^Args:\n)(.*)^    Others: .*?\n(.*)", doc or "", re.DOTALL | re.MULTILINE
    )
    if not parts:  # python -OO strips docstrings
        return doc
    before, own, after = parts.groups()
    described = {_names(entry)[0]: entry for entry in _entries(own)}
    for entry in _entries(textwrap.indent(ARGUMENTS, "    ")):
        described.setdefault(_names(entry)[0], entry)
    ordered = [described[name] for name in parameters if name in described]
    return before + "".join(ordered) + after


def _entries(text):
    """The argument descriptions in a text, each with its continuation lines."""
    return re.findall(r"^    \S.*\n(?:     .*\n)*", text, flags=re.MULTILINE)


def _names(entry):
    return entry.split(":")[0].replace(",", " ").split()
