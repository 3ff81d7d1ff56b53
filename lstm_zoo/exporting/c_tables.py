"""C expressions for TensorFlow's elementwise operations and reductions."""

import numpy as np

ONE = {  # of x
    "Sigmoid": "1.0f / (1.0f + expf(-x))",
    "Tanh": "tanhf(x)",
    "Exp": "expf(x)",
    "Log": "logf(x)",
    "Log1p": "log1pf(x)",
    "Expm1": "expm1f(x)",
    "Neg": "-x",
    "Abs": "fabsf(x)",
    "Sign": "(float)((x > 0) - (x < 0))",
    "Sqrt": "sqrtf(x)",
    "Rsqrt": "1.0f / sqrtf(x)",
    "Square": "x * x",
    "Reciprocal": "1.0f / x",
    "Inv": "1.0f / x",
    "Erf": "erff(x)",
    "Erfc": "erfcf(x)",
    "Floor": "floorf(x)",
    "Ceil": "ceilf(x)",
    "Sin": "sinf(x)",
    "Cos": "cosf(x)",
    "Relu": "fmaxf(x, 0.0f)",
    "Relu6": "fminf(fmaxf(x, 0.0f), 6.0f)",
    "Elu": "x > 0 ? x : expm1f(x)",
    "Selu": "1.05070098f * (x > 0 ? x : 1.67326324f * expm1f(x))",
    "Softplus": "fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)))",
    "Softsign": "x / (1.0f + fabsf(x))",
    "LogicalNot": "(float)!x",
    "IsNan": "(float)isnan(x)",
    "Cast": "x",
}
TWO = {  # of x and y
    **dict.fromkeys(("AddV2", "Add", "BiasAdd"), "x + y"),
    "Sub": "x - y",
    "Mul": "x * y",
    **dict.fromkeys(("RealDiv", "Div"), "x / y"),
    "DivNoNan": "y == 0 ? 0.0f : x / y",
    "Maximum": "fmaxf(x, y)",
    "Minimum": "fminf(x, y)",
    "Pow": "powf(x, y)",
    "SquaredDifference": "(x - y) * (x - y)",
    "Greater": "(float)(x > y)",
    "GreaterEqual": "(float)(x >= y)",
    "Less": "(float)(x < y)",
    "LessEqual": "(float)(x <= y)",
    "Equal": "(float)(x == y)",
    "NotEqual": "(float)(x != y)",
    "LogicalAnd": "(float)(x && y)",
    "LogicalOr": "(float)(x || y)",
}
REDUCTIONS = {  # initial value, update with x, final expression
    "Sum": ("0.0f", "a + x", "a"),
    "Mean": ("0.0f", "a + x", "a / {count}"),
    "Prod": ("1.0f", "a * x", "a"),
    "Max": ("-INFINITY", "fmaxf(a, x)", "a"),
    "Min": ("INFINITY", "fminf(a, x)", "a"),
    "Any": ("0.0f", "(float)(a || x)", "a"),
    "All": ("1.0f", "(float)(a && x)", "a"),
}
SAME = (
    "Identity IdentityN StopGradient PreventGradient EnsureShape CheckNumerics Reshape ExpandDims "
    "Squeeze ReadVariableOp"
)
NOTHING = "Placeholder Const NoOp VarHandleOp Assert"
FOLDED = {  # computed at export if all inputs are known; None: only moves elements
    **dict.fromkeys(("StridedSlice", "Slice", "Split", "SplitV", "Transpose", "Unpack")),
    "Sub": np.subtract,
    "AddV2": np.add,
    "Mul": np.multiply,
    "ConcatV2": lambda *given: np.concatenate(given[:-1], int(given[-1])),
}
