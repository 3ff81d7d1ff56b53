"""Writes docs/gallery.md and its pictures: `make docs`. The page shows the code of each picture.

The models are trained here, in under a minute on 2 cores.
"""

import base64
import io
import pathlib
import re
import subprocess
import sys

import keras
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import lstm_zoo as lz

HERE = pathlib.Path(__file__).parent
PICTURES = HERE / "gallery"
PIXELS_AN_INCH = 110

SETUP = """
data = lz.datasets.load("japanese_vowels")  # nine speakers say two vowels
model = lz.build_classifier((None, 12), 9, lstm_units=(16,), dense_units=(), mask_value=0.0)
held_out = data.x_test[::4], data.y_test[::4]
history = lz.fit(model, data.x_train, data.y_train, validation_data=held_out, epochs=30, verbose=0)
x, y = data.x_test, data.y_test
inside = lz.trace(model, x)
"""

FLOWS = """
def flow_of(layer):
    network = keras.Sequential([keras.Input((100, 2)), layer, keras.layers.Dense(1)])
    return lz.gradient_flow(network, *lz.tasks.adding(64, timesteps=100, seed=0), loss="mse")

chrono = lz.cells.Chrono(100)  # opens the forget gates for as long as the task's lags
flows = {
    "forget bias 1": flow_of(lz.LSTM(32, name="memory")),
    "Chrono": flow_of(lz.LSTM(32, name="memory", bias_initializer=chrono)),
}
"""

PADDING = """
shown = np.where(x[:1] == 0, np.nan, x[:1])  # the padding is left blank
"""

FORECAST = """
sunspots = lz.datasets.load("sunspots")
known, truth = np.split(np.concatenate([sunspots.x_train[-264:], sunspots.x_test[:51]]), [303])
prediction = lz.load_preset("sunspots").predict(known[None, -264:], verbose=0)[0]
"""

BACKTEST = """
load = lz.datasets.load("electricity").x_train[-1008:, 0]  # three weeks of half-hours
smaller = {"members": 1, "steps": 300, "lstm_units": 16}  # quick for this page
tested = lz.backtest(load, 48, season=48, start=816, seed=0, verbose=0, **smaller)
"""

ENTRIES = (  # the lines that draw, the lines they need first, what the picture says
    (
        "lz.plots.plot_history(history)",
        SETUP,
        "Training and validation curves. The star marks the epoch whose weights `fit` keeps.",
    ),
    (
        'lz.plots.plot_trace(inside, values=["inputs", "forget_gate", "cell_state"])',
        "",
        "One row for each unit, one column for each step; blank after the utterance ends.",
    ),
    (
        'lz.plots.plot_trace(inside, units=[0, 5], kind="lines", '
        'values=["input_gate", "forget_gate", "cell_state"])',
        "",
        "The same trace for two units, as lines.",
    ),
    (
        "lz.plots.plot_cell_diagram(inside, step=8, unit=5)",
        "",
        "One step through one unit. Wider lines carry larger values; fuller gates are more open.",
    ),
    (
        "lz.plots.animate_trace(inside, unit=5, most_steps=12)",
        "",
        "The same diagram, animated. In a notebook it has buttons and a slider.",
    ),
    (
        "lz.plots.plot_gate_saturation(inside)",
        "",
        "How often each unit's gates are nearly shut or nearly open.",
    ),
    (
        "lz.plots.plot_weights(model.get_layer(inside.layer))",
        "",
        "The weights of a layer, gate by gate.",
    ),
    (
        'lz.plots.plot_gradient_flow(flows, state="cell")',
        FLOWS,
        "How much of the loss's gradient reaches each step, for two untrained LSTMs.",
    ),
    (
        "lz.plots.plot_saliency(lz.saliency(model, x[:1]), shown, "
        "feature_names=data.feature_names)",
        PADDING,
        "Which parts of the input the answer depends on.",
    ),
    (
        "lz.plots.plot_embedding(inside, y, data.class_names)",
        "",
        "The last hidden states of all test utterances, along their two principal components.",
    ),
    (
        "lz.plots.plot_confusion(y, model.predict(x, verbose=0), data.class_names)",
        "",
        "Which speakers the model confuses.",
    ),
    (
        "lz.plots.plot_forecast(known[-60:, 0], truth[:, 0], prediction, (0.1, 0.5, 0.9), "
        'ylabel="sunspots")',
        FORECAST,
        "A forecast of the preset `sunspots` with its band, after the known part of the series.",
    ),
    (
        'lz.plots.plot_backtest(tested, "lstm")',
        BACKTEST,
        "Forecasts of known days from one origin after another, with bands, over what came.",
    ),
)


def main():
    PICTURES.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    known = {"lz": lz, "np": np, "keras": keras}
    parts = [
        "# Gallery\n\nEvery function of `lz.plots`, with the code that draws its picture. "
        "Each function also takes your own `ax`, and returns the axes. "
        "All examples start with\n\n```python\nimport keras\n"
        "import numpy as np\n\nimport lstm_zoo as lz\n```\n"
    ]
    for number, entry in enumerate(ENTRIES, 1):
        line, first, says = entry
        exec(first, known)
        drawn = eval(line, known)
        name = re.search(r"plots\.(\w+)", line)[1]
        picture = _saved(drawn, f"{number:02}_{name}")
        code = lines_of(entry)
        parts.append(
            f"## `{name}`\n\n{says}\n\n```python\n{code}\n```\n\n![{says}](gallery/{picture})\n"
        )
    (HERE / "gallery.md").write_text("\n".join(parts), encoding="utf-8")


def lines_of(entry):
    """What the page shows beside a picture, as ruff would set it."""
    line, first, _ = entry
    command = [sys.executable, "-m", "ruff", "format", "--line-length=100", "-"]
    return subprocess.run(
        command, input=first + line, capture_output=True, text=True, check=True
    ).stdout.strip()


def _saved(drawn, name):
    """The picture of Axes, or of an animation's page, in a file; the file's name."""
    if isinstance(drawn, str):
        moving = re.search(r'src="data:image/apng;base64,([^"]+)"', drawn)[1]
        (PICTURES / f"{name}.png").write_bytes(base64.b64decode(moving))
        return f"{name}.png"
    figure = np.ravel(np.asarray(drawn, dtype=object))[0].figure
    file = io.BytesIO()
    with mpl.rc_context({"savefig.bbox": "tight"}):
        figure.savefig(file, format="png", dpi=PIXELS_AN_INCH)
    plt.close("all")
    small = Image.open(file).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    small.save(PICTURES / f"{name}.png", optimize=True)
    return f"{name}.png"


if __name__ == "__main__":
    main()
