"""lz.tune: the parts of the data, what is searched, who wins, and how it ends."""

import functools

import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo.tuning import arguments
from lstm_zoo.tuning.parts import parts_of

QUICK = {"folds": 2, "seeds": 2, "epochs": 3, "verbose": 0}
SMALL = {"lstm_units": 4, "dense_units": ()}
REGRESSOR = functools.partial(lz.build_regressor, **SMALL)
CLASSIFIER = functools.partial(lz.build_classifier, **SMALL)


def sums(samples=60):
    x = np.random.default_rng(0).normal(size=(samples, 4, 1)).astype("float32")
    return x, x.sum(axis=1)


def steps_of(part):
    """The steps that a part has as targets, where a target is the number of its step."""
    return {int(step) for step in np.ravel(part[1])}


def apart(parts, least):
    """Whether the steps of each part all come after those of the part before it."""
    [(train, validation)] = parts.pairs
    steps = [steps_of(part) for part in (train, validation, parts.held)]
    return all(max(a) < min(b) for a, b in zip(steps, steps[1:])) and min(map(len, steps)) >= least


def test_parts_of_arrays_in_time_share_no_step_to_forecast():
    horizon = 5
    x, y = lz.windows(np.arange(100.0), 8, horizon).arrays()
    shared = {"classes": False, "groups": None, "folds": 4, "seed": 0}
    assert apart(parts_of((x, y), gap=horizon - 1, **shared), 10)
    assert not apart(parts_of((x, y), gap=horizon - 2, **shared), 10)


def test_parts_of_windows_share_no_step_to_forecast_whatever_the_stride():
    shared = {"classes": False, "groups": None, "folds": 4, "seed": 0, "gap": None}
    for stride in (1, 3, 7):
        assert apart(parts_of(lz.windows(np.arange(100.0), 8, 5, stride), **shared), 5)


def test_each_series_is_divided_at_the_same_distance_from_its_end():
    many = [np.arange(100.0), np.arange(1000.0, 1060.0)]
    parts = parts_of(lz.windows(many, 8, 5), classes=False, groups=None, folds=4, seed=0, gap=None)
    assert steps_of(parts.held) == {*range(80, 100), *range(1040, 1060)}


def test_each_fold_has_all_classes_in_their_shares_and_each_sample_once():
    y = np.repeat([0, 1], [75, 25])
    parts = parts_of((np.arange(100), y), classes=True, groups=None, folds=4, seed=0, gap=None)
    held, validated = parts.held, [pair[1] for pair in parts.pairs]
    for x, labels in [held, *validated]:
        assert (len(x), labels.sum()) == (20, 5)
    everything = np.concatenate([held[0], *(x for x, _ in validated)])
    assert sorted(everything) == list(range(100))
    for (train, _), (validation, _) in parts.pairs:
        assert not {*train} & {*validation}
        assert not {*train, *validation} & {*held[0]}


@pytest.mark.parametrize("classes", [True, False])
def test_a_group_is_in_one_part_only(classes):
    groups, y = np.repeat(np.arange(20), 5), np.tile([0, 1], 50)
    data = (groups, y)
    parts = parts_of(data, classes=classes, groups=groups, folds=4, seed=0, gap=None)
    for (train, _), (validation, _) in parts.pairs:
        assert not {*train} & {*validation}
        assert not {*train, *validation} & {*parts.held[0]}


@pytest.mark.slow
def test_better_settings_win_and_the_table_says_what_the_default_had(capsys):
    build = functools.partial(REGRESSOR, learning_rate=1e-6)
    found = lz.tune(build, sums(), space={"learning_rate": [1e-7, 3e-2]}, trials=4, **QUICK)
    assert found.best == {"learning_rate": 3e-2}
    assert found.default > min(loss for _, loss in found.trials)
    assert len(found.scores["default"]) == len(found.scores["found"]) == 2
    table = str(found)
    assert f"{found.default:.4g}" in table
    assert "learning_rate=0.03" in table
    assert float(found.build().optimizer.learning_rate) == pytest.approx(3e-2)
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_the_default_wins_where_nothing_is_better():
    found = lz.tune(REGRESSOR, sums(), space={"learning_rate": [1e-7]}, trials=1, **QUICK)
    assert found.best == {}
    assert found.found == {"learning_rate": 1e-7}
    assert "Keep the default" in str(found)


@pytest.mark.slow
def test_settings_as_good_as_the_default_do_not_win():
    build = functools.partial(REGRESSOR, learning_rate=1e-2)
    found = lz.tune(build, sums(), space={"learning_rate": [1e-2]}, trials=1, **QUICK)
    assert found.best == {}


@pytest.mark.slow
def test_settings_that_end_in_numbers_that_are_not_finite_lose():
    found = lz.tune(
        REGRESSOR, sums(), space={"learning_rate": [1e30, 1e-2]}, trials=4, seed=1, **QUICK
    )
    assert found.found == {"learning_rate": 1e-2}


@pytest.mark.slow
@pytest.mark.parametrize("at", [4, 5], ids=["in the search", "in the comparison"])
def test_ctrl_c_keeps_what_was_found(at):
    calls = []

    def build(input_shape, dropout=0.0):
        calls.append(dropout)
        if len(calls) == at:
            raise KeyboardInterrupt
        return REGRESSOR(input_shape, dropout=dropout)

    trials = {4: 9, 5: 2}[at]
    found = lz.tune(build, sums(), space={"dropout": [0.1, 0.2]}, trials=trials, **QUICK)
    assert len(found.trials) == 2
    assert found.found["dropout"] in (0.1, 0.2)
    assert "Interrupted" in str(found)


@pytest.mark.slow
def test_a_search_goes_on_where_it_was_stopped(tmp_path):
    options = {"space": {"dropout": [0.0, 0.1]}, "path": tmp_path / "search", **QUICK}
    first = lz.tune(REGRESSOR, sums(), trials=1, **options)
    second = lz.tune(REGRESSOR, sums(), trials=3, **options)
    assert second.trials[:1] == first.trials
    assert len(second.trials) == 3
    with pytest.raises(ValueError, match="path must be a new file"):
        lz.tune(REGRESSOR, sums(), trials=3, **{**options, "space": {"dropout": [0.0, 0.2]}})


@pytest.mark.slow
def test_a_builder_as_it_is_learns_its_shapes_from_windows():
    series = np.sin(np.arange(90) / 3)[:, None] * [1.0, 2.0]
    data = lz.windows(series, 6, 3, known_future=[1])
    found = lz.tune(lz.build_forecaster, data, space={"dropout": [0.1]}, trials=1, **QUICK)
    model = found.build()
    assert model.output_shape == (None, 3)
    assert model.input["known_future"].shape == (None, 3, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("builder", "data", "shape"),
    [
        (lz.build_classifier, (["so good", "too bad"] * 8, ["+", "-"] * 8), (None, 2)),
        (lz.build_tagger, ([["a", "dog"], ["run"]] * 8, [["D", "N"], ["V"]] * 8), (None, None, 3)),
    ],
)
def test_texts_and_names_of_classes_are_taken_as_they_are(builder, data, shape):
    found = lz.tune(builder, data, space={"lstm_units": [2]}, trials=1, **QUICK)
    assert found.build().output_shape == shape


def test_the_space_comes_from_the_builder_less_what_a_partial_fixes():
    assert set(arguments.space_of(lz.build_regressor)) == {
        *("lstm_units", "dropout", "learning_rate", "cell")
    }
    assert set(arguments.space_of(CLASSIFIER)) == {"dropout", "learning_rate", "cell"}
    assert arguments.space_of(lz.build_seq2seq)["lstm_units"] == [64, 128, 256]
    assert 0.8 in arguments.space_of(lz.build_lstm_fcn)["dropout"]
    assert (128, 64) in arguments.space_of(lz.build_regressor)["lstm_units"]


@pytest.mark.parametrize(
    ("build", "data", "options", "message"),
    [
        (REGRESSOR, None, {}, "data must be .x, y., or windows"),
        (REGRESSOR, (np.zeros((9, 4, 1)), np.zeros(8)), {}, "got 9 and 8"),
        (REGRESSOR, sums(2), {}, "data must have at least 3 samples"),
        (REGRESSOR, sums(), {"space": {"dropot": [0.1]}}, "did you mean 'dropout'"),
        (REGRESSOR, sums(), {"space": {"dropout": 0.1}}, "space must list values of 'dropout'"),
        (REGRESSOR, sums(), {"space": {"loss": ["mae"]}}, "space must not have 'loss'"),
        (REGRESSOR, sums(), {"groups": np.zeros(60)}, "groups must be at least folds . 1 = 3"),
        (CLASSIFIER, (sums()[0], [0] * 58 + [1] * 2), {}, "got 2 of 1"),
        ("italy_power", sums(), {}, "data must be None for a preset"),
        ("build_regressor", None, {}, "name must be one of"),
    ],
)
def test_wrong_arguments_are_named(build, data, options, message):
    with pytest.raises(ValueError, match=message):
        lz.tune(build, data, trials=1, **{**QUICK, **options})
