"""A figure that redraws quickly, because its static parts are drawn only once."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from lstm_zoo.plots.style import styled

PIXELS_AN_INCH = 110


class Picture:
    """A figure with a fixed layout, outside of `matplotlib.pyplot`, which would keep it alive.

    Args:
        width, height: size in inches.

    Attributes:
        figure: fill it with Axes at fixed positions, then call `keep`.
    """

    def __init__(self, width: float, height: float):
        self.figure = Figure(figsize=(width, height), dpi=PIXELS_AN_INCH)
        self._canvas = FigureCanvasAgg(self.figure)

    @styled
    def keep(self, moving: Sequence[Artist]) -> None:
        """Draw the static parts once; from now on `moving` is drawn over them, in this order."""
        self._moving = moving
        for artist in moving:
            artist.set_animated(True)
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(self.figure.bbox)

    @styled
    def png(self) -> bytes:
        """The figure in its current state, as a PNG."""
        self._canvas.restore_region(self._still)
        for artist in self._moving:
            self.figure.draw_artist(artist)
        drawn = io.BytesIO()
        pixels = Image.fromarray(np.asarray(self._canvas.buffer_rgba())).convert("RGB")
        pixels.save(drawn, "png", compress_level=1)  # fast: it only travels to the browser
        return drawn.getvalue()

    def axes(self, left: float, bottom: float, right: float, top: float):
        """New Axes, with margins in inches from the edges of the figure."""
        width, height = self.figure.get_size_inches()
        place = (
            left / width,
            bottom / height,
            1 - (left + right) / width,
            1 - (bottom + top) / height,
        )
        return self.figure.add_axes(place)
