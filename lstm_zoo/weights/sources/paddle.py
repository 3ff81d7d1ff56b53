"""Paddle: as PyTorch, but the projection of an LSTM is `(units, projection)`.

Source: https://www.paddlepaddle.org.cn/documentation/docs/en/api/paddle/nn/LSTM_en.html.
"""

from lstm_zoo.weights.sources.pytorch_like import add_two_biased

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _place(layer, backward, bidirectional):
    return f"l{layer}_reverse" if backward else f"l{layer}"


for _kind, _layer in {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}.items():
    _fields = [f"{name}_{{}}" for name in _NAMES]
    add_two_biased(f"paddle.nn.{_layer}", _kind, _fields, _place)
    _projection = "weight_ho" if _kind == "lstm" else None
    add_two_biased(f"paddle.nn.{_layer}Cell", _kind, _NAMES, projection=_projection)
