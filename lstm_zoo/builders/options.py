"""The arguments that builders share: what they mean, their types, their defaults, their checks."""

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

# What `help` says of an argument where a builder's own docstring does not describe it.
ARGUMENTS = """
input_shape: `(timesteps, features)`; `timesteps` may be None where lengths vary. With
    `vocabulary` or `vocabulary_size`, `(timesteps or None,)`.
lstm_units: units of each recurrent layer, first to last; at least one; 16 means (16,).
dense_units: units of each Dense layer between them and the output; may be empty.
bidirectional: whether each recurrent layer reads the sequence from both ends.
pooling: "last" takes the last hidden state, "mean" and "max" those of the hidden states of
    all steps, "attention" a mean of them whose weights are learnt. Masked steps count for
    nothing.
normalise: how each feature is brought to mean 0 and deviation 1. "running" learns both as the
    model trains (`layers.RunningNormalization`), where the steps are not tokens and no
    feature is a time, as "gru_d" and "time_gap" read; training samples `(samples, timesteps,
    features)` give them before; None leaves the data as it is. Masked steps do not count.
cell: a name from `lstm_zoo.layers.variants.names()`: "lstm", "peephole", "coupled", "gru",
    "simple_rnn", ...; or a class that takes `units`, of a cell or of a recurrent layer.
dropout: fraction of the values dropped in training after each recurrent and Dense layer.
recurrent_dropout: fraction of the hidden state dropped within the recurrent layers, the same
    one at every step.
kernel_regularizer, recurrent_regularizer, bias_regularizer: of the recurrent layers, as in
    Keras: "l2" or a `keras.regularizers.Regularizer`; the first also of the Dense layers.
mask_value: steps at which every feature has this value are left out; None leaves none out. A
    number: NaN equals nothing, itself included. With `vocabulary_size`, None or 0; with
    `vocabulary`, padding is always left out.
vocabulary_size: None; or, where steps are whole numbers (words, characters), how many there
    are, 0 included. An Embedding then comes first.
vocabulary: None; or the training texts, a list of texts or of lists of words, or an
    `lz.texts.Vocabulary` made of them. The model then keeps the vocabulary, and `lz.fit` and
    `lz.predict` take texts; words that it lacks are all one word. Not with `vocabulary_size`.
embedding_dim: features of a step behind the Embedding.
loss, metrics: as `keras.Model.compile` takes them; None takes the builder's own.
optimizer: None takes Adam; a name or a `keras.optimizers.Optimizer`.
learning_rate: a number or a `keras.optimizers.schedules.LearningRateSchedule`; None is 0.001,
    and 0.003 in `build_classifier`. Not to be given where `optimizer` is an object, which has
    its own.
name: of the model.
"""
REGULARIZERS = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer")


class CompileOptions(TypedDict, total=False):
    """What every builder takes."""

    loss: Any
    metrics: Any
    optimizer: str | keras.optimizers.Optimizer | None
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None
    name: str | None


class RecurrentOptions(CompileOptions, total=False):
    """And of the recurrent layers."""

    cell: str | type
    dropout: float
    recurrent_dropout: float


class SequenceOptions(RecurrentOptions, total=False):
    """And of models that read `(batch, timesteps, features)`."""

    kernel_regularizer: Any
    recurrent_regularizer: Any
    bias_regularizer: Any
    mask_value: float | None


class TokenOptions(SequenceOptions, total=False):
    """And of those that read tokens too."""

    vocabulary_size: int | None
    vocabulary: Vocabulary | Sequence[str] | Sequence[Sequence[str]] | None
    embedding_dim: int


@dataclass(frozen=True)
class Options:
    """The shared arguments of one call, checked, with their defaults.

    Raises:
        ValueError: naming the argument that is wrong, what came and what is wanted.

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
            keras.losses.get(self.loss)  # a wrong name ends here, not in the first step
        if self.vocabulary is None:
            return
        if self.vocabulary_size is not None:
            raise ValueError(
                "give vocabulary or vocabulary_size, not both; "
                "lz.texts.Vocabulary(texts, size=...) keeps the most frequent words"
            )
        if not isinstance(self.vocabulary, Vocabulary):
            rows = rows_of_words("vocabulary", self.vocabulary, split_words)
            self._set("vocabulary", Vocabulary(rows))

    @property
    def reads_tokens(self) -> bool:
        """Whether the input holds tokens, so that the model starts with an Embedding."""
        return self.vocabulary is not None or self.vocabulary_size is not None

    def _set(self, argument, checked):
        object.__setattr__(self, argument, checked)  # frozen for all others


Builder = TypeVar("Builder", bound=Callable[..., keras.Model])


def takes(options: type) -> Callable[[Builder], Builder]:
    """Say which shared arguments a builder takes as `**options`: a decorator.

    The builder's signature then lists them with their defaults, `help` describes each, and any
    other keyword is a `TypeError`.

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
    """A docstring in which the line "Others: ..." became the description of other arguments."""
    parts = re.fullmatch(
        r"(.*^Args:\n)(.*)^    Others: .*?\n(.*)", doc or "", re.DOTALL | re.MULTILINE
    )
    if not parts:  # python -OO leaves none
        return doc
    before, own, after = parts.groups()
    described = {_names(entry)[0]: entry for entry in _entries(own)}
    for entry in _entries(textwrap.indent(ARGUMENTS, "    ")):
        described.setdefault(_names(entry)[0], entry)
    ordered = [described[name] for name in parameters if name in described]
    return before + "".join(ordered) + after


def _entries(text):
    """The arguments that a text describes, each with the lines that belong to it."""
    return re.findall(r"^    \S.*\n(?:     .*\n)*", text, flags=re.MULTILINE)


def _names(entry):
    return entry.split(":")[0].replace(",", " ").split()
