"""How long a lag the recurrent networks learn to bridge, and how many sequences that takes.

    python benchmarks/long_lags.py             # both leaderboards
    python benchmarks/long_lags.py 1997        # the adding problem of Hochreiter & Schmidhuber
    python benchmarks/long_lags.py lags        # three problems whose lag grows, network by network
    python benchmarks/long_lags.py --draw      # the figures alone, of what was measured

Every training sees sequences that it has never seen before, and ends once the problem is solved or
the sequences are used up. Each is a row of results/DATE-long-lags.csv, written as soon as it ends:
stopped and started again, the script goes on in the newest such file (`--new` starts another).
"""

import argparse
import itertools
import os
import time
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import rows
import tensorflow as tf

import lstm_zoo as lz

SEEDS = {"1997": range(5), "lags": range(3)}
PAPER = {100: 74_000, 500: 209_000, 1000: 853_000}  # sequences, Hochreiter & Schmidhuber, table 7


def chrono(layer, timesteps, seed):
    """Gates that start with memories of 1 to `timesteps` steps (Tallec & Ollivier 2018)."""
    kernel, recurrent, bias = layer.get_weights()
    units = layer.units
    forget = np.log(np.random.default_rng(seed).uniform(1, timesteps - 1, units))
    bias[:units], bias[units : 2 * units] = -forget, forget
    layer.set_weights([kernel, recurrent, bias])


# 1997, again


class Recipe(NamedTuple):
    """How an LSTM is trained on the adding problem of 1997."""

    units: int = 32
    batch: int = 10
    chrono: bool = True  # else the forget gates' bias starts at 1, as in Keras
    falling: bool = True  # whether the learning rate falls with the error
    rate: float = 0.01


RECIPES = {
    "LSTM": Recipe(),
    "forget bias 1": Recipe(chrono=False),
    "constant rate": Recipe(falling=False),
    "batches of 100": Recipe(batch=100),
    "3 units": Recipe(units=3),  # 76 weights; theirs had 93
}


def solve_1997(recipe, timesteps, seed, limit):
    """Train until the problem counts as solved, by the rule of 1997.

    Solved: the last 2,000 sequences, each met once, all have an error under 0.04, and their mean
    error is under 0.01. Each is measured before the network has learnt from it.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([seed, timesteps])
    layer, dense = lz.LSTM(recipe.units), keras.layers.Dense(1)
    longest = timesteps + timesteps // 10
    model = keras.Sequential([keras.Input((longest, 2)), keras.layers.Masking(), layer, dense])
    if recipe.chrono:
        chrono(layer, timesteps, seed)
    dense.bias.assign([0.5])  # the mean of the targets
    step = training_step(model, keras.optimizers.Adam(recipe.rate), squared_error)
    errors, recent, rate = [], 0.1, recipe.rate
    while len(errors) < limit:
        for x, y in batches(lz.tasks.adding_1997, recipe.batch, timesteps, rng):
            prediction, _ = step(x, y, np.float32(rate))
            error = np.abs(prediction - y)[:, 0]
            errors.extend(error)
            recent += (error.mean() - recent) * recipe.batch / 500
            if recipe.falling:
                rate = recipe.rate * min(1.0, recent / 0.05)
            last = errors[-2000:]
            all_right = error.max() < 0.04 and len(last) == 2000 and max(last) < 0.04
            if all_right and np.mean(last) < 0.01:
                return True, len(errors), float(np.mean(last)), model
    return False, len(errors), float(np.mean(errors[-2000:])), model


def leaderboard_1997():
    """What is to be trained: `(recipe, timesteps, limit)`."""
    yield from (("LSTM", steps, limit) for steps, limit in PAPER.items())
    yield from (("3 units", steps, PAPER[steps]) for steps in (100, 500))
    for name in ("forget bias 1", "constant rate", "batches of 100"):
        yield name, 100, PAPER[100]


# Long lags


def right(prediction, y):
    return (prediction.argmax(axis=-1) == y).mean()


def right_at_the_end(prediction, y):
    return right(prediction[:, -SYMBOLS:], y[:, -SYMBOLS:])


def squared_error(y, prediction):
    return tf.reduce_mean((prediction - y) ** 2)


def cross_entropy(y, prediction):
    return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, prediction, True))


SYMBOLS = 3  # to copy


def copying(samples, timesteps, seed=None):
    """A string of three of eight symbols, written down `timesteps` steps after it was read."""
    return lz.tasks.copying(samples, timesteps + 2 * SYMBOLS, length=SYMBOLS, seed=seed)


class Problem(NamedTuple):
    """A problem of `timesteps` steps, and when it is solved."""

    make: object
    outputs: int
    every_step: bool
    loss: object
    score: object  # of predictions and targets
    solved: object  # of a score


PROBLEMS = {
    "adding": Problem(
        lz.tasks.adding,
        1,
        False,
        squared_error,
        lambda p, y: np.mean((p - y) ** 2),
        lambda score: score < 0.01,
    ),
    "temporal order": Problem(
        lz.tasks.temporal_order, 4, False, cross_entropy, right, lambda score: score >= 0.95
    ),
    "copying": Problem(
        copying, 9, True, cross_entropy, right_at_the_end, lambda score: score >= 0.95
    ),
}
UNITS, BATCH, LIMIT = 32, 32, 96_000
LAGS = (12, 25, 50, 100, 200)
NETWORKS = {  # each as Keras starts it, but the last; the better of the learning rates 0.003 and
    # 0.01 at 50 steps; whether XLA compiles the training step
    "SimpleRNN": (lambda **k: keras.layers.SimpleRNN(UNITS, **k), 0.003, True),
    "GRU": (lambda **k: keras.layers.GRU(UNITS, **k), 0.01, True),
    "LSTM": (lambda **k: lz.LSTM(UNITS, **k), 0.01, False),
    "LSTM, chrono": (lambda **k: lz.LSTM(UNITS, **k), 0.01, False),
}


def solve_lag(problem, network, timesteps, seed, limit=LIMIT):
    """Train until the score on 512 new sequences says solved; looked at every 50 batches."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([seed, timesteps])
    problem, (make, rate, compiled) = PROBLEMS[problem], NETWORKS[network]
    x_new, y_new = problem.make(512, timesteps, seed=rng)
    layer = make(return_sequences=problem.every_step)
    head = keras.layers.Dense(problem.outputs)
    model = keras.Sequential([keras.Input(x_new.shape[1:]), layer, head])
    if network.endswith("chrono"):
        chrono(layer, timesteps, seed)
    step = training_step(model, keras.optimizers.Adam(rate), problem.loss, compiled)
    predict = tf.function(model, jit_compile=compiled)
    seen = 0
    while seen < limit:
        for x, y in itertools.islice(batches(problem.make, BATCH, timesteps, rng), 50):
            step(x, y, np.float32(rate))
            seen += BATCH
        score = problem.score(predict(x_new).numpy(), y_new)
        if problem.solved(score):
            return True, seen, float(score), model
    return False, seen, float(score), model


def leaderboard_lags():
    """What is to be trained: `(problem, network, timesteps)`, the short lags of each first."""
    for problem, timesteps, network in itertools.product(PROBLEMS, LAGS, NETWORKS):
        yield problem, network, timesteps


# Both


def training_step(model, optimizer, loss, jit_compile=False):
    """A function of a batch and a learning rate that trains; the predictions before, the loss."""
    weights = model.trainable_variables
    optimizer.build(weights)

    @tf.function(autograph=False, jit_compile=jit_compile)
    def step(x, y, rate):
        with tf.GradientTape() as tape:
            prediction = model(x, training=True)
            value = loss(y, prediction)
        gradients = tape.gradient(value, [w.value for w in weights])
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        optimizer.learning_rate.assign(rate)
        optimizer.apply(gradients, weights)
        return prediction, value

    return lambda x, y, rate: [np.array(part) for part in step(x, y, rate)]


def batches(make, batch, timesteps, rng, drawn_at_once=100):
    """`drawn_at_once` batches of new sequences."""
    x, y = make(batch * drawn_at_once, timesteps, seed=rng)
    for start in range(0, len(x), batch):
        yield x[start : start + batch], y[start : start + batch]


class Table(rows.Table):
    """The trainings that were done."""

    KEY = ("leaderboard", "problem", "network", "timesteps", "seed")

    def measure(self, key, train):
        """Train unless there is such a row; `train` returns solved, sequences, score, model."""
        key = dict(zip(self.KEY, key, strict=True))
        if self.find(**key):
            return
        start = time.process_time()
        solved, sequences, score, model = train()
        self.add(
            key
            | {
                "solved": int(solved),
                "sequences": sequences,
                "score": f"{score:.4g}",
                "parameters": model.count_params(),
                "cpu_seconds": f"{time.process_time() - start:.1f}",
            }
        )
        keras.backend.clear_session()

    def nobody_solved(self, problem, network, timesteps):
        """Whether all seeds failed at this lag or at a shorter one."""
        lags = [lag for lag in LAGS if lag < timesteps]
        found = [self.find(problem=problem, network=network, timesteps=lag) for lag in lags]
        return any(seeds and not any(int(row["solved"]) for row in seeds) for seeds in found)


def run(table, parts):
    if "1997" in parts:
        for seed, (name, timesteps, limit) in itertools.product(SEEDS["1997"], leaderboard_1997()):
            table.measure(
                ("1997", "adding", name, timesteps, seed),
                lambda: solve_1997(RECIPES[name], timesteps, seed, limit),  # noqa: B023
            )
    if "lags" in parts:
        for problem, network, timesteps in leaderboard_lags():
            if table.nobody_solved(problem, network, timesteps):
                continue  # a longer lag is no easier
            for seed in SEEDS["lags"]:
                table.measure(
                    ("lags", problem, network, timesteps, seed),
                    lambda: solve_lag(problem, network, timesteps, seed),  # noqa: B023
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*SEEDS, []], help="not both of them")
    parser.add_argument("--new", action="store_true", help="start another file")
    parser.add_argument("--draw", action="store_true", help="draw what was measured, train nothing")
    options = parser.parse_args()
    table = Table(rows.newest("long-lags", options.new))
    if not options.draw:
        run(table, options.parts or list(SEEDS))
    draw(table)


def draw(table):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from lstm_zoo.plots import style

    panels = 1 + len(PROBLEMS)
    figure, axes = plt.subplots(1, panels, figsize=(4 * panels, 4), layout="constrained")
    axes[0].plot(*zip(*PAPER.items()), "ks--", label="Hochreiter & Schmidhuber 1997")
    for name, colour, marker in zip(("LSTM", "3 units"), style.CYCLE, style.MARKERS):
        for row in table.find(leaderboard="1997", network=name, solved=1):
            axes[0].plot(int(row["timesteps"]), int(row["sequences"]), marker, color=colour)
        label = {"LSTM": "32 units, a seed each", "3 units": "3 units, a seed each"}[name]
        axes[0].plot([], [], marker, color=colour, label=label)
    axes[0].set(title="the adding problem of 1997", ylabel="sequences until solved")
    for axis, problem in zip(axes[1:], PROBLEMS):
        for k, network in enumerate(NETWORKS):
            solved = table.find(leaderboard="lags", problem=problem, network=network, solved=1)
            points = [
                (int(r["timesteps"]) * 1.06 ** (k - 1.5), int(r["sequences"])) for r in solved
            ]
            x, y = zip(*points) if points else ((), ())
            axis.plot(x, y, style.MARKERS[k], color=style.CYCLE[k], label=network)
        axis.set(title=problem, ylim=(1000, LIMIT * 1.3), xlim=(LAGS[0] / 1.5, LAGS[-1] * 1.5))
    for axis, lags in zip(axes, (list(PAPER), *[LAGS] * len(PROBLEMS))):
        axis.set(xscale="log", yscale="log", xlabel="timesteps")
        axis.set_xticks(lags, lags)
        axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    axes[-1].legend(frameon=False, loc="lower right")
    figure.savefig(table.path.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
