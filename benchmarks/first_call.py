"""A newcomer's first call on small sets that the package does not ship: `build_classifier` as it
comes, 100 epochs of `model.fit`; with `normalise=x`, bidirectional, and with the defaults of 0.1.0
(last state, learning rate 0.001).

    pip download --no-deps aeon && unzip -d aeon_files aeon-*.whl
    python benchmarks/first_call.py aeon_files/aeon/datasets/data GunPoint --batch-size 8

The defaults were chosen on ArrowHead, ItalyPowerDemand and BasicMotions.
"""

import argparse
import pathlib

import keras
import numpy as np

import lstm_zoo as lz


def read(path):
    """Series of a `.ts` file, each `(timesteps, features)`, and their labels."""
    head, _, body = path.read_text(errors="replace").partition("@data")
    series, labels = [], []
    for line in filter(None, map(str.strip, body.splitlines())):
        *features, label = line.split(":")
        series.append(np.array([[float(v) for v in f.split(",")] for f in features]).T)
        labels.append(label)
    return series, labels


def padded(series, steps):
    out = np.zeros((len(series), steps, series[0].shape[1]), "float32")
    for row, one in zip(out, series):
        row[: len(one)] = one
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()
    for name in options.names:
        parts = [read(options.folder / name / f"{name}_{part}.ts") for part in ("TRAIN", "TEST")]
        lengths = {len(one) for series, _ in parts for one in series}
        x, x_test = (padded(series, max(lengths)) for series, _ in parts)
        y, names = lz.encode_labels(parts[0][1])
        y_test = lz.encode_labels(parts[1][1], names).y
        mask = {"mask_value": 0.0} if len(lengths) > 1 else {}
        before = {"pooling": "last", "learning_rate": 1e-3}
        changes = {
            "as it comes": {},
            "with normalise": {"normalise": x},
            "bidirectional": {"bidirectional": True},
            "as in 0.1.0": before,
        }
        for label, change in changes.items():
            scores = []
            for seed in range(options.seeds):
                keras.utils.set_random_seed(seed)
                model = lz.build_classifier(x.shape[1:], len(names), **mask, **change)
                model.fit(x, y, epochs=options.epochs, batch_size=options.batch_size, verbose=0)
                scores.append(model.evaluate(x_test, y_test, verbose=0)[1])
            print(
                f"{name},{label},{np.mean(scores):.3f},{np.round(scores, 3).tolist()}", flush=True
            )


if __name__ == "__main__":
    main()
