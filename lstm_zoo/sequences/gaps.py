"""Steps that a series lacks: found, and put in."""

import numpy as np

from lstm_zoo import checks, precision

DAY = np.timedelta64(1, "D")
MOST = 10_000_000  # missing steps that are put in
NEAR = 1e-3  # of a step: sums of fractions are not whole steps to the last digit
HOW = (
    "gaps='fill' repeats the row before, gaps='mask' puts in steps for the builder's mask_value, "
    "gaps='join' takes each row as one step whatever its time"
)


class Clock:
    """Times as numbers that steps can be counted in, and back.

    Dates are counted in months where all lie at one place of their months, such as the last day.

    >>> days = np.array(["2020-01-31", "2020-02-29", "2020-04-30"], "M8[D]")
    >>> np.diff(Clock(days).numbers(days)).tolist()
    [1, 2]
    """

    def __init__(self, times):
        self.dtype, self.within = times.dtype, None
        for late in (0 * DAY, DAY) if times.dtype.kind == "M" else ():
            within = times + late - (times + late).astype("M8[M]")
            if (within == within[0]).all():
                self.late, self.within = late, within[0]
                break

    def numbers(self, times):
        if self.within is not None:
            return (times + self.late).astype("M8[M]").astype("int64")
        return times.astype("float64" if self.dtype.kind == "f" else "int64")

    def times(self, numbers):
        if self.within is not None:
            return (numbers.astype("M8[M]") + self.within - self.late).astype(self.dtype)
        return numbers.astype(self.dtype)

    def said(self, step):
        """A number of these as a sentence has it."""
        if self.within is not None:
            return f"{step} months"
        if self.dtype.kind not in "mM":
            return f"{step:g}"
        unit, count = np.datetime_data(self.dtype)
        length = np.timedelta64(int(step) * count, unit)
        for unit in "DhmsY":
            if unit == "Y" or length % np.timedelta64(1, unit) == np.timedelta64(0, unit):
                break
        return str(length if unit == "Y" else length.astype(f"m8[{unit}]"))


def positions(name, ids, times):
    """How many steps after its first each row of each series is, and the time of any step.

    A step is the shortest time between two rows of a series.

    Args:
        name: of the column of times.
        ids: of the series.
        times: `(rows,)` of each series, rising.

    Returns:
        Whole numbers `(rows,)` of each series; a function of the number of a series and of its
        steps that gives their times; and what a step is, as a sentence has it.

    Raises:
        ValueError: if two rows are not a whole number of steps apart.
    """
    clock = Clock(np.concatenate(times))
    numbers = [clock.numbers(one) for one in times]
    between = [np.diff(one) for one in numbers]
    step = min((one.min() for one in between if len(one)), default=1)
    counts = []
    for k, some in enumerate(between):
        ratio = some / step
        wrong = np.abs(ratio - np.round(ratio)) > NEAR
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"{name} must be whole steps of {clock.said(step)} apart, but {times[k][at + 1]} "
                f"follows {times[k][at]} in {ids[k]!r}; gaps='join' takes each row as one step "
                "whatever its time"
            )
        counts.append(np.concatenate([[0], np.cumsum(np.round(ratio))]).astype("int64"))

    def time(k, steps):
        return clock.times(numbers[k][0] + steps * step)

    return counts, time, clock.said(step)


def with_every_step(name, ids, times, values, gaps, mask_value):
    """Times and values of each series, with the steps that it lacks as `gaps` of `panel` says.

    Args:
        name: of the column of times.
        ids: of the series.
        times, values: `(rows,)` and `(rows, features)` of each series, in the order of time.
        gaps: "refuse", "fill", "mask" or "join".
        mask_value: what a missing step is filled with, where it is masked.
    """
    if gaps == "join":
        return times, values
    counts, time, size = positions(name, ids, times)
    lacking = [int(one[-1]) + 1 - len(one) for one in counts]
    if gaps == "refuse" and any(lacking):
        k = next(k for k, number in enumerate(lacking) if number)
        at = int(np.argmax(np.diff(counts[k]) > 1))
        raise ValueError(
            f"{name} must have every step of {size}, but {times[k][at + 1]} follows "
            f"{times[k][at]} in {ids[k]!r}; {sum(lacking)} steps are missing in all: {HOW}"
        )
    if sum(lacking) > MOST:
        raise ValueError(
            f"{name} must lack at most {MOST} steps for gaps={gaps!r}, got {sum(lacking)}: the "
            f"shortest step is {size}; gaps='join' takes each row as one step whatever its time"
        )
    for k, there in enumerate(counts):
        if lacking[k]:
            steps = np.arange(there[-1] + 1)
            times[k] = time(k, steps)
            values[k] = values[k][np.searchsorted(there, steps, side="right") - 1]
            if gaps == "mask":
                values[k][~np.isin(steps, there)] = mask_value
    return times, values


def filler(argument, value):
    """The value that fills missing steps, as a float; float32 must hold it."""
    value = checks.number(argument, value)
    precision.check_single(argument, [np.array([value])])
    return value


def no_true_step(argument, value, steps):
    """Refuse a value that fills a step `(features,)` of `(steps, features)`: it would be masked."""
    if (steps == value).all(axis=1).any():
        raise ValueError(
            f"{argument} must not fill a true step, got {value}; take one that does not occur, "
            "such as -999.0"
        )
