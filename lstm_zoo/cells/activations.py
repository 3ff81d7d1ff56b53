"""Activations that Keras 3 has removed."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("lstm_zoo")
def keras2_hard_sigmoid(x):
    r"""Keras 2's `hard_sigmoid`, :math:`\max(0, \min(1, 0.2 x + 0.5))`.

    It was the default `recurrent_activation` of LSTM layers until Keras 2.3. In Keras 3 the name
    means another function, with slope 1/6.

    Args:
        x: an array.

    Returns:
        An array of the same shape.

    Example:
        >>> keras2_hard_sigmoid(ops.convert_to_tensor([-3.0, 0.0, 1.0])).numpy()
        array([0. , 0.5, 0.7], dtype=float32)
    """
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)
