"""The base of all widgets: controls, a picture that follows them, and its numbers as a table.

The widgets import `ipywidgets` from here, which raises a helpful error if it is missing.
"""

from __future__ import annotations

import base64

import numpy as np

from lstm_zoo.plots.style import colour_of, words

try:
    import ipywidgets
except ImportError as problem:
    raise ImportError(
        "lstm_zoo.widgets needs ipywidgets: run `pip install ipywidgets` and restart the notebook"
    ) from problem

WHOLE = "calc(100% - 4px)"  # the page's width, minus margins of 2 pixels


class Explorer(ipywidgets.VBox):
    """Controls, a picture that follows them, and its numbers, from `explore_cell` and others.

    Attributes:
        controls: a dict of the ipywidgets to move.
        buttons: a dict of buttons that set several controls at once; "reset" restores all.
        numbers: a dict of the current numbers of the picture.
        picture: the `ipywidgets.Image` that shows the picture, a PNG.
        drawing: the object that draws the picture; its `figure` is a matplotlib figure.
        text: the `ipywidgets.HTML` with the numbers.
    """

    def __init__(self, controls, look, text_below=False, presets=None, extra=()):
        self.controls, self._look, self._held = controls, look, False
        first = {name: control.value for name, control in controls.items()}
        self.buttons = {
            name: self._button(name, first | settings)
            for name, settings in {**(presets or {}), "reset": {}}.items()
        }
        self.picture = ipywidgets.Image(format="png")
        self.picture.layout.flex = "1 1 300px"  # next to the sliders if there is room
        self.picture.layout.max_width = "480px"
        self.picture.layout.min_width = "0"
        self.text = ipywidgets.HTML()
        self.text.layout.max_width = "100%"
        self.text.layout.overflow = "auto"  # a wide table scrolls on a small screen
        for control in controls.values():
            control.style.description_width = "150px"
            control.layout.width = "550px"  # leaves a track of 300
            control.layout.max_width = WHOLE
            control.observe(self._follow, names="value")
        self._follow()
        row = ipywidgets.Box([*self.buttons.values(), *extra])
        row.layout.flex_flow = "row wrap"
        column: list[ipywidgets.Widget] = [*controls.values(), row]
        below: list[ipywidgets.Widget] = []
        (below if text_below else column).append(self.text)
        sliders = ipywidgets.VBox(column)
        sliders.layout.max_width = WHOLE
        beside = ipywidgets.Box([sliders, self.picture])
        beside.layout.flex_flow = "row wrap"  # on a small screen the picture is below the sliders
        beside.layout.align_items = "flex-start"  # and keeps its shape
        super().__init__([beside, *below])

    def _repr_mimebundle_(self, **options):
        """Add the picture, for pages without a running kernel."""
        picture = base64.b64encode(self.picture.value).decode()
        return {**super()._repr_mimebundle_(**options), "image/png": picture}

    def _button(self, name, settings):
        button = ipywidgets.Button(description=name)
        button.layout.width = "auto"
        button.on_click(lambda _: self._set(settings))
        return button

    def _set(self, settings):
        """Move several controls, and draw once."""
        self._held = True
        try:
            for name, value in settings.items():
                self.controls[name].value = value
        finally:
            self._held = False
        self._follow()

    def _follow(self, change=None):
        if self._held:
            return
        settings = {name: control.value for name, control in self.controls.items()}
        self.numbers, self.drawing, text = self._look(**settings)
        self.picture.value = self.drawing.png()  # the slowest part first, so both change together
        self.text.value = text


def table(rows):
    """HTML with one row per quantity, marked in its colour; the number's class is its name.

    A row has the name of the quantity, any texts, and the value. The texts come last, next to each
    other if there is room, so that a narrow page cuts off nothing.
    """
    style = "padding: 0 8px; white-space: nowrap"
    lines = []
    for name, *texts, value in rows:
        beside = "".join(
            f'<span style="display: inline-block; min-width: min(15em, 100%)">{text}</span>'
            for text in texts
        )
        lines.append(
            f'<tr><td style="{style}; width: 100px; border-left: 6px solid {colour_of(name)}">'
            f'{words(name)}</td><td style="{style}; width: 60px">'
            f'<b class="{name}">{_shown(value)}</b></td><td>{beside}</td></tr>'
        )
    whole = "table-layout: fixed; width: 100%" if beside else ""
    return f'<table style="line-height: 1.5; {whole}">{"".join(lines)}</table>'


def signed(text):
    """The text of a number with a minus sign as wide as a plus."""
    return text.replace("-", "\N{MINUS SIGN}")


def _shown(value):
    return "masked" if np.isnan(value) else signed(f"{value:.3f}")
