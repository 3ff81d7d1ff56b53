"""MXNet's `gluon.rnn`: as PyTorch, with names of its own.

Source: https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/gluon/rnn/index.html.
"""

from lstm_zoo.weights.sources.pytorch_like import add_two_biased

_NAMES = ("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias")


def _place(layer, backward, bidirectional):
    return f"{'r' if backward else 'l'}{layer}"


for _kind, _layer in {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}.items():
    add_two_biased(f"gluon.rnn.{_layer}", _kind, [f"{{}}_{name}" for name in _NAMES], _place)
    add_two_biased(f"gluon.rnn.{_layer}Cell", _kind, _NAMES)
