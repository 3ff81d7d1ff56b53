"""Rebuild the data files from the Python packages that published them, byte for byte.

    python datasets/build.py               every file
    python datasets/build.py digits        only this one

A file is written only if its SHA-256 is the one recorded in ``lstm_zoo/datasets/cards.py``; a new
checksum is printed, to be recorded there by hand. Needs pip and a connection, SciPy and requests
for ``mnist1d``, and CPython 3.11.7 for ``python_docs``.
"""

import argparse
import ast
import gzip
import hashlib
import io
import os
import pydoc_data.topics
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lstm_zoo.datasets.cards import CARDS  # noqa: E402

# One wheel of each, the same on every machine: only data files are read from it; no code is run but
# that of mnist1d, which is its data.
WHEEL_TAGS = ["--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp"]
SKTIME = "sktime==1.2.0"
PMDARIMA = "pmdarima==2.1.1"
SCIKIT_LEARN = "scikit-learn==1.7.2"
AEON = "aeon==1.6.0"
FAKER = "faker==40.63.0"
MNIST1D = "mnist1d==0.0.2.post1"


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


def italy_power_demand(wheel):
    return read_ts_pair(wheel, "ItalyPowerDemand", "aeon")


def mnist1d(wheel):
    sys.path.insert(0, wheel.filename)
    from mnist1d.data import get_dataset_args, make_dataset

    made = make_dataset(get_dataset_args())
    # To five digits, so that a processor that rounds otherwise makes the same file.
    x = {
        f"x_{part}": made[key].round(5)[..., None]
        for part, key in (("train", "x"), ("test", "x_test"))
    }
    return x | {"y_train": made["y"], "y_test": made["y_test"]}


def internal_bleeding(wheel):
    path = "aeon/datasets/data/KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16_{}.csv"
    train, test = (
        np.loadtxt(io.BytesIO(wheel.read(path.format(part))), delimiter=",", skiprows=1)
        for part in ("TRAIN", "TEST")
    )
    # The published test file is the whole series; what was trained on is no test.
    np.testing.assert_array_equal(test[: len(train), 1], train[:, 1])
    test = test[len(train) :]
    return {"x_train": train[:, 1:2], "x_test": test[:, 1:2], "y_test": test[:, 2]}


LANGUAGES = {
    "Croatian": "hr_HR",
    "Dutch": "nl_NL",
    "English": "en_GB",
    "Finnish": "fi_FI",
    "French": "fr_FR",
    "German": "de_AT",
    "Irish": "ga_IE",
    "Italian": "it_IT",
    "Slovak": "sk_SK",
    "Spanish": "es_ES",
}
LETTERS = " '-abcdefghijklmnopqrstuvwxyz"


def surnames(wheel):
    """Names in small letters without accents, which would give the language away; those that stand
    in two languages are left out; at most 400 of each language, a fifth of them for the test."""
    found = {language: surnames_of(wheel, locale) for language, locale in LANGUAGES.items()}
    rng = np.random.default_rng(0)
    parts = {"train": [], "test": []}
    for label, (language, names) in enumerate(found.items()):
        others = set().union(*(found[other] for other in found if other != language))
        names = rng.permutation(sorted(names - others))[:400]
        cut = len(names) // 5
        for part, some in (("test", names[:cut]), ("train", names[cut:])):
            parts[part] += [(str(name), label) for name in some]
    longest = max(len(name) for samples in parts.values() for name, _ in samples)
    arrays = {}
    for part, samples in parts.items():
        samples = [samples[i] for i in rng.permutation(len(samples))]
        codes = [[LETTERS.index(letter) + 1 for letter in name] for name, _ in samples]
        arrays[f"x_{part}"] = np.array(
            [code + [0] * (longest - len(code)) for code in codes], "uint8"
        )
        arrays[f"y_{part}"] = np.array([label for _, label in samples])
        arrays[f"lengths_{part}"] = np.array([len(code) for code in codes])
    return arrays


def surnames_of(wheel, locale):
    names = set()
    for node in ast.walk(ast.parse(wheel.read(f"faker/providers/person/{locale}/__init__.py"))):
        if not isinstance(node, ast.Assign) or not node.targets[0].id.startswith("last_names"):
            continue
        value = node.value
        if isinstance(value, ast.Call):  # OrderedDict of (name, frequency) pairs
            [value] = value.args
        if isinstance(value, ast.Tuple | ast.List):
            names |= {
                item if isinstance(item, str) else item[0] for item in ast.literal_eval(value)
            }
    plain = {
        unicodedata.normalize("NFKD", name.lower().replace("ß", "ss").replace("đ", "d"))
        for name in names
    }
    plain = {"".join(letter for letter in name if ord(letter) < 128) for name in plain}
    return {name for name in plain if 3 <= len(name) <= 16 and set(name) <= set(LETTERS)}


def python_docs(_):
    topics = pydoc_data.topics.topics
    text = "\n\n".join(topics[name] for name in sorted(topics))
    text = text.translate(str.maketrans("‘’“”–—°ß…", "''\"\"--os."))
    names = CARDS["python_docs"]["vocabulary"]
    codes = np.array([names.index(letter) + 1 for letter in text], "uint8")
    tenth = len(codes) // 10
    return {"x_train": codes[:-tenth], "x_test": codes[-tenth:]}


RECIPES = {
    "japanese_vowels": (SKTIME, japanese_vowels),
    "basic_motions": (SKTIME, basic_motions),
    "digits": (SCIKIT_LEARN, digits),
    "tecator": (SKTIME, tecator),
    "electricity": (PMDARIMA, electricity),
    "sunspots": (PMDARIMA, sunspots),
    "italy_power_demand": (AEON, italy_power_demand),
    "mnist1d": (MNIST1D, mnist1d),
    "surnames": (FAKER, surnames),
    "internal_bleeding": (AEON, internal_bleeding),
    "python_docs": (None, python_docs),
}


def read_ts_pair(wheel, problem, package="sktime"):
    """Read NAME_TRAIN.ts and NAME_TEST.ts, pad to one length, number the classes from 0."""
    arrays = {}
    sizes = []
    for part in ("train", "test"):
        path = f"{package}/datasets/data/{problem}/{problem}_{part.upper()}.ts"
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
            if array.dtype == np.uint8:  # letters
                kind = "|u1"
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
            if requirement not in wheels and requirement is not None:
                into = Path(folder) / requirement
                into.mkdir()
                wheels[requirement] = zipfile.ZipFile(download(requirement, into))
            content = npz_bytes(recipe(wheels.get(requirement)))
            sha256 = hashlib.sha256(content).hexdigest()
            same = sha256 == CARDS[name]["sha256"]
            print(f"{name:16} {len(content):8} bytes  {sha256}  {'ok' if same else 'NOT RECORDED'}")
            if same:
                part = HERE / f"{name}.npz.part"
                part.write_bytes(content)
                os.replace(part, HERE / f"{name}.npz")
            else:
                failed.append(name)
    if failed:
        sys.exit(f"left as they were, for the checksum is not the recorded one: {failed}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="data sets to build; all of them if none is named")
    options = parser.parse_args()
    unknown = set(options.names) - set(RECIPES)
    if unknown:
        parser.error(f"unknown names {sorted(unknown)}, choose from {list(RECIPES)}")
    build(options.names or list(RECIPES))
