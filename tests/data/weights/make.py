"""How the files beside this one were made, each with the library whose numbers it holds.

python make.py torch     torch 2.13, safetensors 0.8
python make.py torch_kinds   the same
python make.py keras2_layers  the same as
python make.py keras2    tensorflow 2.21, tf_keras 2.21 (which is Keras 2), h5py
"""

import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


def torch_files():
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    kinds = {
        "plain": {},
        "stacked": {"num_layers": 2, "bidirectional": True},
        "bare": {"bias": False},
    }
    numbers = {"x": X}
    for name, options in kinds.items():
        lstm = torch.nn.LSTM(3, 4, batch_first=True, **options)
        save_file(
            {f"lstm.{k}": v for k, v in lstm.state_dict().items()}, HERE / f"{name}.safetensors"
        )
        with torch.no_grad():
            numbers[name] = lstm(torch.tensor(X))[0].numpy()
    save_file(torch.nn.LSTM(3, 4, proj_size=2).state_dict(), HERE / "projected.safetensors")
    torch.save(lstm.state_dict(), HERE / "pickled.pt")
    np.savez(HERE / "torch.npz", **numbers)


def torch_kinds():
    """All recurrent modules of PyTorch except nn.LSTM, in one file."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    modules = {
        "lstm_cell": torch.nn.LSTMCell(3, 4),
        "lstm_cell_without_bias": torch.nn.LSTMCell(3, 4, bias=False),
        "gru_cell": torch.nn.GRUCell(3, 4),
        "rnn_cell": torch.nn.RNNCell(3, 4, nonlinearity="relu"),
        "gru": torch.nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True),
        "gru_without_bias": torch.nn.GRU(3, 4, bias=False, batch_first=True),
        "rnn": torch.nn.RNN(3, 4, batch_first=True),
        "projected": torch.nn.LSTM(3, 4, proj_size=2, batch_first=True),
        "module.one_way": torch.nn.LSTM(3, 4, bidirectional=True),  # "module.": DataParallel
    }
    numbers, tensors = {"x": X}, {}
    for name, module in modules.items():
        tensors |= {f"{name}.{k}": v for k, v in module.state_dict().items()}
        with torch.no_grad():
            if name.endswith(("cell", "cell_without_bias")):
                steps, state = [], None
                for x in torch.tensor(X).unbind(1):
                    state = module(x, state)
                    steps.append(state[0] if isinstance(state, tuple) else state)
                numbers[name] = torch.stack(steps, 1).numpy()
            else:
                numbers[name] = module(torch.tensor(X))[0].numpy()
    save_file(tensors, HERE / "torch_kinds.safetensors")
    np.savez(HERE / "torch_kinds.npz", **numbers)


def keras2_files():
    import tf_keras as keras
    from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM

    keras.utils.set_random_seed(0)
    layers = keras.layers

    def model(first, second):
        inputs = layers.Input((None, 3))
        x = layers.Bidirectional(first(4, return_sequences=True))(inputs)
        return keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.1)(second(3)(x))))

    whole = model(layers.LSTM, layers.LSTM)
    whole.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in whole.get_weights()])
    whole.save(HERE / "keras2_model.h5")
    whole.save_weights(HERE / "keras2_weights.h5")
    cudnn = model(CuDNNLSTM, CuDNNLSTM)
    cudnn.set_weights([np.random.default_rng(2).normal(size=w.shape) for w in cudnn.get_weights()])
    cudnn.save_weights(HERE / "keras2_cudnn.h5")
    loads = model(layers.LSTM, layers.LSTM)  # Keras 2 turns them over itself
    loads.load_weights(HERE / "keras2_cudnn.h5")
    np.savez(HERE / "keras2.npz", x=X, whole=whole(X), cudnn=loads(X))


def keras2_layers():
    """A model of many layers, some nested and frozen, in each layout of Keras 2's files."""
    import tf_keras as keras
    from tf_keras.src.layers.rnn.cudnn_gru import CuDNNGRU

    keras.utils.set_random_seed(0)
    layers, rng = keras.layers, np.random.default_rng(3)
    options = {"return_sequences": True}
    inner = [
        layers.LSTM(2, name="frozen", **options),
        layers.BatchNormalization(name="norm"),
        layers.LSTM(2, name="trained", **options),
        layers.TimeDistributed(layers.Dense(2), name="each_step"),
    ]
    inner[0].trainable = False
    inputs = layers.Input((None, 3))
    x = layers.Masking(0.0)(inputs)
    old = layers.LSTM(2, recurrent_activation="hard_sigmoid", name="old", **options)
    x = layers.Bidirectional(old, merge_mode="sum", name="both")(x)
    x = keras.Sequential([layers.Input((None, 2)), *inner], name="inner")(x)
    x = layers.GRU(2, reset_after=False, go_backwards=True, name="gru", **options)(x)
    x = layers.SimpleRNN(2, activation="relu", use_bias=False, name="rnn")(x)
    x = layers.LeakyReLU(0.1)(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="dense")(x))
    # Variances are not negative.
    model.set_weights(
        [abs(rng.normal(size=w.shape)) - 0.3 * (w.ndim > 1) for w in model.get_weights()]
    )
    model.save(HERE / "keras2_layers.h5")
    model.save(HERE / "keras2_layers.keras")
    model.save_weights(HERE / "keras2_layers.weights.h5")
    model.save_weights(HERE / "keras2_layers_weights.h5")
    turned = keras.Sequential([layers.LSTM(2, time_major=True, input_shape=(None, 3))])
    turned.save(HERE / "keras2_time_major.keras")
    gru, plain = CuDNNGRU(2), layers.GRU(2)
    cudnn, loads = (keras.Sequential([layers.Input((None, 3)), one]) for one in (gru, plain))
    cudnn.set_weights([rng.normal(size=w.shape) for w in cudnn.get_weights()])
    cudnn.save(HERE / "keras2_cudnn_gru.h5")
    loads.load_weights(HERE / "keras2_cudnn_gru.h5")
    np.savez(HERE / "keras2_layers.npz", x=X, whole=model(X), cudnn_gru=loads(X))


if __name__ == "__main__":
    {
        "torch": torch_files,
        "torch_kinds": torch_kinds,
        "keras2": keras2_files,
        "keras2_layers": keras2_layers,
    }[sys.argv[1]]()
