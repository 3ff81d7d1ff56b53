"""Draw pictures/*.png, one for each data set.

    python datasets/pictures.py            every picture
    python datasets/pictures.py digits     only this one

Needs matplotlib.
"""

import argparse
import io
import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lstm_zoo import datasets  # noqa: E402

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe & Ito
SIZE = (5.6, 2.5)


def japanese_vowels(data):
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    for speaker, colour in ((0, BLUE), (1, ORANGE), (4, GREEN)):
        for i in np.flatnonzero(data.y_train == speaker)[:6]:
            steps = np.arange(data.lengths_train[i])
            axes.plot(steps * 6.4, data.x_train[i, steps, 0], color=colour, lw=1)
        axes.plot([], [], color=colour, label=data.class_names[speaker])
    axes.set(xlabel="time (ms)", ylabel="LPC cepstrum 1", title="six utterances of three speakers")
    axes.legend(frameon=False, loc="lower right")
    return figure


def basic_motions(data):
    figure, panels = plt.subplots(
        1, 4, figsize=SIZE, layout="constrained", sharex=True, sharey=True
    )
    for label, (axes, colour) in enumerate(zip(panels, (BLUE, ORANGE, GREEN, PINK), strict=True)):
        sample = data.x_train[data.y_train == label][0]
        axes.plot(np.arange(100) / 10, sample[:, 0], color=colour, lw=1)
        axes.set(title=data.class_names[label], xlabel="time (s)")
    panels[0].set_ylabel("accelerometer x\n(unit not stated)")
    return figure


def digits(data):
    figure, panels = plt.subplots(2, 5, figsize=(5.6, 2.9), layout="constrained")
    for digit, axes in enumerate(panels.flat):
        axes.imshow(data.x_train[data.y_train == digit][0], cmap="gray_r", vmin=0, vmax=1)
        axes.set(title=f"class {digit}", xticks=[0, 7], yticks=[0, 7])
        axes.spines[:].set_visible(True)
    figure.supxlabel("column (feature)", fontsize=9)
    figure.supylabel("row (timestep)", fontsize=9)
    return figure


def tecator(data):
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    shades = plt.cm.ScalarMappable(plt.Normalize(0, 50), "cividis")
    for i in np.argsort(data.y_train[:, 0])[::4]:
        shade = shades.to_rgba(data.y_train[i, 0])
        axes.plot(np.linspace(850, 1050, 100), data.x_train[i, :, 0], color=shade, lw=0.8)
    figure.colorbar(shades, ax=axes, label="fat (% of mass)")
    axes.set(xlabel="wavelength (nm)", ylabel="absorbance\n(-log10 of transmittance)")
    return figure


def electricity(data):
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    days = np.arange(-7 * 48, 7 * 48) / 48
    demand = np.concatenate([data.x_train[-7 * 48 :, 0], data.x_test[: 7 * 48, 0]]) / 1000
    axes.plot(days[: 7 * 48], demand[: 7 * 48], color=BLUE, label="last week of training")
    axes.plot(days[7 * 48 :], demand[7 * 48 :], color=ORANGE, label="first week of test")
    axes.set(xlabel="days from the start of the test part", ylabel="demand (GW)", ylim=(17, 43))
    axes.legend(frameon=False, ncols=2, loc="upper center")
    return figure


def sunspots(data):
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    split = len(data.x_train)
    years = 1749 + np.arange(split + len(data.x_test)) / 12
    axes.plot(years[:split], data.x_train[:, 0], color=BLUE, lw=0.6, label="training")
    axes.plot(years[split:], data.x_test[:, 0], color=ORANGE, lw=0.6, label="test")
    axes.set(xlabel="year", ylabel="monthly mean\nsunspot number", ylim=(0, 310))
    axes.legend(frameon=False, loc="upper left", ncols=2)
    return figure


def italy_power_demand(data):
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    for label, (name, colour) in enumerate(zip(data.class_names, (BLUE, ORANGE), strict=True)):
        days = data.x_train[data.y_train == label, :, 0]
        axes.plot(days.T, color=colour, lw=0.4, alpha=0.5)
        axes.plot(days.mean(axis=0), color=colour, lw=2.5, label=f"{name}, mean")
    axes.set(xlabel="hour of the day", ylabel="demand (standard\ndeviations of the day)")
    axes.legend(frameon=False, loc="lower right")
    return figure


def mnist1d(data):
    figure, panels = plt.subplots(
        2, 5, figsize=(5.6, 2.9), layout="constrained", sharex=True, sharey=True
    )
    for digit, axes in enumerate(panels.flat):
        for sample, colour in zip(
            data.x_train[data.y_train == digit], (BLUE, ORANGE), strict=False
        ):
            axes.plot(sample[:, 0], color=colour, lw=1)
        axes.set(title=f"class {digit}")
    figure.supxlabel("timestep", fontsize=9)
    figure.supylabel("height (standard deviations)", fontsize=9)
    return figure


def internal_bleeding(data):
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    steps = np.arange(2850, 3150)
    axes.plot(steps, data.x_test[steps, 0], color=BLUE, lw=1)
    (marked,) = np.nonzero(data.y_test)
    axes.axvspan(marked[0], marked[-1], color=ORANGE, alpha=0.4, lw=0, label="the anomaly")
    axes.set(xlabel="timestep of the test part", ylabel="arterial pressure\n(unit not stated)")
    axes.legend(frameon=False, loc="upper right")
    return figure


PICTURES = [
    japanese_vowels,
    basic_motions,
    digits,
    tecator,
    electricity,
    sunspots,
    italy_power_demand,
    mnist1d,
    internal_bleeding,
]


def draw(name, picture):
    figure = picture(datasets.load(name))
    path = HERE / "pictures" / f"{name}.png"
    figure.savefig(drawn := io.BytesIO(), dpi=110)
    Image.open(drawn).convert("RGB").quantize(256).save(path, optimize=True)
    print(f"{path.name:24} {path.stat().st_size:6} bytes")


if __name__ == "__main__":
    pictures = {picture.__name__: picture for picture in PICTURES}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="all of them if none is named")
    names = parser.parse_args().names
    if unknown := set(names) - set(pictures):
        parser.error(f"unknown names {sorted(unknown)}, choose from {list(pictures)}")
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    for name in names or pictures:
        draw(name, pictures[name])
