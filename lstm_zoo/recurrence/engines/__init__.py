"""The engines that can run a cell over time, with one file for each.

An engine runs a call of a layer, or gives a reason why it can't. Engines are asked in the order of
their `place`, fastest first; `engine_for(call)` returns the first that can run the call.
`lz.explain` asks the same engines for their reasons. To add an engine, add a file here with a
subclass of `Engine` under `@register`; nothing else has to change.
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
