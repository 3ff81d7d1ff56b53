"""Draw cell.png, the moving picture of README.md: a cell of the preset `speakers` hears a voice.

python notebooks/pictures/cell.py
"""

import base64
import pathlib
import re

import numpy as np

import lstm_zoo as lz

voices = lz.datasets.load("japanese_vowels").x_test[:1]
trace = lz.trace(lz.load_preset("speakers"), voices)
states = trace.cell_state[0]
unit = int(np.argmax(states.max(axis=0) - states.min(axis=0)))  # the one that moves most
page = lz.plots.animate_trace(trace, unit=unit, most_steps=20)
moving = re.search(r'src="data:image/apng;base64,([^"]+)"', page)[1]
path = pathlib.Path(__file__).with_suffix(".png")
path.write_bytes(base64.b64decode(moving))
print(f"{path.name}: {path.stat().st_size} bytes")
