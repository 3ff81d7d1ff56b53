"""Says which engine runs a recurrent layer, and why none that is faster does."""

import keras

from lstm_zoo import checks
from lstm_zoo.recurrence import engines
from lstm_zoo.recurrence.engines import LayerCall
from lstm_zoo.recurrence.engines.xla import XLA


def explain(layer: keras.layers.Layer, masked: bool = False, timesteps: int | None = None) -> str:
    """Say which engine runs a recurrent layer, and why none that is faster does.

    Args:
        layer: a recurrent layer, of LSTM Zoo or of Keras; or an `lz.predictor`, to say what answers
            its calls.
        masked: whether its sequences come with a mask.
        timesteps: how long its sequences are; if None, as long as those it was built for.

    Returns:
        A sentence or more.

    Raises:
        ValueError: if `layer` is not a recurrent layer, or `timesteps` not a whole number.

    Example:
        >>> import lstm_zoo as lz
        >>> print(explain(lz.LSTM(8, name="memory", unroll=True)).split(". ")[0])
        memory runs on the loop of lstm_zoo, step after step
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
    """Why a layer runs in a loop, step after step, or None if a compiled engine runs it.

    Args:
        layer: a recurrent layer.

    Returns:
        A sentence without a full stop, or None.

    Example:
        >>> import lstm_zoo as lz
        >>> why_not_fast(lz.LSTM(8, unroll=True))
        'unroll=True asks for a loop that is written out'
    """
    return XLA().why_not(LayerCall.of_size(layer))
