"""Train the presets over several seeds, beside their baselines; write what the package ships.

    python benchmarks/presets.py                    all of them
    python benchmarks/presets.py fat speakers       some
    python benchmarks/presets.py --seeds 5 --anew   ignores the results of earlier runs

For each preset it writes `model.keras` (seed 0), `metrics.json`, `figure.png` and `card.md` in the
preset's folder; at the end it writes the table in README.md. After an interruption it continues
with the next seed. If a recipe has changed, it starts this preset again.
"""

import argparse
import copy
import dataclasses
import datetime
import hashlib
import json
import os
import platform
import time
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib
import numpy as np

matplotlib.use("Agg")

import tensorflow as tf

from lstm_zoo import presets, training
from lstm_zoo.files import replacing
from lstm_zoo.presets.card import OURS, table
from lstm_zoo.presets.train import run
from lstm_zoo.recipes import HOME

RNN = "SimpleRNN, best of three learning rates"
NEWER = dict.fromkeys(["quantization_config", "input_axes", "output_axes", "renorm_clipping"])
NEWER |= {"renorm": False, "renorm_momentum": 0.99}
COMPARED = ("adding", "fat", "mnist1d", "surnames")  # with it; it takes several times as long


def rnn_recipe(task):
    """The recipe for a SimpleRNN, with the learning rate that has the lowest loss on held-out data.

    XLA runs its loop over many steps several times faster.
    """
    x, y = task.training_part()
    held_out = np.random.default_rng(0).permutation(len(y)) < len(y) // 5
    losses = {}
    for slower in (1, 3, 10):
        recipe = slowed(task.recipe, slower)
        model, _ = run(task_with(task, recipe, x[~held_out], y[~held_out]), 0, "simple_rnn")
        losses[slower] = model.evaluate(x[held_out], y[held_out], verbose=0, return_dict=True)[
            "loss"
        ]
    return slowed(task.recipe, min(losses, key=losses.get))


def slowed(recipe, times):
    changed = {"learning_rate": recipe.training["learning_rate"] / times, "jit_compile": True}
    return dataclasses.replace(recipe, training=recipe.training | changed)


def task_with(task, recipe, x, y):
    """The same task, which trains on x and y."""
    other = copy.copy(task)
    other.recipe = recipe
    other.training_part = lambda: (x, y)
    return other


def record(name, seeds, anew):
    recipe = presets.read_recipe(name)
    task = presets.task_of(recipe)
    folder = HOME / name
    fingerprint = hashlib.sha256(repr(dataclasses.astuple(recipe)[3:6]).encode()).hexdigest()[:16]
    found = {"recipe": fingerprint, "scores": {OURS: [], RNN: []}, "besides": {}, "seconds": []}
    path = folder / "metrics.json"
    if path.is_file() and not anew:
        earlier = json.loads(path.read_text())
        if earlier["recipe"] == fingerprint:
            found = earlier
            found["scores"].setdefault(RNN, [])
    found |= {"metric": task.metric, "higher_is_better": task.higher_is_better}
    found["baselines"] = {label: round(float(v), 6) for label, v in task.baselines().items()}
    for cell, label in ((None, OURS), *([("simple_rnn", RNN)] if name in COMPARED else [])):
        trained = task
        wanted = min(seeds, 3) if cell else seeds
        if cell and len(found["scores"][label]) < wanted:
            trained = copy.copy(task)
            trained.recipe = rnn_recipe(task)
        for seed in range(len(found["scores"][label]), wanted):
            keras.backend.clear_session()
            start = time.process_time()
            model, _ = run(trained, seed, cell)
            seconds = time.process_time() - start
            (_, score), *besides = task.scores(model).items()
            found["scores"][label].append(round(score, 6))
            print(f"{name}, {label}, seed {seed}: {score:.4f}, {seconds:.1f} s", flush=True)
            if cell is None:
                found["seconds"].append(round(seconds, 1))
                for key, value in besides:
                    found["besides"].setdefault(key, []).append(round(value, 6))
                if seed == 0:
                    found |= keep(task, model, folder)
            write(path, json.dumps(found, indent=1) + "\n")
    if not found["scores"][RNN]:
        del found["scores"][RNN]
        write(path, json.dumps(found, indent=1) + "\n")
    write(folder / "example.txt", task.example())
    write(folder / "card.md", presets.preset_card(name))


def keep(task, model, folder):
    """Store the model without its optimizer, and a figure; return what the card says about them."""
    bare = keras.Model(model.input, model.output, name=model.name)
    for_older_keras(training.save(bare, folder / "model.keras"))
    picture = task.draw(model)
    if picture is not None:
        with replacing(folder / "figure.png") as temporary:
            picture.figure.savefig(temporary, dpi=80)
    cores = os.cpu_count()
    return {
        "sha256": hashlib.sha256((folder / "model.keras").read_bytes()).hexdigest(),
        "parameters": model.count_params(),
        "input_shape": model.input_shape,
        "output_shape": model.output_shape,
        "date": datetime.date.today().isoformat(),
        "versions": f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
        "machine": f"{cores} cores, {platform.machine()}",
    }


def for_older_keras(path):
    """Remove options that Keras 3.12 does not know, where they have their default values."""
    with zipfile.ZipFile(path) as file:
        parts = {part: file.read(part) for part in file.infolist()}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for part, content in parts.items():
            if part.filename == "config.json":
                content = json.dumps(json.loads(content, object_hook=without_newer_options))
            file.writestr(part, content)


def without_newer_options(node):
    node = {k: v for k, v in node.items() if k not in NEWER or v != NEWER[k]}
    if str(node.get("module")).startswith("keras.src.ops"):
        node["config"].pop("name", None)
    return node


def write(path, text):
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="presets; all of them if none is named")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--anew", action="store_true")
    options = parser.parse_args()
    for name in options.names or presets.list_presets():
        record(name, options.seeds, options.anew)
    readme = HOME.parents[1] / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split("<!-- presets -->")
    after = rest.split("<!-- /presets -->")[1]
    write(readme, f"{before}<!-- presets -->\n{table()}\n<!-- /presets -->{after}")
