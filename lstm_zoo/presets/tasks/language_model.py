"""Predicts the next character of a text."""

import collections
import itertools
import math

import numpy as np

from lstm_zoo import builders
from lstm_zoo.presets import reading
from lstm_zoo.presets.tasks.base import Task
from lstm_zoo.presets.tasks.registry import register


@register("language model")
class LanguageModel(Task):
    """Predicts the next character; `data` holds the `timesteps` of a training sequence.

    For a text file it writes a continuation, after reading the last 1000 characters.
    """

    metric = "test bits per character"
    loss = "sparse_categorical_crossentropy"
    metrics = ["accuracy"]

    def training_part(self):
        timesteps = self.recipe.data["timesteps"]
        text = self.data.x_train
        rows = (len(text) - 1) // timesteps
        x, y = (part[: rows * timesteps].reshape(rows, timesteps) for part in (text, text[1:]))
        return x, y

    def build(self, cell=None):
        return builders.build_language_model(
            len(self.data.vocabulary) + 1, name=self.recipe.name, **self.arguments(cell)
        )

    def scores(self, model):
        # The whole test part, in sequences of 1000 steps, so that their beginnings matter little.
        text, length = self.data.x_test, 1000
        rows = (len(text) - 1) // length
        x, y = (part[: rows * length].reshape(rows, length) for part in (text, text[1:]))
        said = model.predict(x, batch_size=8, verbose=0)
        right = np.take_along_axis(said, y[..., None], axis=-1)
        return {
            "bits": float(-np.mean(np.log2(np.maximum(right, 1e-30)))),
            "share of next characters predicted correctly": float(
                np.mean(said.argmax(axis=-1) == y)
            ),
        }

    def baselines(self):
        train, test = self.data.x_train.tolist(), self.data.x_test.tolist()
        classes = len(self.data.vocabulary)
        return {
            f"{order}-gram (Witten & Bell 1991)": bits_of_ngrams(train, test, order, classes)
            for order in (1, 3, 5)
        }

    def example(self):
        return "".join(self.data.vocabulary[n - 1] for n in self.data.x_test[:300])

    def answer(self, model, path, length=200):
        lines = (text.replace("\r\n", "\n").replace("\r", "\n") for _, text in reading.lines(path))
        letters = itertools.chain.from_iterable(lines)
        prompt = collections.deque(letters, maxlen=1000)
        numbers = {letter: n for n, letter in enumerate(self.data.vocabulary, start=1)}
        if not prompt or (unknown := sorted(set(prompt) - set(numbers))):
            raise ValueError(
                f"{path} must hold a text in ASCII, got {unknown[0]!r}"
                if prompt
                else f"{path} is empty"
            )
        drawn = builders.sample(
            model, [numbers[letter] for letter in prompt], length, temperature=0.5, seed=0
        )
        yield {"continuation": "".join(self.data.vocabulary[n - 1] for n in drawn if n)}


def bits_of_ngrams(train, test, order, classes):
    """Bits per character of an interpolated n-gram model of order `order` (1 is single letters).

    Witten & Bell 1991, method C, doi:10.1109/18.87000."""
    counts = [collections.defaultdict(collections.Counter) for _ in range(order)]
    for at, letter in enumerate(train):
        for n in range(min(order, at + 1)):
            counts[n][tuple(train[at - n : at])][letter] += 1
    totals = [{context: sum(seen.values()) for context, seen in table.items()} for table in counts]
    bits = 0.0
    for at, letter in enumerate(test):
        probability = 1 / classes
        for n in range(min(order, at + 1)):
            context = tuple(test[at - n : at])
            if context not in counts[n]:
                break
            seen, total = counts[n][context], totals[n][context]
            probability = (seen[letter] + len(seen) * probability) / (total + len(seen))
        bits -= math.log2(probability)
    return bits / len(test)
