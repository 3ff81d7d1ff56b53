"""Converts texts to the integers that a model reads, using a vocabulary."""

import collections
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lstm_zoo import checks
from lstm_zoo.spelling import suggest as _suggest

__all__ = ["Texts", "Vocabulary", "encode_texts"]

PADDING, UNKNOWN = 0, 1
_SPECIAL = ("", "[unknown]")  # the tokens of numbers 0 and 1
split_words = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]").findall  # and punctuation marks
_SPLITS = {"word": split_words, "character": list}


class Vocabulary:
    """The words that a model knows, most frequent first.

    Number 0 is padding. Number 1 stands for every unknown word.

    Args:
        texts: a list of texts, or of lists of words. Texts are split into words and punctuation
            marks, or into characters; lists of words are not split.
        size: the largest number of tokens to keep, including the first two; None keeps all.
        by: "word" or "character".
        lowercase: whether to convert texts to lower case.

    Attributes:
        tokens: the word of each number, a tuple of strings.

    Raises:
        ValueError: if a row is empty or not a text; the message names the first such row.

    Example:
        >>> vocabulary = Vocabulary(["The cat sat.", "A cat ran."])
        >>> vocabulary.tokens
        ('', '[unknown]', 'cat', '.', 'the', 'sat', 'a', 'ran')
        >>> vocabulary.split(["A dog!"])
        [['A', 'dog', '!']]
    """

    def __init__(
        self,
        texts: Sequence[str] | Sequence[Sequence[str]],
        *,
        size: int | None = None,
        by: str = "word",
        lowercase: bool = True,
    ):
        self.by = checks.one_of("by", by, _SPLITS)
        self.lowercase = bool(lowercase)
        size = None if size is None else checks.count("size", size, least=3)
        counts = collections.Counter(word for row in self.split(texts) for word in self._keys(row))
        for token in _SPECIAL:
            counts.pop(token, None)
        most = counts.most_common(None if size is None else size - len(_SPECIAL))
        self._set_words([word for word, _ in most])

    def _set_words(self, words):
        self.tokens = (*_SPECIAL, *words)
        self._numbers = {word: number for number, word in enumerate(words, len(_SPECIAL))}

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        some = checks.listed(map(repr, self.tokens[len(_SPECIAL) : 7]))
        return f"Vocabulary({len(self)} tokens by {self.by}: {some}, ...)"

    def __eq__(self, other) -> bool:
        return isinstance(other, Vocabulary) and self.get_config() == other.get_config()

    __hash__ = None  # type: ignore[assignment]

    def split(self, texts, name: str = "texts") -> list[list[str]]:
        """Split each text into words, in their original case.

        Args:
            texts: a list of texts, or of lists of words.
            name: the name of `texts` in an error message.

        Raises:
            ValueError: if a row is empty or not a text; the message names the first such row.
        """
        return rows_of_words(name, texts, _SPLITS[self.by])

    def encode(self, texts, name: str = "texts") -> tuple[np.ndarray, np.ndarray]:
        """Convert texts to numbers `(samples, timesteps)`, padded with 0 at the end, and lengths.

        Args:
            texts: a list of texts, or of lists of words.
            name: the name of `texts` in an error message.

        Raises:
            ValueError: if a row is empty or not a text; the message names the first such row.
        """
        numbers = self._numbers
        rows = [
            [numbers.get(key, UNKNOWN) for key in self._keys(row)]
            for row in self.split(texts, name)
        ]
        return filled(rows), np.array([len(row) for row in rows], "int32")

    def _keys(self, words):
        return [word.lower() for word in words] if self.lowercase else words

    def get_config(self) -> dict:
        """The configuration for `from_config`: a dict of strings, lists and booleans."""
        words = list(self.tokens[len(_SPECIAL) :])
        return {"words": words, "by": self.by, "lowercase": self.lowercase}

    @classmethod
    def from_config(cls, config: dict) -> "Vocabulary":
        """The vocabulary with the configuration `config`, from `get_config`."""
        if set(config) != {"words", "by", "lowercase"}:
            raise ValueError(f"config must be a dict from get_config, got {config!r:.80}")
        made = cls.__new__(cls)
        made.by = checks.one_of("by", config["by"], _SPLITS)
        made.lowercase = bool(config["lowercase"])
        made._set_words(
            [checks.text("words", word) for word in checks.listing("words", config["words"])]
        )
        return made


class Texts(NamedTuple):
    """Texts as numbers, `(samples, timesteps)` int32, their lengths and their vocabulary."""

    x: np.ndarray
    lengths: np.ndarray
    vocabulary: Vocabulary

    def __repr__(self) -> str:
        return f"Texts({len(self.x)} of {checks.span(self.lengths)} tokens, {self.vocabulary!r})"


def encode_texts(
    texts: Sequence[str] | Sequence[Sequence[str]],
    vocabulary: Vocabulary | None = None,
) -> Texts:
    """Convert texts to whole numbers, padded with 0 to the longest text.

    A model built with `vocabulary=` does not need this: `lz.fit` and `lz.predict` take the texts
    themselves.

    Args:
        texts: a list of texts, or of lists of words.
        vocabulary: the vocabulary to use; for test texts, pass the one of the training texts. None
            makes a vocabulary from `texts`. `Vocabulary(texts, size=..., by="character")` makes
            other kinds.

    Returns:
        `Texts(x, lengths, vocabulary)`: `x` is `(samples, timesteps)` int32, `lengths` is
        `(samples,)` int32.

    Raises:
        ValueError: if a row is empty or not a text; the message names the first such row.

    Example:
        >>> x, lengths, vocabulary = encode_texts(["the cat sat", "the dog"])
        >>> x.tolist(), lengths.tolist()
        ([[2, 3, 4], [2, 5, 0]], [3, 2])
        >>> encode_texts(["a dog"], vocabulary).x.tolist()
        [[1, 5]]
    """
    if vocabulary is None:
        vocabulary = Vocabulary(texts)
    elif not isinstance(vocabulary, Vocabulary):
        raise ValueError(f"vocabulary must be an lz.texts.Vocabulary, got {vocabulary!r:.80}")
    return Texts(*vocabulary.encode(texts), vocabulary)


def holds_texts(value: Any) -> bool:
    """Whether a value holds texts or lists of words, judged by its first row.

    >>> holds_texts(["a cat"]), holds_texts([["a", "cat"]]), holds_texts([[1, 2]])
    (True, True, False)
    """
    if hasattr(value, "dtype") and getattr(value.dtype, "kind", "O") not in "OUT":
        return False
    first = _first(value)
    return any(isinstance(one, str) for one in (value, first, _first(first)))


def _first(value):
    """The first element of a list, or None."""
    return next(iter(value), None) if is_listed(value) else None


def is_listed(value: Any) -> bool:
    """Whether a value is a list, tuple, array or column, not a scalar or a dict."""
    if isinstance(value, (list, tuple)):
        return True
    column = hasattr(value, "dtype") and (hasattr(value, "tolist") or hasattr(value, "to_list"))
    return column and getattr(value, "ndim", 1) > 0


def rows_of_words(name, rows, split=None) -> list[list[str]]:
    """Check rows of strings; returns a list of lists of at least one string each.

    Args:
        name: the name of the rows in an error message.
        rows: a list of lists of strings or, if `split` is given, of texts.
        split: a function from a text to its words; None refuses texts.

    Raises:
        ValueError: if a row is not a list of strings; the message names the first such row.
    """
    whole = "a list of texts or of lists of words" if split else "a list of lists of strings"
    if isinstance(rows, (str, bytes, dict)):
        raise ValueError(f"{name} must be {whole}, got {rows!r:.80}")
    rows = checks.listing(name, rows)
    if not rows:
        raise ValueError(f"{name} must be {whole}, got an empty list")
    texts = split is not None and isinstance(rows[0], str)
    found = []
    for number, row in enumerate(rows):
        if isinstance(row, str) != texts or not (texts or is_listed(row)):
            kind = "texts" if texts else "lists of strings"
            alike = ", as in row 0" if number else ""
            raise ValueError(f"{name} must hold {kind}{alike}, got {row!r:.80} in row {number}")
        words = split(row) if texts else list(row)
        wrong = next((word for word in words if not isinstance(word, str) or not word), words)
        if wrong is not words:
            raise ValueError(
                f"{name} must hold non-empty strings, got {wrong!r:.80} in row {number}"
            )
        if not words:
            raise ValueError(f"{name} must not hold empty rows, got {row!r:.80} in row {number}")
        found.append(words)
    return found


def filled(rows, timesteps=None, value=PADDING) -> np.ndarray:
    """Rows of whole numbers as `(samples, timesteps)` int32, padded at the end."""
    timesteps = max(map(len, rows)) if timesteps is None else timesteps
    numbers = np.full((len(rows), timesteps), value, "int32")
    for filled_row, row in zip(numbers, rows):
        filled_row[: len(row)] = row
    return numbers


_suggest(__name__)
