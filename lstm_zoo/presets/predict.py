"""A preset's answers for the user's own file, read line by line in bounded memory."""

import csv
import datetime
import itertools
import pathlib
from collections import deque
from collections.abc import Iterator

import keras
import numpy as np

from lstm_zoo import builders, precision
from lstm_zoo.presets.kinds import (
    Anomaly,
    Classification,
    Dates,
    Forecasting,
    Kind,
    LanguageModel,
    Words,
)
from lstm_zoo.presets.kinds.text import FORMATS, is_written_date, write_date

BATCH = 256  # samples at a time
STEPS = 2**16  # and steps of them together
LONGEST_LINE = 100_000  # characters
LONGEST_DATE = 100  # characters
LONGEST_SAMPLE = 100_000  # steps


def predict_file(kind: Kind, model: keras.Model, path: str | pathlib.Path) -> Iterator[dict]:
    """Rows of answers, each a dict of column and value.

    Args:
        kind: of the preset, by `kind_of(read_recipe(name))`.
        model: by `load_preset(name)`.
        path: a CSV file, a step a row, a feature a column, named in the first line or in the order
            of the data set; a column `sample` tells where another sequence begins. A forecast is
            made from the last rows, and each row of a series gets an anomaly score. Of words and
            dates: a text file, one a line. Of a language model: a text, which it continues. Lines
            may be empty at the end of a file only: elsewhere a step or a sample is missing.

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
    rows = _one_series(path, kind.data.feature_names)
    steps = deque(rows, maxlen=kind.input_steps)
    if len(steps) < kind.input_steps:
        raise ValueError(
            f"{path} must have at least {kind.input_steps} rows of numbers, got {len(steps)}"
        )
    forecast = model.predict(_single(path, list(steps))[None], verbose=0)[0]
    for ahead, values in enumerate(forecast, start=1):
        named = {f"{q:g}": round(float(v), 3) for q, v in zip(kind.quantiles, values, strict=True)}
        yield {"step": ahead, **named}


def _suspicion(kind, model, path):
    rows = _one_series(path, kind.data.feature_names)
    held, scored = [], 0  # `held` begins where a window does; of its rows some are scored
    steps, more = itertools.count(1), True
    while more:
        new = list(itertools.islice(rows, STEPS))
        more = len(new) == STEPS
        held += new
        if len(held) < kind.window:
            raise ValueError(f"{path} must have at least {kind.window} rows, got {len(held)}")
        until = len(held) - kind.window if more else len(held)  # all windows of these are there
        scores = kind.steps(model, _single(path, held))[scored:until]
        for score in scores:
            yield {"step": next(steps), "anomaly score": round(float(score), 4)}
        start = max(0, until - kind.window) // kind.stride * kind.stride
        held, scored = held[start:], until - start


def _dates(kind, model, path):
    texts = _texts(path, "date")
    while some := list(itertools.islice(texts, BATCH)):
        for line, text in some:
            if len(text) > LONGEST_DATE:
                raise ValueError(f"line {line} of {path} must be a date, got {len(text)} letters")
            if unknown := sorted(set(text) - set(kind.letters)):
                raise ValueError(f"line {line} of {path} must be a date, got {unknown[0]!r}")
            if not is_written_date(text):
                forms = [write_date(datetime.date(2005, 4, 3), form) for form in FORMATS]
                raise ValueError(
                    f"line {line} of {path} must be a date of 1950 to 2049 in a form that the "
                    f"model was trained on ({'; '.join(forms)}), got {text!r}"
                )
        texts_of_some = [text for _, text in some]
        for text, date in zip(texts_of_some, kind.translate(model, texts_of_some), strict=True):
            yield {"text": text, "date": date}


def _continued(kind, model, path, length=200):
    """The text and what the model writes behind it, of which it reads the last 1000 characters."""
    lines = (text.replace("\r\n", "\n").replace("\r", "\n") for _, text in _lines(path))
    letters = itertools.chain.from_iterable(lines)
    prompt = deque(letters, maxlen=1000)
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
    for length, alike in itertools.groupby(numbered, key=lambda pair: len(pair[1])):
        size = max(1, min(BATCH, STEPS // length))
        while some := list(itertools.islice(alike, size)):
            numbers, arrays = zip(*some, strict=True)
            yield from zip(numbers, model.predict(np.stack(arrays), verbose=0), strict=True)


def _sequences(kind, model, path):
    wanted, seen = model.input_shape[1], set()
    for label, rows in itertools.groupby(
        _rows(path, kind.data.feature_names), key=lambda pair: pair[0]
    ):
        steps = [row for _, row in itertools.islice(rows, LONGEST_SAMPLE + 1)]
        where = f"{path}" if label is None else f"sample {label!r} of {path}"
        if label in seen:
            raise ValueError(f"{where} must have its rows together, got others between them")
        seen.add(label)
        if len(steps) > LONGEST_SAMPLE or (wanted and len(steps) != wanted):
            raise ValueError(
                f"{where} must have {wanted or f'at most {LONGEST_SAMPLE}'} rows, "
                f"got {len(steps) if len(steps) <= LONGEST_SAMPLE else 'more'}"
            )
        yield _single(where, steps)


def _one_series(path, features):
    """The numbers of each row of a file that holds one series."""
    first = None
    for number, (label, row) in enumerate(_rows(path, features)):
        first = label if number == 0 else first
        if label != first:
            raise ValueError(f"{path} must hold one series, got samples {first!r} and {label!r}")
        yield row


def _single(where, steps):
    """Steps as the model takes them."""
    return precision.single(f"the numbers of {where}", np.array(steps, "float64"))


def _rows(path, features):
    """What stands in the column `sample`, or None, and the numbers of each row."""
    rows = csv.reader(line for _, line in _lines(path))
    try:
        order, first, empty, blank = None, True, True, None
        for cells in rows:
            number = rows.line_num
            cells = [cell.strip() for cell in cells]
            if not cells:
                blank = blank or number
                continue
            if blank:  # lines at the end may be; any other may be a step that is missing
                raise ValueError(f"line {blank} of {path} must hold numbers, got an empty line")
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
            empty = False
            label = cells[columns["sample"]] if "sample" in columns else None
            if label == "":
                raise ValueError(f"line {number} of {path} must say which sample, got ''")
            yield label, [_number(path, number, cells[columns[name]]) for name in features]
        if empty:
            raise ValueError(f"{path} must hold rows of {', '.join(features)}, got none")
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
        value = float("nan" if "_" in cell else cell)  # Python's own way to write 1_000
    except ValueError:
        value = float("nan")
    if not abs(value) < 3e38:  # what float32 holds
        raise ValueError(f"line {line} of {path} must hold finite numbers, got {cell[:50]!r}")
    return value


def _words(kind, path):
    numbers = {letter: n for n, letter in enumerate(kind.data.vocabulary, start=1)}
    for line, text in _texts(path, "word"):
        text = text.lower()
        unknown = sorted(set(text) - set(numbers))
        if unknown:
            raise ValueError(
                f"line {line} of {path} must hold {''.join(numbers)!r} only, got {unknown[0]!r}"
            )
        yield np.array([numbers[letter] for letter in text], "int32")


def _texts(path, what):
    """The lines and their numbers, of a file with one `what` a line; empty ones at the end only."""
    number = blank = None
    for number, text in _lines(path):
        text = text.strip()
        if not text:
            blank = blank or number
        elif blank:
            raise ValueError(f"line {blank} of {path} must hold a {what}, got an empty line")
        else:
            yield number, text
    if number is None or blank == 1:
        raise ValueError(f"{path} is empty; one {what} a line is wanted")


def _lines(path):
    """The lines and their numbers, none of them longer than can be meant."""
    # A line that is not UTF-8 comes with marks in it, which can't be written; so it has its number.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise ValueError(
                    f"line {number} of {path} is longer than {LONGEST_LINE} characters"
                )
            try:
                line.encode()
            except UnicodeEncodeError:
                raise ValueError(f"line {number} of {path} must be text in UTF-8") from None
            if "\0" in line:
                raise ValueError(f"line {number} of {path} must be text in UTF-8, got a NUL byte")
            yield number, line
