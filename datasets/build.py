"""Make the data files again from the Python packages that published them, byte for byte.

    python datasets/build.py               every file
    python datasets/build.py digits        only this one
    python datasets/build.py --pictures    draw pictures/*.png from the files that are there

A file is written only if its SHA-256 is the one recorded in ``lstm_zoo/datasets.py``; a new
checksum is printed, to be recorded there by hand. Needs pip and a connection, and for the pictures
matplotlib.
"""

import argparse
import ast
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lstm_zoo import datasets  # noqa: E402

# One wheel of each, the same on every machine: only data files are read from it, no code is run.
WHEEL_TAGS = ["--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp"]
SKTIME = "sktime==1.2.0"
PMDARIMA = "pmdarima==2.1.1"
SCIKIT_LEARN = "scikit-learn==1.7.2"


def japanese_vowels(wheel):
    return read_ts_pair(wheel, "JapaneseVowels")


def basic_motions(wheel):
    return read_ts_pair(wheel, "BasicMotions")


def digits(wheel):
    text = gzip.decompress(wheel.read("sklearn/datasets/data/digits.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",")
    x = table[:, :-1].reshape(-1, 8, 8) / 16
    y = table[:, -1]
    # The images stand sheet by sheet, some 130 each, that begin anew with 0, 1, 2, ... 9. The last
    # three sheets, from image 1415 on, are the test part: handwriting that no training saw.
    return {"x_train": x[:1415], "y_train": y[:1415], "x_test": x[1415:], "y_test": y[1415:]}


def tecator(wheel):
    arrays = read_ts_pair(wheel, "Tecator")
    # As published, 8 spectra of the test part stand in the training part as well and 14 stand in
    # the training part twice. A test spectrum in the training part is a leak; drop them there.
    seen = {spectrum.tobytes() for spectrum in arrays["x_test"]}
    keep = []
    for spectrum in arrays["x_train"]:
        keep.append(spectrum.tobytes() not in seen)
        seen.add(spectrum.tobytes())
    return arrays | {key: arrays[key][keep] for key in ("x_train", "y_train")}


def electricity(wheel):
    tree = ast.parse(wheel.read("pmdarima/datasets/taylor.py"))
    lists = [ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.List)]
    demand = np.array(max(lists, key=len))[:, None]
    three_weeks = 3 * 7 * 48
    return {"x_train": demand[:-three_weeks], "x_test": demand[-three_weeks:]}


def sunspots(wheel):
    text = gzip.decompress(wheel.read("pmdarima/datasets/data/sunspots.txt.gz"))
    numbers = np.loadtxt(io.BytesIO(text)).reshape(-1, 1)
    twenty_years = 20 * 12
    return {"x_train": numbers[:-twenty_years], "x_test": numbers[-twenty_years:]}


RECIPES = {
    "japanese_vowels": (SKTIME, japanese_vowels),
    "basic_motions": (SKTIME, basic_motions),
    "digits": (SCIKIT_LEARN, digits),
    "tecator": (SKTIME, tecator),
    "electricity": (PMDARIMA, electricity),
    "sunspots": (PMDARIMA, sunspots),
}


def read_ts_pair(wheel, problem):
    """Read NAME_TRAIN.ts and NAME_TEST.ts, pad to one length, number the classes from 0."""
    arrays = {}
    sizes = []
    for part in ("train", "test"):
        path = f"sktime/datasets/data/{problem}/{problem}_{part.upper()}.ts"
        samples, targets, classes = read_ts(wheel.read(path).decode())
        sizes.append((part, [len(sample) for sample in samples]))
        arrays[f"x_{part}"] = samples
        if classes:
            arrays[f"y_{part}"] = np.array([classes.index(target) for target in targets])
        else:
            arrays[f"y_{part}"] = np.array(targets, dtype="float32")[:, None]
    longest = max(max(lengths) for _, lengths in sizes)
    for part, lengths in sizes:
        padded = np.zeros((len(lengths), longest, arrays[f"x_{part}"][0].shape[1]))
        for row, sample in zip(padded, arrays[f"x_{part}"], strict=True):
            row[: len(sample)] = sample
        arrays[f"x_{part}"] = padded
        if len({length for _, every in sizes for length in every}) > 1:
            arrays[f"lengths_{part}"] = np.array(lengths)
    return arrays


def read_ts(text):
    """Read the .ts format: a header of @ lines, then ``values:values:...:target`` for each sample,
    one block of comma-separated values for each feature."""
    samples, targets, classes = [], [], []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.lower().startswith("@classlabel true"):
            classes = line.split()[2:]
        elif line[0] not in "#@":
            *features, target = line.split(":")
            samples.append(np.array([values.split(",") for values in features], dtype=float).T)
            targets.append(target)
    return samples, targets, classes


def download(requirement, folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", *WHEEL_TAGS, "--dest", str(folder), requirement]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def npz_bytes(arrays):
    """Like np.savez, but the same bytes on every machine and day: no compression, whose bytes
    depend on the zlib at hand, and no time stamps."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            content = io.BytesIO()
            kind = "<f4" if name.startswith("x_") or array.ndim == 2 else "<i4"
            array = np.ascontiguousarray(array, dtype=kind)
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue())
    return buffer.getvalue()


def build(names):
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        wheels = {}
        for name in names:
            requirement, recipe = RECIPES[name]
            if requirement not in wheels:
                into = Path(folder) / requirement
                into.mkdir()
                wheels[requirement] = zipfile.ZipFile(download(requirement, into))
            content = npz_bytes(recipe(wheels[requirement]))
            sha256 = hashlib.sha256(content).hexdigest()
            same = sha256 == datasets._CARDS[name]["sha256"]
            print(f"{name:16} {len(content):8} bytes  {sha256}  {'ok' if same else 'NOT RECORDED'}")
            if same:
                part = HERE / f"{name}.npz.part"
                part.write_bytes(content)
                os.replace(part, HERE / f"{name}.npz")
            else:
                failed.append(name)
    if failed:
        sys.exit(f"left as they were, for the checksum is not the recorded one: {failed}")


def draw_pictures():
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    blue, orange, green, pink = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe & Ito
    size = (5.6, 2.5)

    def save(figure, name):
        path = HERE / "pictures" / f"{name}.png"
        figure.savefig(drawn := io.BytesIO(), dpi=110)
        Image.open(drawn).convert("RGB").quantize(256).save(path, optimize=True)
        print(f"{path.name:24} {path.stat().st_size:6} bytes")

    data = datasets.load("japanese_vowels")
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    for speaker, colour in ((0, blue), (1, orange), (4, green)):
        for i in np.flatnonzero(data.y_train == speaker)[:6]:
            steps = np.arange(data.lengths_train[i])
            axes.plot(steps * 6.4, data.x_train[i, steps, 0], color=colour, lw=1)
        axes.plot([], [], color=colour, label=data.class_names[speaker])
    axes.set(xlabel="time (ms)", ylabel="LPC cepstrum 1", title="six utterances of three speakers")
    axes.legend(frameon=False, loc="lower right")
    save(figure, "japanese_vowels")

    data = datasets.load("basic_motions")
    figure, panels = plt.subplots(
        1, 4, figsize=size, layout="constrained", sharex=True, sharey=True
    )
    for label, (axes, colour) in enumerate(zip(panels, (blue, orange, green, pink), strict=True)):
        sample = data.x_train[data.y_train == label][0]
        axes.plot(np.arange(100) / 10, sample[:, 0], color=colour, lw=1)
        axes.set(title=data.class_names[label], xlabel="time (s)")
    panels[0].set_ylabel("accelerometer x\n(unit not stated)")
    save(figure, "basic_motions")

    data = datasets.load("digits")
    figure, panels = plt.subplots(2, 5, figsize=(5.6, 2.9), layout="constrained")
    for digit, axes in enumerate(panels.flat):
        axes.imshow(data.x_train[data.y_train == digit][0], cmap="gray_r", vmin=0, vmax=1)
        axes.set(title=f"class {digit}", xticks=[0, 7], yticks=[0, 7])
        axes.spines[:].set_visible(True)
    figure.supxlabel("column (feature)", fontsize=9)
    figure.supylabel("row (timestep)", fontsize=9)
    save(figure, "digits")

    data = datasets.load("tecator")
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    shades = plt.cm.ScalarMappable(plt.Normalize(0, 50), "cividis")
    for i in np.argsort(data.y_train[:, 0])[::4]:
        shade = shades.to_rgba(data.y_train[i, 0])
        axes.plot(np.linspace(850, 1050, 100), data.x_train[i, :, 0], color=shade, lw=0.8)
    figure.colorbar(shades, ax=axes, label="fat (% of mass)")
    axes.set(xlabel="wavelength (nm)", ylabel="absorbance\n(-log10 of transmittance)")
    save(figure, "tecator")

    data = datasets.load("electricity")
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    days = np.arange(-7 * 48, 7 * 48) / 48
    demand = np.concatenate([data.x_train[-7 * 48 :, 0], data.x_test[: 7 * 48, 0]]) / 1000
    axes.plot(days[: 7 * 48], demand[: 7 * 48], color=blue, label="last week of training")
    axes.plot(days[7 * 48 :], demand[7 * 48 :], color=orange, label="first week of test")
    axes.set(xlabel="days from the start of the test part", ylabel="demand (GW)", ylim=(17, 43))
    axes.legend(frameon=False, ncols=2, loc="upper center")
    save(figure, "electricity")

    data = datasets.load("sunspots")
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    split = len(data.x_train)
    years = 1749 + np.arange(split + len(data.x_test)) / 12
    axes.plot(years[:split], data.x_train[:, 0], color=blue, lw=0.6, label="training")
    axes.plot(years[split:], data.x_test[:, 0], color=orange, lw=0.6, label="test")
    axes.set(xlabel="year", ylabel="monthly mean\nsunspot number", ylim=(0, 310))
    axes.legend(frameon=False, loc="upper left", ncols=2)
    save(figure, "sunspots")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="data sets to build; all of them if none is named")
    parser.add_argument("--pictures", action="store_true", help="draw the pictures instead")
    options = parser.parse_args()
    unknown = set(options.names) - set(RECIPES)
    if unknown:
        parser.error(f"unknown names {sorted(unknown)}, choose from {list(RECIPES)}")
    if options.pictures:
        draw_pictures()
    else:
        build(options.names or list(RECIPES))
