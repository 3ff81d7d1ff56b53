"""Searches lists of settings for those with the lowest loss, with Optuna."""

import json
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Settings = dict[str, Any]


class Search:
    """A search of a space of settings, stored in a file if `path` is given.

    Args:
        space: a dict from the name of a setting to a list of values.
        of: a description of the search; a file resumes only with the same space and description.
        path: the file; None keeps the search in memory.
        seed: seed of the choices.

    Raises:
        ValueError: if the space is not a dict of lists, or if the file holds another search.
        ImportError: if Optuna is not installed.

    Example:
        >>> search = Search({"width": [1, 2, 3]}, of="a square")
        >>> search.run(lambda settings: settings["width"] ** 2, trials=5)
        False
        >>> search.best[1] == min(loss for _, loss in search.trials)
        True
    """

    def __init__(
        self,
        space: Mapping[str, Sequence],
        *,
        of: str,
        path: str | pathlib.Path | None = None,
        seed: int = 0,
    ):
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        self.space = checked_space(space)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = optuna.create_study(
            study_name="lstm_zoo",
            storage=None if path is None else JournalStorage(JournalFileBackend(str(path))),
            sampler=optuna.samplers.TPESampler(seed=seed),
            load_if_exists=True,
        )
        identity = f"{of}: {json.dumps(self.space, default=repr)}"
        if self.study.user_attrs.setdefault("of", identity) != identity:
            raise ValueError(
                f"path must be a new file, or hold the search of {identity}; {path} holds that of "
                f"{self.study.user_attrs['of']}"
            )
        self.study.set_user_attr("of", identity)

    @property
    def trials(self) -> list[tuple[Settings, float]]:
        """The settings and the loss of each finished trial, in order."""
        return [
            (self._settings(trial.params), trial.value)
            for trial in self.study.trials
            if trial.value is not None
        ]

    @property
    def best(self) -> tuple[Settings, float]:
        """The settings with the lowest loss, and this loss; {} and infinity before any trial."""
        return min(self.trials, key=lambda trial: trial[1], default=({}, math.inf))

    def run(self, loss: Callable[[Settings], float], trials: int) -> bool:
        """Try settings until there are `trials` trials in total.

        Returns:
            Whether Ctrl-C ended the search; `trials` holds the trials until then.
        """

        def objective(trial):
            numbers = {
                name: trial.suggest_categorical(name, list(range(len(values))))
                for name, values in self.space.items()
            }
            return loss(self._settings(numbers))

        try:
            self.study.optimize(objective, n_trials=max(trials - len(self.trials), 0))
        except KeyboardInterrupt:
            return True
        return False

    def _settings(self, numbers):
        return {name: self.space[name][number] for name, number in numbers.items()}


def checked_space(space) -> dict[str, list]:
    """Check a space; returns a dict of non-empty lists."""
    if not isinstance(space, Mapping) or not space:
        raise ValueError(
            f'space must be a dict of lists, such as {{"dropout": [0.0, 0.2]}}, got {space!r:.80}'
        )
    for name, values in space.items():
        if not isinstance(values, (list, tuple)) or not values:
            raise ValueError(f"space must list values of {name!r}, got {values!r:.80}")
    return {name: list(values) for name, values in space.items()}
