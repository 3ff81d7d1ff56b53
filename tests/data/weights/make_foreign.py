"""Makes foreign_*.npz: weights of other libraries' classes and the numbers that each computes.

Run each part in an environment of its own:

python make_foreign.py flax      jax 0.10.2, flax 0.12.8
python make_foreign.py equinox   jax 0.10.2, equinox 0.13.8
python make_foreign.py haiku     jax 0.10.2, dm-haiku 0.0.17
python make_foreign.py paddle    paddlepaddle 3.3.1
python make_foreign.py mxnet     Python 3.10, mxnet 1.9.1, numpy 1.23
python make_foreign.py chainer   Python 3.10, chainer 7.8.1, numpy 1.23, setuptools below 70
python make_foreign.py tensorflow   tensorflow 2.21
python make_foreign.py xlstm     torch 2.13, xlstm 2.0.6

A file has the version of the library under "library", the input under "x", and for each case the
arrays as the library names them under "case:name" and its output, all steps, under "case:".
"""

import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 5, 3)).astype("float32")
UNITS = 4


def random(like):
    """Numbers of the shape of an array, so that no weight is zero or one."""
    return (RNG.normal(size=np.shape(like)) * 0.7).astype("float32")


def stored(name, library, cases, x=X):
    found = {"library": library, "x": x}
    for case, (arrays, y) in cases.items():
        found |= {f"{case}:{key}": np.asarray(value) for key, value in arrays.items()}
        found[f"{case}:"] = np.asarray(y)
    np.savez_compressed(HERE / f"foreign_{name}.npz", **found)


def flat(tree, before=""):
    """A tree of dicts as one dict, with "/" between names."""
    if not hasattr(tree, "items"):
        return {before[:-1]: np.asarray(tree)}
    return {k: v for name, one in tree.items() for k, v in flat(one, f"{before}{name}/").items()}


def over_time(step, state):
    """The outputs of all steps; `step(state, x)` gives the state and the output."""
    outputs = []
    for t in range(X.shape[1]):
        state, y = step(state, X[:, t])
        outputs.append(np.asarray(y))
    return np.stack(outputs, 1)


def flax():
    import flax
    import jax
    from flax import linen, nnx

    cases = {}
    for kind in (nnx.OptimizedLSTMCell, nnx.LSTMCell, nnx.GRUCell):
        cell = kind(3, UNITS, rngs=nnx.Rngs(0))
        nnx.update(cell, jax.tree.map(random, nnx.state(cell, nnx.Param)))
        state = cell.initialize_carry(X[:, 0].shape, nnx.Rngs(0))
        arrays = flat(nnx.to_pure_dict(nnx.state(cell, nnx.Param)))
        cases[f"nnx.{kind.__name__}"] = arrays, over_time(cell, state)
    for kind in (linen.OptimizedLSTMCell, linen.LSTMCell, linen.GRUCell):
        cell, key = kind(UNITS), jax.random.key(0)
        state = cell.initialize_carry(key, X[:, 0].shape)
        tree = jax.tree.map(random, cell.init(key, state, X[:, 0]))
        y = over_time(lambda s, x, cell=cell, tree=tree: cell.apply(tree, s, x), state)
        cases[f"linen.{kind.__name__}"] = flat(tree), y
    stored("flax", f"flax {flax.__version__}", cases)


def equinox():
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    cases = {}
    for kind in (eqx.nn.LSTMCell, eqx.nn.GRUCell):
        for bias in (True, False):
            cell = kind(3, UNITS, use_bias=bias, key=jax.random.key(0))
            cell = jax.tree.map(lambda a: jnp.asarray(random(a)), cell)
            zeros = jnp.zeros((2, UNITS))
            state = (zeros, zeros) if kind is eqx.nn.LSTMCell else zeros

            def step(s, x, cell=cell):
                s = jax.vmap(cell)(x, s)
                return s, s[0] if isinstance(s, tuple) else s

            arrays = {k: v for k, v in vars(cell).items() if isinstance(v, jax.Array)}
            name = f"equinox.nn.{kind.__name__}" + " without bias" * (not bias)
            cases[name] = arrays, over_time(step, state)
    stored("equinox", f"equinox {eqx.__version__}", cases)


def haiku():
    import haiku as hk
    import jax

    cases = {}
    for kind in (hk.LSTM, hk.GRU):

        def run(x, kind=kind):
            core = kind(UNITS)
            return hk.static_unroll(core, x, core.initial_state(2), time_major=False)[0]

        f = hk.without_apply_rng(hk.transform(run))
        tree = jax.tree.map(random, f.init(jax.random.key(0), X))
        cases[f"haiku.{kind.__name__}"] = flat(tree), f.apply(tree, X)
    stored("haiku", f"dm-haiku {hk.__version__}", cases)


def paddle():
    import paddle

    nn, x, cases = paddle.nn, paddle.to_tensor(X), {}
    makes = {
        "paddle.nn.LSTM": lambda: nn.LSTM(3, UNITS, 2, "bidirect"),
        "paddle.nn.GRU": lambda: nn.GRU(3, UNITS, 2, "bidirect"),
        "paddle.nn.SimpleRNN": lambda: nn.SimpleRNN(3, UNITS),
        "paddle.nn.LSTMCell": lambda: nn.RNN(nn.LSTMCell(3, UNITS)),
        "paddle.nn.GRUCell": lambda: nn.RNN(nn.GRUCell(3, UNITS)),
        "paddle.nn.SimpleRNNCell": lambda: nn.RNN(nn.SimpleRNNCell(3, UNITS)),
        "paddle.nn.LSTMCell projected": lambda: nn.LSTM(3, UNITS, proj_size=2),
    }
    for name, make in makes.items():
        layer = make()
        for weight in layer.parameters():
            weight.set_value(random(weight.numpy()))
        arrays = {key: value.numpy() for key, value in layer.state_dict().items()}
        cases[name] = arrays, layer(x)[0].numpy()
    stored("paddle", f"paddlepaddle {paddle.__version__}", cases)


def mxnet():
    np.bool = bool  # mxnet 1.9 still uses it
    import mxnet
    from mxnet.gluon import rnn

    cases, x = {}, mxnet.nd.array(X)
    makes = {
        "gluon.rnn.LSTM": lambda: rnn.LSTM(UNITS, 2, "NTC", bidirectional=True, input_size=3),
        "gluon.rnn.GRU": lambda: rnn.GRU(UNITS, 2, "NTC", bidirectional=True, input_size=3),
        "gluon.rnn.RNN": lambda: rnn.RNN(UNITS, 1, "tanh", "NTC", input_size=3),
        "gluon.rnn.LSTMCell": lambda: rnn.LSTMCell(UNITS, input_size=3),
        "gluon.rnn.GRUCell": lambda: rnn.GRUCell(UNITS, input_size=3),
        "gluon.rnn.RNNCell": lambda: rnn.RNNCell(UNITS, input_size=3),
    }
    for name, make in makes.items():
        layer = make()
        layer.initialize()
        for weight in layer.collect_params().values():
            weight.set_data(mxnet.nd.array(random(weight.data().asnumpy())))
        arrays = {key: value.data().asnumpy() for key, value in layer.collect_params().items()}
        y = layer.unroll(5, x, layout="NTC", merge_outputs=True)[0] if "Cell" in name else layer(x)
        cases[name] = arrays, y.asnumpy()
    stored("mxnet", f"mxnet {mxnet.__version__}", cases)


def chainer():
    import chainer
    from chainer import links

    cases = {}
    makes = {
        "chainer.links.LSTM": lambda: links.LSTM(3, UNITS),
        "chainer.links.NStepLSTM": lambda: links.NStepLSTM(2, 3, UNITS, 0.0),
        "chainer.links.NStepLSTM both": lambda: links.NStepBiLSTM(2, 3, UNITS, 0.0),
        "chainer.links.NStepGRU": lambda: links.NStepGRU(1, 3, UNITS, 0.0),
    }
    with chainer.using_config("train", False):
        for name, make in makes.items():
            link = make()
            for weight in link.params():
                weight.array = random(weight.array)
            arrays = {key.lstrip("/"): value.array for key, value in link.namedparams()}
            if "NStep" in name:
                states = [None] * (1 if "GRU" in name else 2)
                y = np.stack([one.array for one in link(*states, list(X))[-1]])
            else:
                y = np.stack([link(X[:, t]).array for t in range(5)], 1)
            cases[name] = arrays, y
    stored("chainer", f"chainer {chainer.__version__}", cases)


def tensorflow():
    import tensorflow as tf

    cases = {}
    for version, peephole in [("", False), ("", True), ("V2", False), ("V2", True)]:
        arrays = {"w": random(np.zeros((3 + UNITS, 4 * UNITS))), "b": random(np.zeros(4 * UNITS))}
        arrays |= {name: random(np.zeros(UNITS)) for name in ("wci", "wcf", "wco")}
        options = {"cell_clip": -1.0, "use_peephole": peephole}
        options |= {} if version else {"forget_bias": 0.5}
        zeros = np.zeros((2, UNITS), "float32")
        operation = getattr(tf.raw_ops, f"BlockLSTM{version}")
        y = operation(
            seq_len_max=5,
            x=X.swapaxes(0, 1),
            cs_prev=zeros,
            h_prev=zeros,
            **arrays,
            **options,
        )
        name = f"tf.raw_ops.BlockLSTM{version}" + " with peepholes" * peephole
        cases[name] = arrays | options, y.h.numpy().swapaxes(0, 1)
    stored("tensorflow", f"tensorflow {tf.__version__}", cases)


def xlstm():
    import importlib.metadata

    import torch
    from xlstm.blocks.slstm.cell import sLSTMCell_cuda, sLSTMCellConfig
    from xlstm.blocks.slstm.layer import sLSTMLayer, sLSTMLayerConfig

    heads, size = 2, 3
    x = RNG.normal(size=(2, 5, heads * size)).astype("float32")
    options = {"num_heads": heads, "backend": "vanilla", "dtype": "float32"}
    config = sLSTMLayerConfig(embedding_dim=heads * size, conv1d_kernel_size=0, **options)
    layer = sLSTMLayer(config).eval()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.tensor(random(weight)))
        layer.group_norm = torch.nn.Identity()  # the cell's own numbers
        y = layer(torch.tensor(x)).numpy()
        arrays = {k: v.numpy() for k, v in layer.state_dict().items()}
        other = sLSTMCell_cuda(
            sLSTMCellConfig(hidden_size=heads * size, num_heads=heads), skip_backend_init=True
        )
        cell = layer.slstm_cell
        kernel = cell._recurrent_kernel_int2ext(cell._recurrent_kernel_)
        kernel = other._recurrent_kernel_ext2int(kernel)
        bias = other._bias_ext2int(cell._bias_int2ext(cell._bias_))
    of_cuda = arrays | {
        "slstm_cell._recurrent_kernel_": kernel.detach().numpy(),
        "slstm_cell._bias_": bias.detach().numpy(),
    }
    cases = {"xlstm.sLSTMLayer": (arrays, y), "xlstm.sLSTMLayer of cuda": (of_cuda, y)}
    stored("xlstm", f"xlstm {importlib.metadata.version('xlstm')}", cases, x)


if __name__ == "__main__":
    parts = (flax, equinox, haiku, paddle, mxnet, chainer, tensorflow, xlstm)
    {part.__name__: part for part in parts}[sys.argv[1]]()
