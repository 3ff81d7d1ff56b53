"""How long a lag the recurrent networks learn to bridge, and how many sequences that takes.

    python benchmarks/long_lags.py             # all three leaderboards
    python benchmarks/long_lags.py 1997        # the adding problem of Hochreiter & Schmidhuber
    python benchmarks/long_lags.py lags        # five problems whose lag grows, cell by cell
    python benchmarks/long_lags.py 2018        # two problems of Bai et al., of 600 and 1,020 steps
    python benchmarks/long_lags.py --draw      # only the tables and the figure, from stored rows

Every training sees only new sequences, and ends when the problem is solved or the sequences are
used up. It then adds a row to results/DATE-long-lags.csv. After an interruption the script
continues in the newest such file (`--new` starts another). At the end it writes the tables in
docs/long_lags.md and the figure beside the rows.
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
from lstm_zoo.recurrence.compiled import can_compile_more

SEEDS = {"1997": range(5), "lags": range(3), "2018": range(3)}
PAPER = {100: 74_000, 500: 209_000, 1000: 853_000}  # sequences, Hochreiter & Schmidhuber, table 7


def chrono(layer, timesteps, seed):
    """Gates that start with memories of 1 to `timesteps` steps (Tallec & Ollivier 2018)."""
    kernel, recurrent, bias = layer.get_weights()
    units = layer.units
    slow = np.log(np.random.default_rng(seed).uniform(1, timesteps - 1, units))
    if isinstance(layer, keras.layers.GRU):
        bias[0, :units] = slow  # update gate: Keras's keeps the state where it is 1
    else:
        bias[:units], bias[units : 2 * units] = -slow, slow  # input gate, forget gate
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

    The problem counts as solved if the last 2,000 sequences all have an error under 0.04, and their
    mean error is under 0.01. Each sequence is used once, and measured before the network learns
    from it.
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


def nats(prediction, y):
    return float(cross_entropy(y, prediction))


SYMBOLS = 3  # to copy


def copying(samples, timesteps, seed=None):
    """Three of eight symbols, to be repeated `timesteps` steps after they were read."""
    return lz.tasks.copying(samples, timesteps + 2 * SYMBOLS, length=SYMBOLS, seed=seed)


def echo(samples, timesteps, seed=None):
    """At every step, the target is the input of `timesteps` steps ago."""
    return lz.tasks.delayed_echo(samples, 2 * timesteps, delay=timesteps, seed=seed)


def echoed_error(prediction, y):
    """The mean squared error at the steps that have a target."""
    half = y.shape[1] // 2
    return np.mean((prediction - y)[:, half:] ** 2)


class Problem(NamedTuple):
    """A problem of a lag of `timesteps` steps, and when it is solved."""

    make: object
    lags: tuple
    outputs: int
    every_step: bool
    loss: object
    score: object  # of predictions and targets
    solved: object  # of a score


UNITS, BATCH, LIMIT = 32, 32, 96_000
LAGS, SHORT_LAGS = (12, 25, 50, 100, 200), (3, 6, 12, 25, 50)
PROBLEMS = {
    "adding": Problem(
        lz.tasks.adding,
        LAGS,
        1,
        False,
        squared_error,
        lambda p, y: np.mean((p - y) ** 2),
        lambda score: score < 0.01,
    ),
    "temporal order": Problem(
        lz.tasks.temporal_order, LAGS, 4, False, cross_entropy, right, lambda score: score >= 0.95
    ),
    "copying": Problem(
        copying, LAGS, 9, True, cross_entropy, right_at_the_end, lambda score: score >= 0.95
    ),
    "delayed echo": Problem(
        echo, SHORT_LAGS, 1, True, squared_error, echoed_error, lambda score: score < 0.01
    ),
    "parity": Problem(
        lz.tasks.parity, SHORT_LAGS, 2, False, cross_entropy, right, lambda score: score >= 0.95
    ),
}
OPERATIONS = ("lstm", "peephole", "coupled")  # of the native operation; XLA compiles all others
SLOW = ("simple_rnn",)  # better at 50 steps with a learning rate of 0.003 than with 0.01
OTHER_INPUT = ("gru_d", "time_gap")  # which read what is missing, or the time between steps
IDENTITY = {"recurrent_initializer": "identity", "activation": "relu"}  # Le et al. 2015


class Network(NamedTuple):
    """A cell with default or chrono initialization, and how it is trained."""

    cell: str
    chrono: bool = False
    options: dict = {}  # of the layer

    @property
    def rate(self):
        return 0.003 if self.cell in SLOW else 0.01

    @property
    def compiled(self):
        return self.cell not in OPERATIONS


NETWORKS = {
    "SimpleRNN": Network("simple_rnn"),
    "SimpleRNN, identity": Network("simple_rnn", options=IDENTITY),
    "GRU": Network("gru"),
    "GRU, chrono": Network("gru", chrono=True),
    "LSTM": Network("lstm"),
    "LSTM, chrono": Network("lstm", chrono=True),
} | {name: Network(name) for name in lz.cells.names() if name not in ("lstm", *OTHER_INPUT)}


def solve(problem, network, timesteps, seed, units=UNITS, limit=LIMIT, falling=False):
    """Train until the score on 512 new sequences counts as solved; check it every 50 batches.

    With `falling`, the learning rate falls linearly to 0.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([seed, timesteps])
    x_new, y_new = problem.make(512, timesteps, seed=rng)
    options = network.options | {"return_sequences": problem.every_step}
    layer = lz.layers.layer_for(network.cell, units, **options)
    head = keras.layers.Dense(problem.outputs)
    model = keras.Sequential([keras.Input(x_new.shape[1:]), layer, head])
    if network.chrono:
        chrono(layer, timesteps, seed)
    optimizer = keras.optimizers.Adam(network.rate)
    step = training_step(model, optimizer, problem.loss, network.compiled)
    predict = tf.function(model, jit_compile=network.compiled)
    seen = 0
    while seen < limit:
        for x, y in itertools.islice(batches(problem.make, BATCH, timesteps, rng), 50):
            step(x, y, np.float32(network.rate * (1 - falling * seen / limit)))
            seen += BATCH
        score = problem.score(predict(x_new).numpy(), y_new)
        if problem.solved(score):
            return True, seen, float(score), model
    return False, seen, float(score), model


def leaderboard_lags():
    """What is to be trained: `(problem, network, timesteps)`, the short lags first."""
    for network, problem in itertools.product(NETWORKS, PROBLEMS):
        for timesteps in PROBLEMS[problem].lags:
            yield problem, network, timesteps


# Bai et al. 2018


def copying_ten(samples, timesteps, seed=None):
    return lz.tasks.copying(samples, timesteps + 20, seed=seed)


class Mark(NamedTuple):
    """A row of Bai, Kolter & Koltun (2018), table 1: what their networks' losses came to."""

    problem: Problem
    units: int  # which give an LSTM as many weights as theirs had
    limit: int  # sequences
    published: dict

    def train(self, network, seed):
        [timesteps] = self.problem.lags
        return solve(self.problem, network, timesteps, seed, self.units, self.limit, falling=True)


BAI = ("LSTM", "LSTM, chrono")  # the networks that are held against those of Bai et al.
MARKS = {
    "adding": Mark(
        PROBLEMS["adding"]._replace(lags=(600,), solved=lambda score: score < 5.3e-5),
        130,
        32_000,
        {"LSTM": 0.164, "GRU": 5.3e-5, "TCN": 5.8e-5},
    ),
    "copying": Mark(
        Problem(copying_ten, (1000,), 9, True, cross_entropy, nats, lambda score: score < 3.5e-5),
        60,
        96_000,
        {"LSTM": 0.0204, "GRU": 0.0197, "TCN": 3.5e-5},
    ),
}


# All of them


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
        if not can_compile_more():
            raise SystemExit("this process is full of XLA programs: start again, and it goes on")
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

    def too_long(self, problem, network, timesteps):
        """Whether most trainings have failed at this lag or at a shorter one."""
        failed = self.find(leaderboard="lags", problem=problem, network=network, solved=0)
        lags = [int(row["timesteps"]) for row in failed if int(row["timesteps"]) <= timesteps]
        return any(lags.count(lag) > len(SEEDS["lags"]) // 2 for lag in lags)


def run(table, parts):
    if "1997" in parts:
        for seed, (name, timesteps, limit) in itertools.product(SEEDS["1997"], leaderboard_1997()):
            table.measure(
                ("1997", "adding", name, timesteps, seed),
                lambda: solve_1997(RECIPES[name], timesteps, seed, limit),  # noqa: B023
            )
    if "lags" in parts:
        for problem, network, timesteps in leaderboard_lags():
            for seed in SEEDS["lags"]:
                if table.too_long(problem, network, timesteps):
                    break  # neither another seed nor a longer lag would change the table
                table.measure(
                    ("lags", problem, network, timesteps, seed),
                    lambda: solve(PROBLEMS[problem], NETWORKS[network], timesteps, seed),  # noqa: B023
                )
    if "2018" in parts:
        for seed, problem, network in itertools.product(SEEDS["2018"], MARKS, BAI):
            table.measure(
                ("2018", problem, network, MARKS[problem].problem.lags[0], seed),
                lambda: MARKS[problem].train(NETWORKS[network], seed),  # noqa: B023
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*SEEDS, []], help="not all of them")
    parser.add_argument("--new", action="store_true", help="start another file")
    parser.add_argument("--draw", action="store_true", help="write tables and figure only")
    options = parser.parse_args()
    table = Table(rows.newest("long-lags", options.new))
    if not options.draw:
        run(table, options.parts or list(SEEDS))
    made = [*table_1997(table), *table_lags(table), *table_2018(table)]
    rows.write_tables("long_lags.md", "\n".join(made))
    draw(table)


# What was measured


def head(*columns):
    return f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"


def median_sequences(trainings):
    """Infinite where no more than half of the trainings solved the problem."""
    return np.median([int(r["sequences"]) if int(r["solved"]) else np.inf for r in trainings])


def table_1997(table):
    yield "## 1997, again"
    yield ""
    yield from head("network", "T", "weights", "solved", "median sequences", "in 1997")
    found = table.find(leaderboard="1997")
    for name, timesteps in dict.fromkeys((r["network"], int(r["timesteps"])) for r in found):
        trainings = table.find(leaderboard="1997", network=name, timesteps=timesteps)
        solved, median = sum(int(r["solved"]) for r in trainings), median_sequences(trainings)
        yield (
            f"| {name} | {timesteps:,} | {int(trainings[0]['parameters']):,} "
            f"| {solved} of {len(trainings)} | {median:,.0f} | {PAPER[timesteps]:,} |"
        ).replace("inf", "")
    yield ""


def at_lags(table, problem, network):
    """The median number of sequences at each lag; NaN where most seeds are still to be trained."""
    for lag in PROBLEMS[problem].lags:
        key = {"problem": problem, "network": network, "timesteps": lag}
        trainings = table.find(leaderboard="lags", **key)
        enough = len(trainings) > len(SEEDS["lags"]) // 2
        yield lag, median_sequences(trainings) if enough else np.nan


def longest(table, problem, network):
    """The largest lag that most trainings solved, and the sequences that it took."""
    medians = dict(at_lags(table, problem, network))
    solved = [lag for lag, median in medians.items() if np.isfinite(median)]
    if solved:
        decided = np.isinf(list(medians.values())).any() or max(solved) == max(medians)
        found = f"{max(solved)} ({medians[max(solved)]:,.0f})"
        return found if decided else f"{found} or more"
    return "" if np.isnan(list(medians.values())).all() else "none"


def table_lags(table):
    yield "## Growing lags"
    yield ""
    yield from head("network", "weights", *PROBLEMS)
    for name in NETWORKS:
        if found := table.find(leaderboard="lags", network=name, problem="adding"):
            solved = (longest(table, problem, name) for problem in PROBLEMS)
            yield f"| {name} | {int(found[0]['parameters']):,} | {' | '.join(solved)} |"
    yield ""


def table_2018(table):
    yield "## 2018, again"
    yield ""
    yield from head("problem", "steps", "network", "weights", "sequences", "losses", "published")
    for problem, mark in MARKS.items():
        for name in BAI:
            trainings = table.find(leaderboard="2018", problem=problem, network=name)
            if not trainings:
                continue
            losses = sorted(float(r["score"]) for r in trainings)
            seen = np.median([int(r["sequences"]) for r in trainings])
            published = ", ".join(f"{by} {loss:.3g}" for by, loss in mark.published.items())
            yield (
                f"| {problem} | {trainings[0]['timesteps']} | {name} "
                f"| {int(trainings[0]['parameters']):,} | {seen:,.0f} "
                f"| {', '.join(f'{loss:.3g}' for loss in losses)} | {published} |"
            )
    yield ""


def draw(table):
    """Draw 1997 beside a map per problem: lags across, networks down, darker for more sequences."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    from lstm_zoo.plots import style

    panels = 1 + len(PROBLEMS)
    widths = {"width_ratios": [3.5, *[2] * len(PROBLEMS)]}
    figure, axes = plt.subplots(
        1, panels, figsize=(17, 6), gridspec_kw=widths, layout="constrained"
    )
    axes[0].plot(*zip(*PAPER.items()), "ks--", label="Hochreiter & Schmidhuber 1997")
    for name, colour, marker in zip(("LSTM", "3 units"), style.CYCLE, style.MARKERS):
        for row in table.find(leaderboard="1997", network=name, solved=1):
            axes[0].plot(int(row["timesteps"]), int(row["sequences"]), marker, color=colour)
        label = {"LSTM": "32 units, a seed each", "3 units": "3 units, a seed each"}[name]
        axes[0].plot([], [], marker, color=colour, label=label)
    axes[0].set(title="the adding problem of 1997", ylabel="sequences until solved")
    axes[0].set(xscale="log", yscale="log", xlabel="timesteps")
    axes[0].set_xticks(list(PAPER), list(PAPER))
    axes[0].set_xticks([], minor=True)
    axes[0].grid(alpha=0.3)
    axes[0].legend(frameon=False)
    norm = LogNorm(BATCH * 50, LIMIT)
    networks = [name for name in NETWORKS if table.find(leaderboard="lags", network=name)]
    for axis, problem in zip(axes[1:], PROBLEMS):
        medians = np.array([[m for _, m in at_lags(table, problem, name)] for name in networks])
        shown = np.ma.masked_invalid(medians)
        image = axis.imshow(shown, cmap="viridis_r", norm=norm, aspect="auto")
        for row, column in np.argwhere(np.isinf(medians)):
            axis.text(column, row, "×", ha="center", va="center", color="0.5")
        axis.set(title=problem, xlabel="lag")
        axis.set_xticks(range(len(PROBLEMS[problem].lags)), PROBLEMS[problem].lags)
        axis.set_yticks([])
    axes[1].set_yticks(range(len(networks)), networks)
    figure.colorbar(image, ax=axes[-1], label="sequences until solved, median")
    figure.savefig(table.path.with_suffix(".png"), dpi=90)


if __name__ == "__main__":
    main()
