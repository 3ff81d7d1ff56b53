"""Train models on a user's CSV file, and predict from another one.

`NAME.json` beside `NAME.keras` says which columns the model reads. A classifier also gets
`NAME.npz`, which answers without TensorFlow.
"""

import json
import pathlib
import shutil

import numpy as np

from lstm_zoo import checks
from lstm_zoo.cli.terminal import Bars, console
from lstm_zoo.files import replacing
from lstm_zoo.tables import read_table

MASK = -1e9  # pads series of unequal length; no measured value
SHARE = 0.2  # of the series of a class, to validate on
PATIENCE = 20  # epochs without a better validation loss


def beside(model):
    """Where the columns of a model's file stand."""
    return pathlib.Path(model).with_suffix(".json")


def train_forecaster(
    file, reading, say, *, target, horizon, covariates, future, id, season, seed, checkpoints
):
    """A model that forecasts a column, what its files hold, and a line on its score.

    `covariates` are lists of further columns: "past", "known_future" and "static".
    """
    import lstm_zoo as lz

    horizon = checks.count("horizon", horizon)
    columns = {"target": target, **covariates, "id": id}
    frames, columns["time"] = _forecast_frames(file, future, reading, columns, say)
    found = lz.forecast(
        *(frames["data"], horizon),
        **columns,
        future=frames["future"],
        season=season,
        seed=seed,
        checkpoint_dir=checkpoints,
        verbose=int(console.is_terminal),
    )
    columns["season"] = found.season
    kind = {"answers": "forecast", "horizon": horizon, "columns": columns, "reading": reading}
    return found.model, kind, f"It forecasts {horizon} steps of {target!r}, season {found.season}."


def _forecast_frames(file, future, reading, columns, say):
    """The frames of a file and of what is known of the steps ahead, and their column of times."""
    ahead = columns["known_future"]
    if bool(ahead) != (future is not None):
        raise ValueError(
            f"--future FILE goes with --known-future columns, got {future} and {ahead or 'none'}"
        )
    numbers = (columns["target"], *columns["past"], *ahead, *columns["static"])
    text = (columns["id"],) if columns["id"] else ()
    table = read_table(file, **reading, text=text, numbers=numbers)
    say(*table.said)
    if future is None:
        return {"data": table.frame, "future": None}, table.time
    of_future = read_table(
        future, **{**reading, "time": table.time}, text=text, numbers=tuple(ahead)
    )
    say(*of_future.said)
    return {"data": table.frame, "future": of_future.frame}, table.time


def train_classifier(file, reading, say, *, label, id, seed, epochs, checkpoints):
    """A model that names the class of each series, what its files hold, and its score."""
    import keras
    from sklearn.model_selection import train_test_split

    import lstm_zoo as lz

    table = read_table(file, **reading, text=(label, *([id] if id else [])))
    say(*table.said)
    names, series, features = _series(file, table, id, label)
    labels = _labels(file, table, id, label)
    classes = sorted(set(labels))
    if len(classes) < 2:
        raise ValueError(f"column {label!r} of {file} must have two classes or more, got {classes}")
    if 2 * len(classes) > len(labels):
        raise ValueError(
            f"column {label!r} of {file} must name classes that occur again, got {len(classes)} "
            f"different ones in {len(labels)} series; --target forecasts numbers"
        )
    counts = [labels.count(one) for one in classes]
    keras.utils.set_random_seed(seed)
    x, mask_value = _array(series)
    shape = (None if mask_value is not None else x.shape[1], x.shape[2])
    model = lz.build_classifier(shape, classes, mask_value=mask_value)
    labels, rows = np.array(labels, object), np.arange(len(labels))
    validation = None
    callbacks = []
    if min(counts) > 1 and len(rows) * SHARE >= len(classes):
        rows, held = train_test_split(rows, test_size=SHARE, stratify=labels, random_state=seed)
        validation = (x[held], labels[held].tolist())
        callbacks.append(keras.callbacks.EarlyStopping(patience=PATIENCE))
    with Bars() as bars:
        lz.fit(
            *(model, x[rows], labels[rows].tolist()),
            validation_data=validation,
            epochs=epochs,
            batch_size=min(32, max(4, len(rows) // 8)),
            seed=seed,
            checkpoint_dir=checkpoints,
            callbacks=[*callbacks, bars.callback(label, epochs)],
            verbose=0,
        )
    columns = {"label": label, "id": id, "time": table.time, "features": features}
    kind = {"answers": "class", "columns": columns, "reading": reading}
    kind |= {"classes": classes, "timesteps": shape[0]}
    if validation is None:
        return model, kind, "No score: too few series of each class to hold some out."
    right = np.mean(np.array(lz.predict(model, x[held]), object) == labels[held])
    most = max(counts) / len(labels)
    score = (
        f"Accuracy {right:.3f} on {len(held)} held-out series, which also chose the epoch to keep; "
        f"always naming the largest class: {most:.3f}."
    )
    return model, kind, score


def answers(path, file, future, reading, say):
    """A frame of what a trained model says of a file."""
    import lstm_zoo as lz

    if not beside(path).is_file():
        raise ValueError(
            f"{beside(path)} must stand beside {path} and name its columns; "
            "`lstm-zoo train --data` writes it"
        )
    kind = json.loads(beside(path).read_text(encoding="utf-8"))
    columns = kind["columns"]
    asked = {name: value for name, value in reading.items() if value is not None}
    reading = {**kind["reading"], "time": columns["time"], **asked}
    if kind["answers"] == "forecast":
        if path.endswith(".npz"):
            raise ValueError(f"a forecaster is read from its .keras file, got {path}")
        frames, columns["time"] = _forecast_frames(file, future, reading, columns, say)
        ahead = {"future": frames["future"], "model": lz.load(path), "verbose": 0}
        return lz.forecast(frames["data"], kind["horizon"], **columns, **ahead).frame()
    if future is not None:
        raise ValueError("--future is for forecasters with --known-future columns")
    if path.endswith(".npz"):
        return _classes(lz.load_predictor(path), kind, file, reading, say)
    from lstm_zoo.naming import class_names

    model = lz.load(path)
    of_model = {"classes": class_names(model), "timesteps": model.input_shape[1]}
    return _classes(lz.predictor(model), kind | of_model, file, reading, say)


def _classes(answer, kind, file, reading, say):
    """A frame with the class of each series, from a predictor."""
    import pandas

    columns = kind["columns"]
    id = columns["id"]
    text = (id,) if id else ()
    table = read_table(file, **reading, text=text, numbers=tuple(columns["features"]))
    say(*table.said)
    names, series, _ = _series(file, table, id, columns["label"], columns["features"])
    probabilities = answer(_array(series, kind["timesteps"])[0])
    likeliest = [kind["classes"][k] for k in probabilities.argmax(axis=1)]
    found = {id or "row": names, columns["label"]: likeliest}
    return pandas.DataFrame({**found, "probability": probabilities.max(axis=1)})


def _series(file, table, id, label, features=None):
    """The names of the series of a table, each series `(timesteps, features)`, and the features.

    With `id`, a series is the rows of one id, and the other columns are its features. Without, it
    is one row, and the other columns are its steps, all of one feature.
    """
    taken = (table.time, id, label)
    if features is None:
        features = [name for name in table.frame.columns if name not in taken]
    if not features:
        raise ValueError(f"{file} must have columns of numbers beside {label!r}, got none")
    frame = table.frame
    if id is None:
        values = frame[features].to_numpy("float64")
        return list(range(1, len(values) + 1)), list(values[..., None]), features
    if table.time:
        frame = frame.sort_values(table.time, kind="stable")
    groups = dict(list(frame.groupby(id, sort=False)))
    names = list(dict.fromkeys(table.frame[id]))
    return names, [groups[name][features].to_numpy("float64") for name in names], features


def _labels(file, table, id, label):
    """The label of each series, which must be the same in all its rows."""
    frame = table.frame
    if id is None:
        return frame[label].tolist()
    first = frame.groupby(id, sort=False)[label].transform("first")
    if (first != frame[label]).any():
        row = int((first != frame[label]).to_numpy().argmax())
        raise ValueError(
            f"column {label!r} of {file} must stay the same within a series, got "
            f"{frame[label][row]!r} after {first[row]!r} in line {row + 2}, of {frame[id][row]!r}"
        )
    return frame.drop_duplicates(id)[label].tolist()


def _array(series, timesteps=None):
    """Series as one array, and what pads them if their lengths differ."""
    lengths = {len(one) for one in series}
    if timesteps is not None and lengths != {timesteps}:
        wrong = next(length for length in lengths if length != timesteps)
        raise ValueError(f"the model reads series of {timesteps} rows, got one of {wrong}")
    if len(lengths) == 1:
        return np.stack(series).astype("float32"), None
    x = np.full((len(series), max(lengths), series[0].shape[1]), MASK, "float32")
    for row, one in zip(x, series):
        row[: len(one)] = one
    return x, MASK


def write(model, kind, path):
    """Save a model and a file that lists its columns; return the paths of both."""
    import lstm_zoo as lz

    written = [lz.save(model, path)]
    if kind["answers"] == "class":
        fast = path.with_suffix(".npz")
        try:
            lz.predictor(model).save(fast)
            written.append(fast)
        except ValueError:  # no C code on this machine
            fast.unlink(missing_ok=True)
    with replacing(beside(path)) as temporary:
        pathlib.Path(temporary).write_text(json.dumps(kind, indent=2), encoding="utf-8")
    return [*written, beside(path)]


def forget(checkpoints):
    """Remove the checkpoints of a training that has ended."""
    shutil.rmtree(checkpoints, ignore_errors=True)
