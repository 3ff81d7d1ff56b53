"""Draw adding.gif, the moving picture of README.md: an LSTM adds two numbers 200 steps apart.

    python docs/pictures/adding.py

The network is the preset `adding`. The picture shows the one unit that moves most at the marks.
"""

import pathlib

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import lstm_zoo as lz
from lstm_zoo.plots.style import COLOURS, CURSOR, CYCLE, styled

PICTURE = pathlib.Path(__file__).with_suffix(".gif")
SEED = 286
STRIDE = 10  # steps between two frames
SECONDS = {"running": 0.09, "mark": 2.6, "end": 3.5}
MARK = CYCLE[1]


def read_sequence():
    """What the network reads and answers, and the gates and the cell state of the chosen unit."""
    x, y = lz.tasks.adding_1997(1, timesteps=500, seed=SEED)
    model = lz.load_preset("adding")
    trace = lz.trace(model, x)
    length = len(trace.order(sample=0))  # padding follows
    numbers, signal = x[0, :length].T
    first, second = np.flatnonzero(signal == 1)
    moves = np.abs(np.diff(trace.cell_state[0, :length], axis=0))
    unit = int(np.argmax(moves[first - 1] + moves[second - 1]))
    return {
        "numbers": numbers,
        "marks": (int(first), int(second)),
        "input gate": trace.input_gate[0, :length, unit],
        "forget gate": trace.forget_gate[0, :length, unit],
        "cell state": trace.cell_state[0, :length, unit],
        "answer": 4 * (float(model.predict(x, verbose=0)[0, 0]) - 0.5),  # the sum of the two
        "truth": 4 * (float(y[0, 0]) - 0.5),
    }


def frames(read):
    """Each frame: the last step that it shows, its caption and how many seconds it stays."""
    first, second = read["marks"]
    last = len(read["numbers"]) - 1
    one, two = (read["numbers"][mark] for mark in read["marks"])
    start = "An LSTM reads over 500 numbers, one at each step.\nIt must add the two marked ones."
    hold = "No mark: the input gate is shut and the forget\ngate open, so the cell state is kept."
    write = "First mark: the input gate opens,\nand the number changes the cell state."
    later = f"Second mark, {second - first} steps later"
    again = f"{later}: the input gate\nopens, and the cell state changes again."
    end = (
        f"An LSTM adds the marked numbers {one:.2f} and {two:.2f}.\n"
        f"Its answer: {read['answer']:.2f}. The exact sum: {read['truth']:.2f}."
    )
    yield last, end, SECONDS["end"]  # the first frame is all that some pages show
    yield 0, start, SECONDS["mark"]
    for step in range(1, last, STRIDE):
        yield step, start if step < first else hold, SECONDS["running"]
        if step <= first < step + STRIDE:
            yield first, write, SECONDS["mark"]
        if step <= second < step + STRIDE:
            yield second, again, SECONDS["mark"]


@styled
def draw(read, step, caption):
    figure, (top, middle, bottom) = plt.subplots(
        3, sharex=True, figsize=(5, 3.6), height_ratios=(1, 1, 1.2), layout="constrained"
    )
    figure.suptitle(caption, fontsize=11.5, fontweight="bold", x=0.02, ha="left", linespacing=1.3)
    steps, seen = np.arange(len(read["numbers"])), slice(None, step + 1)
    top.plot(steps[seen], read["numbers"][seen], ".", color="#999999", markersize=2.5)
    for mark in read["marks"]:
        if mark <= step:
            top.plot(mark, read["numbers"][mark], "o", color=MARK, markersize=8, clip_on=False)
            for ax in (middle, bottom):
                ax.axvline(mark, color=MARK, linewidth=1, linestyle=":")
    for name, style in (("forget gate", "--"), ("input gate", "-")):
        middle.plot(
            steps[seen], read[name][seen], style, color=COLOURS[name.replace(" ", "_")], label=name
        )
    bottom.plot(steps[seen], read["cell state"][seen], color=COLOURS["cell_state"], linewidth=2.2)
    for ax, label in ((top, "number"), (middle, "gates"), (bottom, "cell state")):
        ax.axvline(step, color=CURSOR, linewidth=2, zorder=0)
        ax.set_ylabel(label)
    top.set(xlim=(-8, len(steps) + 8), ylim=(-1.1, 1.1), yticks=(-1, 0, 1))
    middle.set(ylim=(-0.05, 1.05), yticks=(0, 0.5, 1))
    middle.legend(loc=(0.6, 0.28), borderaxespad=0)
    low, high = read["cell state"].min(), read["cell state"].max()
    bottom.set(ylim=(low - 0.02, high + 0.02), xlabel="step")
    figure.align_ylabels()
    figure.canvas.draw()
    image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    plt.close(figure)
    return image


def main():
    read = read_sequence()
    plan = list(frames(read))
    plt.rcParams["figure.dpi"] = 150
    images = [draw(read, step, caption) for step, caption, _ in plan]
    colours = images[0].quantize(64, method=Image.Quantize.MAXCOVERAGE)
    images = [image.quantize(palette=colours, dither=Image.Dither.NONE) for image in images]
    images[0].save(
        PICTURE,
        save_all=True,
        append_images=images[1:],
        duration=[int(1000 * seconds) for *_, seconds in plan],
        loop=0,
        optimize=True,
    )
    print(f"{PICTURE.name}: {len(images)} frames, {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
