"""A progress bar over several trainings."""

import math

import keras

_BEST = "best validation loss"


class Progress:
    """One progress bar over all trainings, a hundred units for each."""

    def __init__(self, trainings, shown):
        self.done, self.best, self.bar = 0, math.inf, None
        if shown and trainings:
            self.bar = keras.utils.Progbar(100 * trainings, stateful_metrics=[_BEST])

    def of_training(self, passes):
        """The callbacks of the next training."""
        if self.bar is None:
            return []
        self.best = math.inf
        return [
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: self._shown(100 * (epoch + 1) // passes, logs),
                on_train_end=lambda logs: self._ended(),
            )
        ]

    def _shown(self, share, logs):
        self.best = min(self.best, logs.get("val_loss", math.inf))
        self.bar.update(self.done + min(share, 99), [(_BEST, self.best)], finalize=False)

    def _ended(self):
        self.done += 100
        self.bar.update(self.done, [(_BEST, self.best)], finalize=self.done == self.bar.target)
