"""Reading a user's file for a preset, line by line in bounded memory, and predicting in batches.

A CSV file holds a step a row, a feature a column, named in the first line or in the order of the
data set; a column `sample` tells where another sequence begins. A text file holds a word or a date
a line. Lines may be empty at the end of a file only: elsewhere a step or a sample is missing.
"""

import csv
import itertools

import numpy as np

from lstm_zoo import precision
from lstm_zoo.serving import predictor

BATCH = 256  # samples at a time
STEPS = 2**16  # and steps of them together
LONGEST_LINE = 100_000  # characters
LONGEST_SAMPLE = 100_000  # steps


def in_batches(model, samples):
    """The number of each sample and what the model says of it; samples of one length together."""
    numbered, answer = enumerate(samples, start=1), predictor(model)
    for length, alike in itertools.groupby(numbered, key=lambda pair: len(pair[1])):
        size = max(1, min(BATCH, STEPS // length))
        while some := list(itertools.islice(alike, size)):
            numbers, arrays = zip(*some, strict=True)
            yield from zip(numbers, answer(np.stack(arrays)), strict=True)


def sequences(path, features, length=None):
    """The sequences of a CSV file, each `(timesteps, features)`.

    Args:
        path: of the file.
        features: the names of the columns.
        length: the timesteps that each must have, or None for any number of them.

    Raises:
        ValueError: naming the line or the sample, what stands there and what is wanted.
    """
    seen = set()
    for label, rows in itertools.groupby(_rows(path, features), key=lambda pair: pair[0]):
        steps = [row for _, row in itertools.islice(rows, LONGEST_SAMPLE + 1)]
        where = f"{path}" if label is None else f"sample {label!r} of {path}"
        if label in seen:
            raise ValueError(f"{where} must have its rows together, got others between them")
        seen.add(label)
        if len(steps) > LONGEST_SAMPLE or (length and len(steps) != length):
            raise ValueError(
                f"{where} must have {length or f'at most {LONGEST_SAMPLE}'} rows, "
                f"got {len(steps) if len(steps) <= LONGEST_SAMPLE else 'more'}"
            )
        yield single(where, steps)


def one_series(path, features):
    """The numbers of each row of a file that holds one series."""
    first = None
    for number, (label, row) in enumerate(_rows(path, features)):
        first = label if number == 0 else first
        if label != first:
            raise ValueError(f"{path} must hold one series, got samples {first!r} and {label!r}")
        yield row


def single(where, steps):
    """Steps as the model takes them."""
    return precision.single(f"the numbers of {where}", np.array(steps, "float64"))


def _rows(path, features):
    """What stands in the column `sample`, or None, and the numbers of each row."""
    rows = csv.reader(line for _, line in lines(path))
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


def texts(path, what):
    """The lines and their numbers, of a file with one `what` a line; empty ones at the end only."""
    number = blank = None
    for number, text in lines(path):
        text = text.strip()
        if not text:
            blank = blank or number
        elif blank:
            raise ValueError(f"line {blank} of {path} must hold a {what}, got an empty line")
        else:
            yield number, text
    if number is None or blank == 1:
        raise ValueError(f"{path} is empty; one {what} a line is wanted")


def lines(path):
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
