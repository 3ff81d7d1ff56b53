"""Plans run by the C code of `lstm_zoo/serving/native`: one call, no TensorFlow."""

from __future__ import annotations

import ctypes
import pathlib

import numpy as np

from lstm_zoo.serving.packing import PACKED
from lstm_zoo.serving.plan import Plan
from lstm_zoo.serving.validation import MOST_INPUTS, MOST_VALUES

LIBRARY = pathlib.Path(__file__).with_name("native") / "serving.so"
INTERFACE = 4  # that of `plan.c`; a library that an older version left behind has another

# As in serving.h, in the same order.
_NAMES = (
    "affine not_equal any masking embedding recurrent dense activation mean maximum attention "
    "layer_norm combine copy window_scale seasonal scaled_back convolution permute dot_attention "
    "mean_step maximum_step attention_step constant best_path"
)
OPERATIONS = _NAMES.split()
VALUE = np.dtype([("steps", "i8"), ("width", "i8"), ("place", "i8"), ("number", "i8")])
STEP = np.dtype(
    [
        ("operation", "i8"),
        ("in", "i8", 8),
        ("out", "i8", 4),
        ("options", "i8", 12),
        ("number", "f8"),
        ("weights", "u8", 6),
    ]
)
_SCRATCH, _INPUT, _OUTPUT = range(3)


class _Plan(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("values_count", "steps_count", "inputs_count")),
        *((name, ctypes.c_void_p) for name in ("values", "steps", "checked")),
    ]


def _load():
    """The library, or None and why there is none."""
    if not LIBRARY.exists():
        return None, "it was not built; install the package again where there is a C compiler"
    try:
        library = ctypes.CDLL(str(LIBRARY))
        interface = ctypes.c_int.in_dll(library, "lstm_zoo_serving_interface").value
    except OSError as problem:
        return None, f"its library can't be loaded: {problem}"
    except ValueError:
        interface = None
    if interface != INTERFACE:
        return None, "it was not built for this version; install the package again"
    library.lstm_zoo_serve.argtypes = [ctypes.c_void_p, ctypes.c_int64] + [ctypes.c_void_p] * 3
    library.lstm_zoo_serving_simd.restype = ctypes.c_char_p
    return library, None


LIBRARY_OR_NONE, WHY_NOT = _load()


def _aligned(weight):
    """A float32 copy that begins with a cache line: a vector then never lies across two."""
    memory = np.empty(4 * weight.size + 64, "uint8")
    start = -memory.ctypes.data % 64
    copy = memory[start : start + 4 * weight.size].view("float32").reshape(weight.shape)
    copy[...] = weight
    return copy


def simd() -> str:
    """The instructions that the C code uses here: "avx512", "avx2" or "plain"."""
    return LIBRARY_OR_NONE.lstm_zoo_serving_simd().decode()


class Compiled:
    """A plan with its weights packed; calls of several threads do not disturb each other.

    `function` is that of the C code, whose first argument is `address`.

    Args:
        plan: what to run.
        checked: how many inputs, from the first on, must be finite where they are no tokens; None
            for all.

    Raises:
        ValueError: if the C code is not there.
    """

    def __init__(self, plan: Plan, checked: int | None = None):
        if LIBRARY_OR_NONE is None:
            raise ValueError(f"the C code of lstm_zoo can't be used: {WHY_NOT}")
        if len(plan.values) > MOST_VALUES or len(plan.inputs) > MOST_INPUTS:
            raise ValueError(
                f"the model has more than {MOST_VALUES} arrays or {MOST_INPUTS} inputs"
            )
        self.plan = plan
        width = LIBRARY_OR_NONE.lstm_zoo_serving_width()
        self._values = np.zeros(len(plan.values), VALUE)
        for number, (steps, wide) in enumerate(plan.values):
            self._values[number] = (steps, wide, _SCRATCH, 0)
        for place, several in ((_INPUT, plan.inputs), (_OUTPUT, plan.results)):
            for number, one in enumerate(several):
                self._values[one.value]["place"] = place
                self._values[one.value]["number"] = number
        self._weights: list = []
        self._steps = np.zeros(len(plan.steps), STEP)
        for line, step in zip(self._steps, plan.steps):
            self._write(line, step, width)
        self._checked = np.array([one.dtype == "float32" for one in plan.inputs], "int64")
        self._checked[len(plan.inputs) if checked is None else checked :] = 0
        self._native = _Plan(
            len(plan.values),
            len(plan.steps),
            len(plan.inputs),
            *(one.ctypes.data for one in (self._values, self._steps, self._checked)),
        )
        self.address = ctypes.addressof(self._native)
        self.function = LIBRARY_OR_NONE.lstm_zoo_serve

    def _write(self, line, step, width):
        line["operation"] = OPERATIONS.index(step.operation)
        line["in"], line["out"] = -1, -1
        line["in"][: len(step.inputs)] = step.inputs
        line["out"][: len(step.outputs)] = step.outputs
        line["options"][: len(step.options)] = step.options
        line["number"] = step.number
        weights = [self.plan.weights[k] for k in step.weights]
        if step.operation in PACKED:
            weights = PACKED[step.operation](weights, step, width)
        weights = [_aligned(weight) for weight in weights]
        self._weights += weights
        line["weights"][: len(weights)] = [weight.ctypes.data for weight in weights]

    def sizes(self, arrays) -> np.ndarray:
        """How many steps each size of the plan has, for arrays of these shapes."""
        return np.array(
            [
                plus if source is None else arrays[source].shape[axis] + plus
                for plus, source, axis in self.plan.sizes
            ],
            "int64",
        )

    def results(self, rows, sizes) -> list[np.ndarray]:
        """New arrays for what the plan gives."""
        plan = self.plan
        return [
            np.empty(
                (
                    rows,
                    *(
                        s if isinstance(s, int) else sizes[plan.sizes.index(s)]
                        for s in result.shape
                    ),
                ),
                "float32",
            )
            for result in plan.results
        ]

    def run(self, rows, sizes, inputs, outputs) -> tuple[int, int]:
        """Run on arrays that are contiguous and of the right type and size.

        Returns:
            The number of the problem, 0 if there is none, and that of the input that has it.
        """
        given = (ctypes.c_void_p * len(inputs))(*(one.ctypes.data for one in inputs))
        taken = (ctypes.c_void_p * len(outputs))(*(one.ctypes.data for one in outputs))
        problem = self.function(self.address, rows, sizes.ctypes.data, given, taken)
        return problem % 8, problem // 8
