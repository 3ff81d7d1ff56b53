"""Divides data into the parts that a search trains on, validates on, and never sees."""

from typing import Any, NamedTuple

import numpy as np

from lstm_zoo import checks
from lstm_zoo.sequences.cutting import Windows

SHARE = 5  # one fifth for validation, and one fifth that the search never sees
Part = tuple[Any, Any]  # x and y


class Parts(NamedTuple):
    """`pairs` of training and validation parts, the `held`-out part, and a description."""

    pairs: list[tuple[Part, Part]]
    held: Part
    said: str


def parts_of(data, *, classes: bool, groups, folds: int, gap: int | None, seed: int) -> Parts:
    """Divide data: windows and numbers by time, classes in stratified folds, groups as a whole.

    Args:
        data: `Windows`, or x and y, in time order if they have one.
        classes: whether y has a class for each sample.
        groups: None, or the group of each sample.
        folds: number of parts to validate on in turn, for classes and groups.
        gap: samples to leave out between consecutive parts.
        seed: seed of the folds.

    Raises:
        ValueError: if there are too few samples, steps, groups, or samples of a class.
    """
    if isinstance(data, Windows):
        if groups is not None:
            raise ValueError("groups must be None for windows, which are divided by time")
        return _windows_in_time(data)
    x, y = data
    samples = count(y)
    if groups is not None:
        groups = np.asarray(groups)
        checks.shape("groups", groups.shape, (samples,))
    if groups is None and not classes:
        return _in_time(x, y, samples, gap or 0)
    blocks = _blocks(np.asarray(y) if classes else None, groups, samples, folds + 1, seed)
    held, *others = blocks
    pairs = []
    for k, block in enumerate(others):
        rest = np.sort(np.concatenate([*others[:k], *others[k + 1 :]]))
        pairs.append((_rows((x, y), rest), _rows((x, y), block)))
    kind = "stratified folds" if classes else "folds"
    of_groups = " of whole groups" if groups is not None else ""
    said = f"{folds} {kind}{of_groups} of {samples - len(held)} samples"
    return Parts(pairs, _rows((x, y), held), said)


def count(data) -> int:
    """The number of samples."""
    return len(next(iter(data.values())) if isinstance(data, dict) else data)


def _in_time(x, y, samples, gap):
    share = max(1, samples // SHARE)
    train, validation = samples - 2 * (share + gap), samples - share - gap
    if train < 1:
        raise ValueError(
            f"data must have at least {2 * (gap + 1) + 1} samples if {gap} are left out "
            f"between two parts, got {samples}"
        )
    pair = _rows((x, y), np.arange(train)), _rows((x, y), np.arange(validation - share, validation))
    left_out = f", {gap} left out before them" if gap else ""
    said = f"{share} samples that follow the {train} to train on{left_out}"
    return Parts([pair], _rows((x, y), np.arange(samples - share, samples)), said)


def _windows_in_time(data):
    longest = max(len(one) for one in data.series)
    share = max(longest // SHARE, data.horizon)
    train, validation = data.part(None, -2 * share), data.part(-2 * share, -share)
    held = data.part(-share, None)
    said = f"{share} steps of each series that follow those to train on"
    return Parts([(train.arrays(), validation.arrays())], held.arrays(), said)


def _blocks(labels, groups, samples, wanted, seed):
    """Disjoint blocks of rows with similar class shares; each group is in one block."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

    if labels is not None:
        names, counts = np.unique(labels, return_counts=True)
        if counts.min() < wanted:
            raise ValueError(
                f"y must have at least folds + 1 = {wanted} samples of each class, got "
                f"{counts.min()} of {names[counts.argmin()]}"
            )
    if groups is not None and len(np.unique(groups)) < wanted:
        raise ValueError(
            f"groups must be at least folds + 1 = {wanted}, got {len(np.unique(groups))}"
        )
    shuffled = {"shuffle": True, "random_state": seed}
    if groups is None:
        splits = StratifiedKFold(wanted, **shuffled).split(np.zeros(samples), labels)
    elif labels is None:
        splits = GroupKFold(wanted).split(np.zeros(samples), groups=groups)
    else:
        splits = StratifiedGroupKFold(wanted, **shuffled).split(np.zeros(samples), labels, groups)
    return [block for _, block in splits]


def _rows(data, chosen: np.ndarray):
    """The chosen rows of x and y, which may be arrays, lists, or dicts of them."""
    if isinstance(data, dict):
        return {name: _rows(part, chosen) for name, part in data.items()}
    if isinstance(data, tuple):
        return tuple(_rows(part, chosen) for part in data)
    return data[chosen] if isinstance(data, np.ndarray) else [data[row] for row in chosen]
