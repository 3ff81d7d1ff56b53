"""Translates dates as people write them into year-month-day."""

import datetime
import functools
import itertools
import re

import numpy as np

from lstm_zoo import builders
from lstm_zoo.presets import reading
from lstm_zoo.presets.tasks.base import Task
from lstm_zoo.presets.tasks.registry import register

FORMATS = (
    "{d} {month} {y}",
    "{d} {short} {y}",
    "{month} {d}, {y}",
    "{short} {d}, {y}",
    "{weekday}, {d} {month} {y}",
    "{weekday}, {month} {d}, {y}",
    "{d}/{m:02}/{y}",
    "{d:02}.{m:02}.{y}",
    "{th} of {month} {y}",
    "{month} the {th}, {y}",
    "{y}, {month} {d}",
    "{d} {short} '{yy:02}",
)
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
START, END = 1, 2
LONGEST = 100  # largest number of characters of a date in a user's file


def write_date(date, form):
    """A date as people write it, in one of `FORMATS`."""
    suffix = "th" if 10 < date.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    return form.format(
        d=date.day,
        m=date.month,
        y=date.year,
        yy=date.year % 100,
        th=f"{date.day}{suffix}",
        month=MONTHS[date.month - 1],
        short=MONTHS[date.month - 1][:3],
        weekday=WEEKDAYS[date.weekday()],
    )


def is_written_date(text):
    """Whether a text is a date from 1950 to 2049 as written by `write_date`, in any of `FORMATS`.

    >>> [is_written_date(text) for text in ("3/04/2005", "3/4/05", "31 April 2005", "3 May '05")]
    [True, False, False, True]
    """
    for form, pattern in _patterns():
        if found := pattern.fullmatch(text):
            parts = found.groupdict()
            month = parts.get("m") or 1 + [name[:3] for name in MONTHS].index(parts["name"][:3])
            year = parts.get("y") or ("19" if parts["yy"] >= "50" else "20") + parts["yy"]
            try:
                date = datetime.date(int(year), int(month), int(parts["d"]))
            except ValueError:
                continue
            if 1950 <= date.year < 2050 and write_date(date, form) == text:
                return True
    return False


@functools.cache
def _patterns():
    """Each of `FORMATS`, and a regular expression that matches its dates."""
    fields = {
        "d": r"(?P<d>\d{1,2})",
        "d:02": r"(?P<d>\d\d)",
        "m:02": r"(?P<m>\d\d)",
        "y": r"(?P<y>\d{4})",
        "yy:02": r"(?P<yy>\d\d)",
        "th": r"(?P<d>\d{1,2})[a-z]{2}",
        "month": r"(?P<name>[A-Z][a-z]{2,})",
        "short": r"(?P<name>[A-Z][a-z]{2})",
        "weekday": "[A-Z][a-z]+",
    }
    split = re.compile(r"\{(.+?)\}").split  # text, field, text, field, ..., text
    found = []
    for form in FORMATS:
        parts = split(form)
        parts[::2], parts[1::2] = map(re.escape, parts[::2]), map(fields.get, parts[1::2])
        found.append((form, re.compile("".join(parts))))
    return found


@register("translation")
class Dates(Task):
    """Translates generated dates from 1950 to 2049, as people write them, into year-month-day.

    `data` holds `samples`, the size of the training part; it shares no day with the test part. The
    task reads a text file with one date per line.
    """

    metric = "test dates translated without a mistake"
    higher_is_better = True
    loss = "sparse_categorical_crossentropy"
    metrics = ["accuracy"]
    letters = "".join(sorted(set("".join(FORMATS) + "".join(MONTHS + WEEKDAYS) + "0123456789")))
    digits = "0123456789-"

    def prepare(self):
        rng = np.random.default_rng(0)
        days = rng.permutation((datetime.date(2050, 1, 1) - datetime.date(1950, 1, 1)).days)
        first = datetime.date(1950, 1, 1).toordinal()

        def draw(days, samples):
            chosen = [datetime.date.fromordinal(first + int(d)) for d in rng.choice(days, samples)]
            forms = rng.integers(len(FORMATS), size=samples)
            return chosen, [write_date(d, FORMATS[f]) for d, f in zip(chosen, forms, strict=True)]

        self.train = draw(days[2000:], self.recipe.data["samples"])
        self.test = draw(days[:2000], 500)

    def encode(self, texts):
        """Letters as numbers that start at 1; 0 is padding or a letter that no date contains."""
        width = max(map(len, texts))
        rows = [[self.letters.find(letter) + 1 for letter in text.ljust(width)] for text in texts]
        return np.array(rows, "int32")

    def training_part(self):
        dates, texts = self.train
        says = [[self.digits.index(c) + 3 for c in d.isoformat()] + [END] for d in dates]
        reads, says = builders.teacher_forcing(np.array(says), start=START)
        return {"source": self.encode(texts), "target": reads}, says

    def build(self, cell=None):
        return builders.build_seq2seq(
            len(self.letters) + 1,
            len(self.digits) + 3,
            name=self.recipe.name,
            **self.arguments(cell),
        )

    def translate(self, model, texts):
        """The model's translations of texts, as year-month-day."""
        found = builders.translate(model, self.encode(texts), start=START, end=END, max_length=12)
        return ["".join(self.digits[n - 3] for n in row if n >= 3) for row in found]

    def scores(self, model):
        dates, texts = self.test
        found = self.translate(model, texts)
        right = [text == date.isoformat() for text, date in zip(found, dates, strict=True)]
        return {"right": float(np.mean(right))}

    def baselines(self):
        """Answer with the date of the training text that shares most groups of three letters."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        (dates, texts), (truth, asked) = self.train, self.test
        groups = TfidfVectorizer(analyzer="char", ngram_range=(1, 3)).fit(texts)
        nearest = (groups.transform(asked) @ groups.transform(texts).T).toarray().argmax(axis=1)
        right = [dates[at] == date for at, date in zip(nearest, truth, strict=True)]
        return {"nearest training text": float(np.mean(right))}

    def answer(self, model, path):
        numbered = reading.texts(path, "date")
        while some := list(itertools.islice(numbered, reading.BATCH)):
            for line, text in some:
                self._check(text, f"line {line} of {path}")
            texts = [text for _, text in some]
            for text, date in zip(texts, self.translate(model, texts), strict=True):
                yield {"text": text, "date": date}

    def example(self):
        return "\n".join(write_date(datetime.date(2005, 4, 3), form) for form in FORMATS) + "\n"

    def _check(self, text, where):
        if len(text) > LONGEST:
            raise ValueError(f"{where} must be a date, got {len(text)} letters")
        if unknown := sorted(set(text) - set(self.letters)):
            raise ValueError(f"{where} must be a date, got {unknown[0]!r}")
        if not is_written_date(text):
            forms = [write_date(datetime.date(2005, 4, 3), form) for form in FORMATS]
            raise ValueError(
                f"{where} must be a date from 1950 to 2049 in a form that the model was trained on "
                f"({'; '.join(forms)}), got {text!r}"
            )
