"""A preset's answers for the user's own file, read line by line in bounded memory."""

import csv
import itertools
import pathlib
from collections import deque
from collections.abc import Iterator

import keras
import numpy as np

from lstm_zoo import builders
from lstm_zoo.presets.kinds import (
    Anomaly,
    Classification,
    Dates,
    Forecasting,
    Kind,
    LanguageModel,
    Words,
)

BATCH = 256
LONGEST_LINE = 100_000  # characters
LONGEST_SAMPLE = 100_000  # steps


def predict_file(kind: Kind, model: keras.Model, path: str | pathlib.Path) -> Iterator[dict]:
    """Rows of answers, each a dict of column and value.

    Args:
        kind: of the preset, by `kind_of(read_recipe(name))`.
        model: by `load_preset(name)`.
        path: a CSV file, a step a row, a feature a column, named in the first line or in the order
            of the data set; a column `sample` tells where another sequence begins. A forecast is
            made from the last rows, and each row of a series gets an anomaly score. Of words and
            dates: a text file, one a line. Of a language model: a text, which it continues.

    Raises:
        ValueError: naming the line, what stands there and what is wanted.
        FileNotFoundError: there is no such file.
    """
    if isinstance(kind, Words):
        yield from _classes(kind, model, _words(kind, path))
    elif isinstance(kind, Forecasting):
        yield from _forecast(kind, model, path)
    elif isinstance(kind, Anomaly):
        yield from _suspicion(kind, model, path)
    elif isinstance(kind, Dates):
        yield from _dates(kind, model, path)
    elif isinstance(kind, LanguageModel):
        yield _continued(kind, model, path)
    elif isinstance(kind, Classification):
        yield from _classes(kind, model, _sequences(kind, model, path))
    else:
        for number, values in _in_batches(model, _sequences(kind, model, path)):
            yield {"sample": number, kind.target: round(float(values[0]), 4)}


def _classes(kind, model, samples):
    names = kind.data.class_names
    for number, probabilities in _in_batches(model, samples):
        best = int(probabilities.argmax())
        found = {kind.data.target: names[best], "probability": round(float(probabilities[best]), 4)}
        yield {"sample": number, **found}


def _forecast(kind, model, path):
    rows = _rows(path, kind.data.feature_names)
    steps = deque((row for _, row in rows), maxlen=kind.input_steps)
    if len(steps) < kind.input_steps:
        raise ValueError(
            f"{path} must have at least {kind.input_steps} rows of numbers, got {len(steps)}"
        )
    forecast = model.predict(np.array(steps, "float32")[None], verbose=0)[0]
    for ahead, values in enumerate(forecast, start=1):
        named = {f"{q:g}": round(float(v), 3) for q, v in zip(kind.quantiles, values, strict=True)}
        yield {"step": ahead, **named}


def _suspicion(kind, model, path):
    steps = [row for _, row in _rows(path, kind.data.feature_names)]
    if len(steps) < kind.window:
        raise ValueError(f"{path} must have at least {kind.window} rows, got {len(steps)}")
    for step, score in enumerate(kind.steps(model, np.array(steps, "float32")), start=1):
        yield {"step": step, "anomaly score": round(float(score), 4)}


def _dates(kind, model, path):
    texts = ((line, text.strip()) for line, text in _lines(path) if text.strip())
    while some := list(itertools.islice(texts, BATCH)):
        for line, text in some:
            if unknown := sorted(set(text) - set(kind.letters)):
                raise ValueError(f"line {line} of {path} must be a date, got {unknown[0]!r}")
        texts_of_some = [text for _, text in some]
        for text, date in zip(texts_of_some, kind.translate(model, texts_of_some), strict=True):
            yield {"text": text, "date": date}


def _continued(kind, model, path, length=200):
    """The text and what the model writes behind it, of which it reads the last 1000 characters."""
    prompt = deque("".join(text for _, text in _lines(path)), maxlen=1000)
    numbers = {letter: n for n, letter in enumerate(kind.data.vocabulary, start=1)}
    if not prompt or (unknown := sorted(set(prompt) - set(numbers))):
        raise ValueError(
            f"{path} must hold a text in ASCII, got {unknown[0]!r}"
            if prompt
            else f"{path} is empty"
        )
    drawn = builders.sample(
        model, [numbers[letter] for letter in prompt], length, temperature=0.5, seed=0
    )
    return {"continuation": "".join(kind.data.vocabulary[n - 1] for n in drawn if n)}


def _in_batches(model, samples):
    """The number of each sample and what the model says of it; samples of one length together."""
    numbered = enumerate(samples, start=1)
    for _, alike in itertools.groupby(numbered, key=lambda pair: len(pair[1])):
        while some := list(itertools.islice(alike, BATCH)):
            numbers, arrays = zip(*some, strict=True)
            yield from zip(numbers, model.predict(np.stack(arrays), verbose=0), strict=True)


def _sequences(kind, model, path):
    wanted = model.input_shape[1]
    for label, rows in itertools.groupby(
        _rows(path, kind.data.feature_names), key=lambda pair: pair[0]
    ):
        steps = [row for _, row in itertools.islice(rows, LONGEST_SAMPLE + 1)]
        where = f"{path}" if label is None else f"sample {label!r} of {path}"
        if len(steps) > LONGEST_SAMPLE or (wanted and len(steps) != wanted):
            raise ValueError(
                f"{where} must have {wanted or f'at most {LONGEST_SAMPLE}'} rows, "
                f"got {len(steps) if len(steps) <= LONGEST_SAMPLE else 'more'}"
            )
        yield np.array(steps, "float32")


def _rows(path, features):
    """What stands in the column `sample`, or None, and the numbers of each row."""
    rows = csv.reader(line for _, line in _lines(path))
    try:
        order, first = None, True
        for number, cells in enumerate(rows, start=1):
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if first:
                first = False
                order = _header(path, cells, features)
                if order is not None:
                    continue
            columns = order or {name: at for at, name in enumerate(features)}
            if len(cells) != len(columns):
                raise ValueError(
                    f"line {number} of {path} must have {len(columns)} columns, got {len(cells)}"
                )
            label = cells[columns["sample"]] if "sample" in columns else None
            yield label, [_number(path, number, cells[columns[name]]) for name in features]
        if first:
            raise ValueError(f"{path} is empty; rows of {', '.join(features)} are wanted")
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from None


def _header(path, cells, features):
    """Where each column is, if the first line names them; None if it is numbers."""
    try:
        [float(cell) for cell in cells]
    except ValueError:
        pass
    else:
        return None
    if sorted(cells) not in (sorted(features), sorted([*features, "sample"])):
        raise ValueError(
            f"the first line of {path} must name the columns {', '.join(features)}, and sample if "
            f"there are several, got {', '.join(cells)[:200]!r}"
        )
    return {name: at for at, name in enumerate(cells)}


def _number(path, line, cell):
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not abs(value) < 3e38:  # what float32 holds
        raise ValueError(f"line {line} of {path} must hold finite numbers, got {cell[:50]!r}")
    return value


def _words(kind, path):
    numbers = {letter: n for n, letter in enumerate(kind.data.vocabulary, start=1)}
    empty = True
    for line, text in _lines(path):
        text = text.strip().lower()
        unknown = sorted(set(text) - set(numbers))
        if unknown:
            raise ValueError(
                f"line {line} of {path} must hold {''.join(numbers)!r} only, got {unknown[0]!r}"
            )
        if text:
            empty = False
            yield np.array([numbers[letter] for letter in text], "int32")
    if empty:
        raise ValueError(f"{path} is empty; one word a line is wanted")


def _lines(path):
    """The lines and their numbers, none of them longer than can be meant."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        number = 0
        try:
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise ValueError(
                        f"line {number} of {path} is longer than {LONGEST_LINE} characters"
                    )
                yield number, line
        except UnicodeDecodeError:
            raise ValueError(f"line {number + 1} of {path} must be text in UTF-8") from None
