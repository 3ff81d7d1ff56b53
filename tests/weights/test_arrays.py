"""Layers with the arrays of another library's class give the numbers of that class.

tests/data/weights/make_foreign.py made the arrays and the numbers with each library itself.
"""

import pathlib

import keras
import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.weights import from_arrays, to_arrays
from lstm_zoo.weights.sources import SOURCES
from lstm_zoo.weights.trees import flattened, prefix_of

DATA = pathlib.Path(__file__).parents[1] / "data" / "weights"
FILES = {path.stem: np.load(path) for path in sorted(DATA.glob("foreign_*.npz"))}
CASES = {
    case.removesuffix(":"): file for file in FILES.values() for case in file if case[-1:] == ":"
}
GRU, RNN, Both = keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.Bidirectional


def source_of(case):
    return case.split()[0]


def arrays_of(case):
    file = CASES[case]
    return {k.split(":", 1)[1]: file[k] for k in file if k.startswith(f"{case}:") and k[-1] != ":"}


def layers_of(case, **options):
    """New layers that compute the same as the class of a case."""
    options = {"return_sequences": True} | options
    source, _, variant = case.partition(" ")
    if source == "xlstm.sLSTMLayer":
        return [lz.layers.layer_for("slstm", 6, **options)]
    if variant == "projected":
        return [lz.layers.layer_for("projected", 4, projection=2, **options)]
    if variant == "with peepholes":
        return [lz.PeepholeLSTM(4, **options)]
    if source == "haiku.GRU":
        return [GRU(4, reset_after=False, **options)]
    kind = GRU if "GRU" in source else RNN if "RNN" in source else lz.LSTM
    deep = {"paddle.nn.LSTM", "paddle.nn.GRU", "gluon.rnn.LSTM", "gluon.rnn.GRU"}
    if source in deep or variant == "both":
        return [Both(kind(4, **options)) for _ in range(2)]
    return [kind(4, **options) for _ in range(2 if source == "chainer.links.NStepLSTM" else 1)]


def answers(layers, x):
    for layer in layers:
        x = layer(x)
    return np.asarray(x)


@pytest.mark.parametrize("case", CASES)
def test_layers_give_the_numbers_of_the_library(case):
    layers = layers_of(case)
    prefix = "0.cell." if case == "paddle.nn.LSTMCell projected" else None
    from_arrays(layers, arrays_of(case), source_of(case), prefix=prefix)
    np.testing.assert_allclose(
        answers(layers, CASES[case]["x"]), CASES[case][f"{case}:"], atol=1e-6
    )


def test_each_source_has_a_case():
    assert {source_of(case) for case in CASES} == set(SOURCES)


def random_layers(case, **options):
    layers, rng = layers_of(case, **options), np.random.default_rng(7)
    answers(layers, CASES[case]["x"])
    for layer in layers:
        layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layers


def weights_of(layers):
    return [weight for layer in layers for weight in layer.get_weights()]


# Two biases of Keras become one, so that the sum is rounded; or a constant is taken off a bias.
ROUNDED = {"nnx.GRUCell", "linen.GRUCell", "equinox.nn.GRUCell", "haiku.LSTM"}


@pytest.mark.parametrize("case", [case for case in CASES if SOURCES[source_of(case)].write])
def test_weights_go_out_and_back_without_a_changed_bit(case):
    source, before, after = source_of(case), random_layers(case), layers_of(case)
    for layer in before:
        both = isinstance(layer, Both)
        for part in [layer.forward_layer, layer.backward_layer] if both else [layer]:
            weights = part.cell.get_weights()
            if part.cell.__class__.__name__ == "ProjectedLSTMCell":
                weights[3] *= 0  # no peepholes
            if source in ROUNDED and isinstance(part, GRU):
                weights[2][1] *= 0  # no bias of the recurrent product
            part.cell.set_weights(weights)
    tree = to_arrays(before, source, prefix="model/")
    from_arrays(after, {"model": tree["model"]} if "model" in tree else tree, source)
    for old, new in zip(weights_of(before), weights_of(after), strict=True):
        if source == "haiku.LSTM":
            np.testing.assert_allclose(old, new, atol=2e-7)
        else:
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("case", [case for case in CASES if SOURCES[source_of(case)].write])
def test_arrays_go_out_under_the_names_and_shapes_that_the_library_has(case):
    layers, wanted = layers_of(case), arrays_of(case)
    prefix = "0.cell." if case == "paddle.nn.LSTMCell projected" else None
    from_arrays(layers, wanted, source_of(case), prefix=prefix)
    prefix = prefix or prefix_of(wanted, SOURCES[source_of(case)], None)
    got = flattened("arrays", to_arrays(layers, source_of(case), prefix=prefix))
    if "without bias" not in case:
        assert set(got) <= set(wanted)
        assert all(got[name].shape == wanted[name].shape for name in got)
    for name, value in got.items():
        if "bias" not in name and "/b" not in name and name in wanted and wanted[name].ndim == 2:
            np.testing.assert_array_equal(value, wanted[name])


def test_both_biases_of_keras_reach_a_class_with_one():
    for source in ("linen.GRUCell", "equinox.nn.GRUCell"):
        [layer], [again] = random_layers(source), layers_of(source)
        from_arrays(again, to_arrays(layer, source), source)
        x = CASES[source]["x"]
        np.testing.assert_allclose(layer(x), again(x), atol=1e-6)
    with pytest.raises(ValueError, match="no recurrent bias of the candidate, because nnx.GRUCell"):
        to_arrays(random_layers("nnx.GRUCell"), "nnx.GRUCell")


def test_cell_is_found_in_a_tree_and_chosen_by_prefix():
    cell = {"weight_ih": np.ones((16, 3)), "weight_hh": np.ones((16, 4))}
    other = {name: 2 * value for name, value in cell.items()}
    layer = lz.LSTM(4)
    from_arrays(layer, {"a": {"lstm": cell}, "head": {"weight": np.ones(2)}}, "equinox.nn.LSTMCell")
    assert layer.get_weights()[0].max() == 1
    two = {"a": cell, "b": other}
    with pytest.raises(ValueError, match="prefix must be one of 'a/', 'b/'$"):
        from_arrays(layer, two, "equinox.nn.LSTMCell")
    from_arrays(layer, two, "equinox.nn.LSTMCell", prefix="b/")
    assert layer.get_weights()[0].max() == 2
    with pytest.raises(ValueError, match="prefix must be one of 'a/', 'b/', got 'c/'"):
        from_arrays(layer, two, "equinox.nn.LSTMCell", prefix="c/")


def test_half_precision_and_bfloat16_arrive_as_float32():
    import ml_dtypes

    for dtype in ("float16", ml_dtypes.bfloat16):
        arrays = {k: v.astype(dtype) for k, v in arrays_of("equinox.nn.LSTMCell").items()}
        layer = lz.LSTM(4)
        from_arrays(layer, arrays, "equinox.nn.LSTMCell")
        wanted = arrays["weight_ih"].astype("float32").T
        np.testing.assert_array_equal(layer.get_weights()[0], wanted)


def without(case, *names):
    return {name: value for name, value in arrays_of(case).items() if name not in names}


def changed(case, **changes):
    return arrays_of(case) | changes


class Unreadable:
    def __array__(self, *_args, **_kwargs):
        raise RuntimeError("it is on a device")


LSTM = "equinox.nn.LSTMCell"
BLOCK = "tf.raw_ops.BlockLSTM"
SLSTM = "xlstm.sLSTMLayer"
WRONG = {
    "no such source": (lz.LSTM(4), {}, "equinox.LSTMCell", "source must be one of .*did you mean"),
    "no dict": (lz.LSTM(4), [np.ones(3)], LSTM, "arrays must be a dict of arrays"),
    "empty": (lz.LSTM(4), {}, LSTM, "arrays must have weight_ih, weight_hh, .* got nothing"),
    "missing": (lz.LSTM(4), without(LSTM, "weight_hh"), LSTM, "arrays lacks weight_hh, which"),
    "half of a group": (
        GRU(4),
        without("equinox.nn.GRUCell", "bias_n"),
        "equinox.nn.GRUCell",
        "'bias_n' too",
    ),
    "another kind": (
        GRU(4),
        arrays_of(LSTM),
        LSTM,
        "layers must be lz.LSTM for equinox.nn.LSTMCell, got GRU",
    ),
    "another cell": (
        lz.LSTM(4),
        arrays_of("equinox.nn.GRUCell"),
        "equinox.nn.GRUCell",
        "must be keras.layers.GRU",
    ),
    "arrays of another cell": (
        lz.LSTM(4),
        arrays_of("equinox.nn.GRUCell"),
        LSTM,
        "must be of shape|axis 0",
    ),
    "other units": (
        lz.LSTM(5),
        arrays_of(LSTM),
        LSTM,
        r"recurrent kernel must be of shape \(5, 20\), got \(4, 16\)",
    ),
    "other activation": (
        lz.LSTM(4, activation="relu"),
        arrays_of(LSTM),
        LSTM,
        "activation must be 'tanh'",
    ),
    "reset_after": (
        GRU(4, reset_after=False),
        arrays_of("equinox.nn.GRUCell"),
        "equinox.nn.GRUCell",
        "reset_after=True",
    ),
    "NaN": (
        lz.LSTM(4),
        changed(LSTM, weight_ih=np.full((16, 3), np.nan)),
        LSTM,
        "weight_ih must be finite",
    ),
    "too large": (
        lz.LSTM(4),
        changed(LSTM, weight_ih=np.full((16, 3), 1e39)),
        LSTM,
        "kernel must fit in float32, got numbers up to 1e.39",
    ),
    "text": (lz.LSTM(4), changed(LSTM, weight_ih="abc"), LSTM, "weight_ih must be an array"),
    "unreadable": (
        lz.LSTM(4),
        changed(LSTM, weight_ih=Unreadable()),
        LSTM,
        "weight_ih must be an array that NumPy can read: it is on a device",
    ),
    "no matrix": (
        lz.LSTM(4),
        changed(LSTM, weight_ih=np.ones(16)),
        LSTM,
        r"kernel of i must be of shape \(features, 4\)",
    ),
    "odd size": (
        lz.LSTM(4),
        changed(LSTM, weight_hh=np.ones((15, 4))),
        LSTM,
        r"weight_hh must have an axis 0 of 4 \* units",
    ),
    "widths differ": (
        lz.LSTM(4),
        changed(LSTM, bias=np.ones(20)),
        LSTM,
        r"bias of i must be of shape \(4,\)",
    ),
    "no bias": (lz.LSTM(4, use_bias=False), arrays_of(LSTM), LSTM, "must have a bias"),
    "list for a cell": (
        [lz.LSTM(4), lz.LSTM(4)],
        arrays_of(LSTM),
        LSTM,
        "one layer of one direction .* 2 layers",
    ),
    "both for a cell": (
        Both(lz.LSTM(4)),
        arrays_of(LSTM),
        LSTM,
        "one layer of one direction .* got Bidirectional",
    ),
    "no layers": ([], arrays_of(LSTM), LSTM, "at least one layer"),
    "too few layers": (
        Both(lz.LSTM(4)),
        arrays_of("paddle.nn.LSTM"),
        "paddle.nn.LSTM",
        "which also has 'weight_ih_l1'",
    ),
    "one direction": (
        [lz.LSTM(4), lz.LSTM(4)],
        arrays_of("paddle.nn.LSTM"),
        "paddle.nn.LSTM",
        "also has 'weight_ih_l0_reverse'",
    ),
    "too many layers": (
        [lz.LSTM(4) for _ in range(3)],
        arrays_of("chainer.links.NStepLSTM"),
        "chainer.links.NStepLSTM",
        "2/w0",
    ),
    "clips by default": (
        lz.LSTM(4),
        without(BLOCK, "cell_clip"),
        BLOCK,
        "cell_clip of at most 0, .* got 3.0, the operation's default",
    ),
    "clips": (
        lz.LSTM(4),
        changed(BLOCK, cell_clip=1.5),
        BLOCK,
        "cell_clip of at most 0, .* got 1.5$",
    ),
    "no hidden rows": (
        lz.LSTM(4),
        changed(BLOCK, w=np.ones((4, 16))),
        BLOCK,
        "more than units=4 rows",
    ),
    "peepholes": (lz.LSTM(4), changed(BLOCK, use_peephole=True), BLOCK, "must be lz.PeepholeLSTM"),
    "no peepholes": (
        lz.PeepholeLSTM(4),
        {k: changed(BLOCK, use_peephole=True)[k] for k in ("w", "b", "cell_clip", "use_peephole")},
        BLOCK,
        "wci, wcf and wco",
    ),
    "convolution": (
        lz.layers.layer_for("slstm", 6),
        changed(SLSTM, **{"conv1d.conv.weight": np.ones(3)}),
        SLSTM,
        "convolves its input",
    ),
    "heads": (
        lz.layers.layer_for("slstm", 6),
        changed(SLSTM, **{"fgate.weight": np.ones((1, 6, 6))}),
        SLSTM,
        r"fgate.weight must be \(2, 3, 3\)",
    ),
    "recurrent": (
        lz.layers.layer_for("slstm", 6),
        changed(SLSTM, **{"slstm_cell._recurrent_kernel_": np.ones((2, 3, 5))}),
        SLSTM,
        "heads, 4 . size, size",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_end_in_one_error_that_says_what_is_wrong(case):
    layers, arrays, source, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        from_arrays(layers, arrays, source)


def test_no_layer_changes_if_one_does_not_fit():
    layers = [Both(lz.LSTM(4)), Both(lz.LSTM(5))]
    answers([Both(lz.LSTM(4, return_sequences=True))], np.ones((1, 2, 3)))
    layers[0].build((None, None, 3))
    before = layers[0].get_weights()
    with pytest.raises(ValueError, match="recurrent kernel must be of shape"):
        from_arrays(layers, arrays_of("paddle.nn.LSTM"), "paddle.nn.LSTM")
    for old, new in zip(before, layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_trees_without_end_are_refused():
    tree: dict = {}
    tree["a"] = tree
    with pytest.raises(ValueError, match="at most 32 dicts inside one another"):
        from_arrays(lz.LSTM(4), tree, LSTM)


def test_layers_that_a_class_does_not_compute_are_not_written():
    for layer, source, message in [
        (lz.LSTM(4), LSTM, "must be built"),
        (GRU(4), LSTM, "layers must be lz.LSTM for equinox.nn.LSTMCell, got GRU"),
        (keras.layers.Dense(4), LSTM, "layers must be one of lz.LSTM, .*, got Dense"),
        (lz.LSTM(4), "xlstm.sLSTMLayer", "source must be one of"),
        (lz.LSTM(4, activation="relu"), LSTM, "activation must be 'tanh'"),
    ]:
        with pytest.raises(ValueError, match=message):
            to_arrays(layer, source)
