"""The C header, compiled by the system's compiler and run on sequences, equal to Keras to 1e-5."""

import pathlib
import runpy
import shutil
import subprocess

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import layers
from lstm_zoo.layers.variants import names

by_keras = runpy.run_path(str(pathlib.Path(__file__).with_name("runtimes.py")))["by_keras"]
RNG = np.random.default_rng(0)
FEATURES, STEPS = 3, 6

PROGRAM = """
#include <stdio.h>
#include "{name}.h"
int main(void) {{
    static {name}_state state;
    float step[{NAME}_FEATURES], output[{NAME}_OUTPUTS];
    int sequence, steps, t;
    while (scanf("%d %d", &sequence, &steps) == 2) {{
        for (t = 0; t < steps; t++) {{
            for (int k = 0; k < {NAME}_FEATURES; k++) if (scanf("%f", step + k) != 1) return 1;
            {name}_step(&state, step, output);
        }}
        for (int k = 0; k < {NAME}_OUTPUTS; k++) printf("%.9g ", output[k]);
        {name}_reset(&state);
    }}
    return 0;
}}
"""
FLAGS = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]


def in_c(model, folder, x):
    """The outputs of an exported model for sequences, from a program of its own."""
    header = lz.export(model, folder / "zoo.h")
    (folder / "main.c").write_text(PROGRAM.format(name="zoo", NAME="ZOO"))
    compiler = shutil.which("cc")
    command = [compiler, *FLAGS, str(folder / "main.c"), "-o", str(folder / "run"), "-lm"]
    subprocess.run(command, check=True)
    given = [
        f"{k} {len(one)} {' '.join(map(repr, one.ravel().tolist()))}" for k, one in enumerate(x)
    ]
    result = subprocess.run(
        [folder / "run"], input="\n".join(given), text=True, capture_output=True, check=True
    )
    included = [line for line in header.read_text().split("\n") if "#include" in line]
    assert included == ["#include <math.h>", "#include <string.h>"]
    return np.reshape([float(number) for number in result.stdout.split()], (len(x), -1))


def randomised(model):
    model.set_weights([RNG.normal(scale=0.5, size=w.shape) for w in model.get_weights()])
    return model


@pytest.mark.long
def test_every_cell_in_c_equals_keras(tmp_path):
    inputs = keras.Input((None, FEATURES))
    masked = keras.layers.Masking()(inputs)
    parts = [layers.layer_for(name, 4)(masked) for name in names()]
    model = randomised(keras.Model(inputs, keras.layers.Concatenate()(parts)))
    x = RNG.normal(size=(4, STEPS, FEATURES)).astype("float32")
    x[0, -2:], x[1, 2], x[2] = 0, 0, 0
    np.testing.assert_allclose(in_c(model, tmp_path, x), by_keras(model, x), atol=1e-5)


@pytest.mark.short("probabilities0", "estimate", "quantiles")
@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        lz.build_classifier((None, FEATURES), 3, lstm_units=(4, 3), dropout=0.1, mask_value=0.0),
        lz.build_regressor((None, FEATURES), 2, lstm_units=(4,), cell="gru"),
        lz.build_classifier((None, FEATURES), 2, lstm_units=4, pooling="mean", mask_value=0.0),
        lz.build_classifier((STEPS, FEATURES), 2, lstm_units=(4,), mask_value=0.0),  # the largest
        lz.build_classifier((None, FEATURES), 2, lstm_units=4, pooling="attention", mask_value=0.0),
        lz.build_forecaster(
            (STEPS, FEATURES), 3, quantiles=(0.1, 0.9), scale_windows=False, lstm_units=(4,)
        ),
    ],
    ids=lambda model: model.output_names[0],
)
def test_every_builder_in_c_equals_keras(model, tmp_path):
    x = RNG.normal(size=(3, STEPS, FEATURES)).astype("float32")
    x[0, 3:] = 0
    expected = np.reshape(by_keras(randomised(model), x), (3, -1))
    np.testing.assert_allclose(in_c(model, tmp_path, x), expected, atol=1e-5)


@pytest.mark.slow
def test_model_of_tokens_in_c_equals_keras(tmp_path):
    model = randomised(lz.build_language_model(6, lstm_units=(4,)))
    x = RNG.integers(0, 6, size=(3, STEPS)).astype("int32")
    np.testing.assert_allclose(in_c(model, tmp_path, x), by_keras(model, x)[:, -1], atol=1e-5)


@pytest.mark.slow
def test_activations_in_c_equal_keras(tmp_path):
    of_keras = (
        "celu elu exponential gelu hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid "
        "log_softmax mish relu relu6 selu sigmoid silu softmax softplus softsign squareplus tanh"
    )
    inputs = keras.Input((None, FEATURES))
    x = lz.LSTM(5)(inputs)
    parts = [keras.layers.Activation(name)(3 * x) for name in of_keras.split()]
    parts += [keras.layers.LayerNormalization()(x), keras.layers.BatchNormalization()(x)]
    model = randomised(keras.Model(inputs, keras.layers.Concatenate()(parts)))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign([0.5, 1.0, 2.0, 0.1, 3.0])
    x = RNG.normal(size=(3, STEPS, FEATURES)).astype("float32")
    np.testing.assert_allclose(in_c(model, tmp_path, x), by_keras(model, x), atol=1e-5)


def test_unsupported_operations_are_named(tmp_path):
    model = lz.build_classifier((None, FEATURES), 2, lstm_units=(3,), bidirectional=True)
    with pytest.raises(ValueError, match="must not be bidirectional"):
        lz.export(model, tmp_path / "m.h")
    model = lz.build_classifier((None, FEATURES), 2, lstm_units=(3,))
    with pytest.raises(ValueError, match="must be a C name"):
        lz.export(model, tmp_path / "2 m.h")
    assert list(tmp_path.iterdir()) == []
