"""Arguments of `fit` beside the data, as Keras takes them."""

import warnings

import keras


def at_most(epochs, steps_per_epoch):
    """The epochs and the steps of one, within the limits of `keras.config` for trial runs."""
    most, most_steps = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
    if most and most < epochs:
        warnings.warn(f"keras.config limits epochs to {most}", stacklevel=3)
        epochs = most
    if most_steps and (steps_per_epoch is None or most_steps < steps_per_epoch):
        warnings.warn(f"keras.config limits steps_per_epoch to {most_steps}", stacklevel=3)
        steps_per_epoch = most_steps
    return epochs, steps_per_epoch


def checked_callbacks(callbacks):
    """A list of callbacks, from one, several, None or a `keras.callbacks.CallbackList`."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    if isinstance(callbacks, keras.callbacks.Callback):
        return [callbacks]
    several = [] if callbacks is None else callbacks
    for one in several if isinstance(several, (list, tuple)) else [several]:
        if not isinstance(one, keras.callbacks.Callback):
            raise ValueError(
                f"callbacks must be keras.callbacks.Callback objects, got {type(one).__name__}"
            )
    return list(several)
