"""The ways to run a cell over time: one file for each engine.

An engine says why it can't run a call of a layer, or runs it. Engines are asked in the order of
their `place`, the fastest first. `engine_for(call)` is the first that can, and `lz.explain` asks
the same engines the same question. To add one, write a file here with a subclass of `Engine` under
`@register`; nothing else has to change.
"""

from lstm_zoo.cells.registry import engines_from
from lstm_zoo.recurrence.engines.base import (
    ENGINES,
    Engine,
    engine_for,
    labels_for,
    listed,
    register,
)
from lstm_zoo.recurrence.engines.call import LayerCall
from lstm_zoo.registry import import_all

__all__ = ["ENGINES", "Engine", "LayerCall", "engine_for", "listed", "register"]

import_all(__name__)
engines_from(labels_for)
