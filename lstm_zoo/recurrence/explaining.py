"""Explains which engine runs a recurrent layer, and why faster engines do not."""

import keras

from lstm_zoo import checks
from lstm_zoo.recurrence import engines
from lstm_zoo.recurrence.engines import LayerCall
from lstm_zoo.recurrence.engines.xla import XLA


def explain(layer: keras.layers.Layer, masked: bool = False, timesteps: int | None = None) -> str:
    """Explain which engine runs a recurrent layer, and why faster engines do not.

    Args:
        layer: a recurrent layer of LSTM Zoo or Keras; or an `lz.predictor`, to explain how it runs.
        masked: whether its sequences have a mask.
        timesteps: the length of its sequences; None uses the length that the layer was built for.

    Returns:
        One or more sentences.

    Raises:
        ValueError: if `layer` is not a recurrent layer, or `timesteps` is not a whole number.

    Example:
        >>> import lstm_zoo as lz
        >>> print(explain(lz.LSTM(8, name="memory", unroll=True)).split(". ")[0])
        memory runs on the loop of lstm_zoo, step by step
    """
    if callable(own := getattr(layer, "in_words", None)):  # of a predictor
        return own()
    if isinstance(layer, keras.layers.Bidirectional):
        return explain(layer.forward_layer, masked, timesteps)
    if not isinstance(layer, keras.layers.RNN):
        raise ValueError(f"layer must be a recurrent layer, got {type(layer).__name__}")
    if timesteps is None:
        timesteps = getattr(layer, "built_for", 1)
    else:
        timesteps = checks.count("timesteps", timesteps)
    call = LayerCall.of_size(layer, timesteps, masked)
    serving = engines.engine_for(call)
    said = [f"{layer.name} runs on {serving.in_words(call)}"]
    for engine in engines.listed():
        if engine.name == serving.name:
            break
        if engine.explained:
            said.append(f"Not on {engine.what}: {engine.why_not(call)}")
    return ". ".join(said) + "."


def why_not_fast(layer: keras.layers.Layer) -> str | None:
    """Why a layer runs in a loop, step by step, or None if a compiled engine runs it.

    Args:
        layer: a recurrent layer.

    Returns:
        A sentence without a full stop, or None.

    Example:
        >>> import lstm_zoo as lz
        >>> why_not_fast(lz.LSTM(8, unroll=True))
        'unroll=True asks for an unrolled loop'
    """
    return XLA().why_not(LayerCall.of_size(layer))
