"""The names of the package: what a type checker reads, and what is loaded at first use."""

from . import (
    builders,
    cells,
    course,
    datasets,
    exporting,
    forecasting,
    inspection,
    labels,
    layers,
    naming,
    opening,
    plots,
    presets,
    recurrence,
    sequences,
    serving,
    tasks,
    texts,
    training,
    tuning,
    weights,
    widgets,
)
from .builders import (
    anomaly_scores,
    build_autoencoder,
    build_classifier,
    build_forecaster,
    build_language_model,
    build_lstm_fcn,
    build_regressor,
    build_seq2seq,
    build_tagger,
    sample,
    translate,
)
from .cells import (
    CoupledLSTMCell,
    GRUCell,
    LSTMCell,
    PeepholeLSTMCell,
    SimpleRNNCell,
    lstm_in_numpy,
    register_cell,
)
from .exporting import (
    export,
)
from .forecasting import (
    backtest,
    forecast,
)
from .inspection import (
    GradientMonitor,
    checkup,
    gate_summary,
    gradient_flow,
    jacobian_norms,
    saliency,
    trace,
)
from .labels import (
    encode_labels,
    encode_tags,
)
from .layers import (
    GRU,
    LSTM,
    RNN,
    CoupledLSTM,
    PeepholeLSTM,
    SimpleRNN,
)
from .naming import (
    predict,
)
from .opening import (
    open_onnx,
)
from .presets import (
    list_presets,
    load_preset,
    preset_card,
    train_preset,
)
from .recurrence import (
    explain,
)
from .saving import (
    load,
    save,
)
from .sequences import (
    batches_by_length,
    pad,
    panel,
    windows,
)
from .serving import (
    load_predictor,
    predictor,
    stream,
)
from .texts import (
    encode_texts,
)
from .training import (
    fit,
)
from .tuning import (
    tune,
)
from .weights import (
    onnx_summary,
)

__version__: str

__all__ = [
    "CoupledLSTM",
    "CoupledLSTMCell",
    "GRU",
    "GRUCell",
    "GradientMonitor",
    "LSTM",
    "LSTMCell",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "RNN",
    "SimpleRNN",
    "SimpleRNNCell",
    "anomaly_scores",
    "backtest",
    "batches_by_length",
    "build_autoencoder",
    "build_classifier",
    "build_forecaster",
    "build_language_model",
    "build_lstm_fcn",
    "build_regressor",
    "build_seq2seq",
    "build_tagger",
    "builders",
    "cells",
    "checkup",
    "course",
    "datasets",
    "encode_labels",
    "encode_tags",
    "encode_texts",
    "explain",
    "export",
    "exporting",
    "fit",
    "forecast",
    "forecasting",
    "gate_summary",
    "gradient_flow",
    "inspection",
    "jacobian_norms",
    "labels",
    "layers",
    "list_presets",
    "load",
    "load_predictor",
    "load_preset",
    "lstm_in_numpy",
    "naming",
    "onnx_summary",
    "open_onnx",
    "opening",
    "pad",
    "panel",
    "plots",
    "predict",
    "predictor",
    "preset_card",
    "presets",
    "recurrence",
    "register_cell",
    "saliency",
    "sample",
    "save",
    "sequences",
    "serving",
    "stream",
    "tasks",
    "texts",
    "trace",
    "train_preset",
    "training",
    "translate",
    "tune",
    "tuning",
    "weights",
    "widgets",
    "windows",
]
