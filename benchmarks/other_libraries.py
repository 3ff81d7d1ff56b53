"""A recurrent layer of a library that lives in another environment, timed on request.

    /path/to/python benchmarks/other_libraries.py torch|jax LSTM|GRU|SimpleRNN

Says the library's version, then answers each line `train|predict batch steps features units` with a
time in seconds. speed.py starts it; nothing of LSTM Zoo, Keras or TensorFlow is needed here.
"""

import os
import sys
import time


def torch_version():
    import torch

    torch.set_num_threads(os.cpu_count())
    return torch.__version__


def torch_layer(shape, layer):
    """`torch.nn.LSTM`, `GRU` or `RNN`."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    batch, steps, features, units = shape
    module = getattr(torch.nn, layer.removeprefix("Simple"))
    layer = module(features, units, batch_first=True, device=device)
    x = torch.randn(batch, steps, features, device=device)

    def finish():
        if device == "cuda":
            torch.cuda.synchronize()

    def train():
        layer.train()
        for weight in layer.parameters():
            weight.grad = None
        (layer(x)[0][:, -1] ** 2).mean().backward()
        finish()

    def predict():
        layer.eval()
        with torch.inference_mode():
            layer(x)
        finish()

    return {"train": train, "predict": predict}


def jax_version():
    import jax

    return jax.__version__


def jax_lstm(shape, _):
    """The LSTM as `jax.lax.scan` under `jax.jit`: the input's part of z before the loop."""
    import jax
    import jax.numpy as jnp

    batch, steps, features, units = shape
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (batch, steps, features))
    weights = (
        0.1 * jax.random.normal(keys[1], (features, 4 * units)),
        0.1 * jax.random.normal(keys[2], (units, 4 * units)),
        jnp.zeros(4 * units),
    )

    def last(weights, x):
        kernel, recurrent_kernel, bias = weights

        def step(states, z):
            h, c = states
            i, f, g, o = jnp.split(z + h @ recurrent_kernel, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros((batch, units))
        (h, _), _ = jax.lax.scan(step, (zeros, zeros), jnp.swapaxes(x @ kernel + bias, 0, 1))
        return h

    predict = jax.jit(last)
    train = jax.jit(jax.grad(lambda weights, x: (last(weights, x) ** 2).mean()))
    return {
        "train": lambda: jax.block_until_ready(train(weights, x)),
        "predict": lambda: jax.block_until_ready(predict(weights, x)),
    }


LIBRARIES = {"torch": (torch_version, torch_layer), "jax": (jax_version, jax_lstm)}


def main():
    version, library = LIBRARIES[sys.argv[1]]
    print(version(), flush=True)
    made = {}
    for line in sys.stdin:
        kind, *shape = line.split()
        shape = tuple(map(int, shape))
        if shape not in made:
            made = {shape: library(shape, sys.argv[2])}
        start = time.perf_counter()
        made[shape][kind]()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
