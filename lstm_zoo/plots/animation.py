"""Animates a sequence passing through the LSTM cell, as HTML that plays in a notebook."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator
from PIL import Image

from lstm_zoo import checks, inspection
from lstm_zoo.plots.cell import HEIGHT, CellDiagram, completed, walk_through
from lstm_zoo.plots.style import (
    COLOURS,
    CURSOR,
    NOTE,
    WIDTH,
    axes_for,
    styled,
    thin,
    thinned,
    words,
)


@styled
def animate_trace(
    trace: inspection.Trace,
    sample: int = 0,
    unit: int = 0,
    most_steps: int = 60,
    seconds_a_step: float = 0.5,
) -> str:
    """Animate a sequence passing through the cell step by step, with a slider and a play button.

    Args:
        trace: a Trace of an LSTM, from `lstm_zoo.inspection.trace`.
        sample, unit: the indices of a sequence in the batch and of a unit of the layer.
        most_steps: largest number of steps to show, 2 to 200. It limits the size, 40 to 80 kB per
            step. Longer sequences are thinned evenly, and the title says so.
        seconds_a_step: how long each step is shown, in seconds.

    Returns:
        A string of HTML, which Jupyter and Colab display. Written to a file, it plays in a browser
        too. It loads nothing from elsewhere. Buttons control it; if scripts are blocked, as in a
        notebook that was opened but not run, it plays by itself.

    Raises:
        ValueError: if an argument is not as described above, or if all steps are masked.

    Example:
        >>> import keras, numpy as np
        >>> from lstm_zoo import inspection
        >>> model = keras.Sequential([keras.Input((4, 3)), keras.layers.LSTM(2)])
        >>> page = animate_trace(inspection.trace(model, np.ones((1, 4, 3))))
        >>> page.count("data:image/png")
        4
    """
    most_steps = checks.count("most_steps", most_steps, 2, below=201)
    if checks.positive("seconds_a_step", seconds_a_step) > 60:
        raise ValueError(f"seconds_a_step must be up to 60, got {seconds_a_step!r}")
    walk = walk_through(trace, sample, unit)
    steps = [list(walk)[k] for k in thin(len(walk), most_steps)]
    note = ", ".join([f"sample {sample}, unit {unit}", *thinned(len(steps), len(walk), "step")])
    heights = [HEIGHT + 0.3, 1.9]
    fig = plt.figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    grid = fig.add_gridspec(2, height_ratios=heights)
    try:
        top, below = (axes_for(fig.add_subfigure(part).subplots()) for part in (grid[0], grid[1]))
        diagram, cursor = CellDiagram(top), _draw_course(below, trace, sample, unit)
        frames = []
        for t in steps:
            diagram.show(completed(walk[t]))
            top.set_title(f"{note}: step {t}", loc="right", color=NOTE)
            cursor.set_xdata([t, t])
            frames.append(_drawn(fig))
            fig.set_layout_engine("none")  # keep the layout of the first frame
    finally:
        plt.close(fig)
    frames = _in_colours_of_all(frames)
    moving = _data_url(
        frames[0], save_all=True, append_images=frames[1:], duration=1000 * seconds_a_step, loop=0
    )
    stills = [_data_url(frame) for frame in frames]
    return Page(_player(moving, stills, f"{trace.layer}, {note}", seconds_a_step))


class Page(str):
    """A string of HTML that a notebook displays instead of printing."""

    def _repr_html_(self):
        return str(self)


def _draw_course(ax, trace, sample, unit):
    """Draw the states of the unit over time, and a line that marks the current step."""
    for name, line in (("cell_state", "-"), ("hidden_state", "--")):
        series = trace.values[name][sample, :, unit]
        ax.plot(series, line, color=COLOURS[name], label=words(name))
    last = max(trace.order(sample))  # later steps are masked
    ax.set(xlabel="time step", ylabel="value", xlim=(-0.5, last + 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    cursor = ax.axvline(0, color=CURSOR, linewidth=2.5, label="step", zorder=1)
    ax.legend(loc="lower left", ncols=3, bbox_to_anchor=(0, 1))
    return cursor


def _drawn(fig):
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=100)
    return Image.open(drawn).convert("RGB")


def _in_colours_of_all(frames):
    """Convert the frames to one palette of 64 colours, without visible loss."""
    first, *_ = frames
    strip = Image.new("RGB", (first.width, first.height * len(frames)))
    for k, frame in enumerate(frames):
        strip.paste(frame, (0, k * first.height))
    palette = strip.quantize(64, dither=0)
    return [frame.quantize(palette=palette, dither=0) for frame in frames]


def _data_url(frame, **moving):
    """A still picture, or an animated one that browsers play without a script."""
    small = io.BytesIO()
    frame.save(small, "png", optimize=not moving, **moving)
    kind = "apng" if moving else "png"
    return f"data:image/{kind};base64,{base64.b64encode(small.getvalue()).decode()}"


def _player(moving, frames, title, seconds_a_step):
    # The class identifies the animation, so that a notebook can hold several, and a second copy of
    # the same animation gets its own buttons.
    name = "lstm-zoo-" + hashlib.sha256("".join(frames).encode()).hexdigest()[:12]
    return f"""<div class="{name}" style="max-width: 520px; padding: 8px; background: #ffffff">
<img src="{moving}" alt="{html.escape(title)}" style="width: 100%">
<div style="display: flex; gap: 6px">
<button type="button" aria-label="one step back">&#9664;</button>
<button type="button" style="min-width: 4.5em">play</button>
<button type="button" aria-label="one step on">&#9654;</button>
<input type="range" min="0" max="{len(frames) - 1}" value="0" aria-label="step" style="flex: 1">
</div></div>
<script>
(() => {{
  const frames = {json.dumps(frames)};
  for (const box of document.querySelectorAll(".{name}:not([data-ready])")) {{
    box.dataset.ready = "yes";
    const image = box.querySelector("img"), slider = box.querySelector("input");
    const [back, play, on] = box.querySelectorAll("button");
    image.src = frames[0];  // paused until a button is pressed
    let timer = null;
    const show = (k) => {{
      slider.value = (k + frames.length) % frames.length;
      image.src = frames[slider.value];
    }};
    const pause = () => {{ clearInterval(timer); timer = null; play.textContent = "play"; }};
    play.onclick = () => {{
      if (timer) return pause();
      play.textContent = "pause";
      timer = setInterval(() => show(+slider.value + 1), {1000 * seconds_a_step:.0f});
    }};
    back.onclick = () => {{ pause(); show(+slider.value - 1); }};
    on.onclick = () => {{ pause(); show(+slider.value + 1); }};
    slider.oninput = () => {{ pause(); show(+slider.value); }};
  }}
}})();
</script>"""
