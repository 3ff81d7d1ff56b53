"""Presets: from their files, from their recipes, and on a user's file."""

import dataclasses
import datetime
import json
import os
import pathlib
import runpy
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import lstm_zoo as lz
from lstm_zoo import presets, recipes
from lstm_zoo.presets import card, load, reading, smoothing

every_preset = pytest.mark.parametrize("name", presets.list_presets())
# Four sorts of tasks; one other test compares the answers of every preset.
some_in_short = pytest.mark.short(name=("bleeding", "dates", "fat", "motions"))
TESTS = pathlib.Path(__file__).parents[1]
COMPUTED = runpy.run_path(str(TESTS / "backends" / "cases.py"))["computed"]


def task(name):
    return presets.task_of(presets.read_recipe(name))


def test_list_fits_names_and_tasks():
    assert "electricity" in presets.list_presets()
    assert presets.list_presets("*forecast*") == ["electricity", "sunspots"]
    assert presets.list_presets("dig*") == ["digits"]
    assert presets.list_presets("nothing") == []


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'speakers'"):
        lz.load_preset("speaker")


@some_in_short
@every_preset
def test_a_loaded_preset_scores_what_its_card_says(name):
    found = presets.evaluate_preset(name)
    recorded = card.recorded(name)["scores"][card.OURS][0]
    assert next(iter(found.values())) == pytest.approx(recorded, rel=1e-3, abs=2e-3)


@every_preset
def test_other_backends_are_compared_with_this_preset(name):
    """After a preset has changed: python tests/backends/make.py."""
    stored = np.load(TESTS / "data" / "backends.npz")[f"preset {name}"]
    atol = 1e-5 * max(1, np.abs(stored).max())
    np.testing.assert_allclose(COMPUTED(f"preset {name}"), stored, rtol=0, atol=atol)


def test_a_silent_recording_gets_a_finite_answer_and_leaves_the_others_as_they_were():
    model, x = lz.load_preset("speakers"), lz.datasets.load("japanese_vowels").x_test[:3]
    expected = model.predict_on_batch(x)
    got = model.predict_on_batch(np.where(np.arange(3)[:, None, None] == 1, 0, x))
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[[0, 2]], expected[[0, 2]], atol=1e-6)


@some_in_short
@every_preset
def test_the_card_holds_data_scores_limits_and_lines_of_use_that_run(name):
    text = lz.preset_card(name)
    assert (recipes.HOME / name / "card.md").read_text() == text
    recorded = card.recorded(name)
    assert len(recorded["scores"][card.OURS]) >= 5
    generated = "name" not in presets.read_recipe(name).data
    for part in ("generated" if generated else "Licence of the data", "Limits: ", "mean score"):
        assert part in text
    code = text.split("```python\n")[1].split("```")[0]
    exec(compile(code, "card", "exec"), {})


def test_the_table_in_the_readme_is_that_of_the_recorded_runs():
    readme = (recipes.HOME.parents[1] / "README.md").read_text()
    assert readme.split("<!-- presets -->\n")[1].split("\n<!-- /presets -->")[0] == card.table()


def test_all_files_together_stay_small():
    files = list(recipes.HOME.glob("*/model.keras"))
    assert len(files) == len(presets.list_presets())
    assert sum(path.stat().st_size for path in files) < 12e6


@every_preset
def test_the_oldest_keras_that_is_admitted_knows_what_a_file_says(name):
    with zipfile.ZipFile(recipes.HOME / name / "model.keras") as file:
        written = file.read("config.json").decode()
    for newer in ("quantization_config", "input_axes", "renorm"):
        assert newer not in written


@pytest.mark.long
@pytest.mark.parametrize("name", ["digits", "motions"])
def test_training_again_lands_within_the_spread_of_the_card(name):
    scores = card.recorded(name)["scores"][card.OURS]
    model = lz.train_preset(name, seed=1, verbose=0)
    score = next(iter(presets.evaluate_preset(name, model).values()))
    room = 0.5 * (max(scores) - min(scores)) + 1e-3
    assert min(scores) - room <= score <= max(scores) + room


def test_a_damaged_file_is_refused_by_its_checksum(tmp_path, monkeypatch):
    shutil.copytree(recipes.HOME / "italy_power", tmp_path / "italy_power")
    monkeypatch.setattr(load, "HOME", tmp_path)
    path = tmp_path / "italy_power" / "model.keras"
    lz.load_preset("italy_power")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"model\.keras is damaged or was changed: its SHA-256"):
        lz.load_preset("italy_power")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="italy_power"):
        lz.load_preset("italy_power")


def test_a_custom_recipe_trains_and_its_cell_can_be_replaced():
    own = presets.read_recipe("italy_power")
    own = dataclasses.replace(own, training=own.training | {"epochs": 1})
    model = lz.train_preset(own, cell="gru", verbose=0)
    assert model.output_shape == (None, 2)
    assert "GRU" in [type(layer).__name__ for layer in model.layers]
    with pytest.raises(ValueError, match="task must be one of .*got 'clasification'"):
        lz.train_preset(dataclasses.replace(own, task="clasification"))


def test_smoothing_of_a_series_equals_a_calculation_by_hand():
    # seasons of 1 and 2 steps; level 3, d = 0, w = (-1, 1), then x = 4: error 4 - (3 + 0 - 1) = 2
    series = np.array([[2.0], [4.0], [4.0]])
    alpha, delta, omega, phi = 0.25, 0.125, 0.5, 0.5
    level, day, week = 3 + 0.25 * 2, 0.125 * 2, [-1 + 0.5 * 2, 1]
    wanted = [level + day + week[1] + 0.5 * 2, level + day + week[0] + 0.25 * 2]
    found = smoothing.forecasts(series, (alpha, delta, omega, phi), 1, 2, horizon=2)
    np.testing.assert_allclose(found[:, 0], wanted)


def test_smoothing_forecasts_a_series_of_two_seasons_and_is_a_matrix():
    days, weeks = np.random.default_rng(0).normal(size=4), np.random.default_rng(1).normal(size=12)
    series = 5 + np.tile(days, 15) + np.tile(weeks, 5)
    parameters = (0.1, 0.2, 0.3, 0.9)
    found = smoothing.forecasts(series[:48, None], parameters, 4, 12, horizon=12)
    np.testing.assert_allclose(found[:, 0], series[48:])
    other = np.random.default_rng(2).normal(size=(48, 3))
    found = smoothing.forecasts(other, parameters, 4, 12, horizon=5)
    np.testing.assert_allclose(other.T @ smoothing.matrix(parameters, 48, 4, 12, 5), found.T)


def test_electricity_trains_on_all_days_after_two_weeks_without_changing_the_smoothing():
    electricity = task("electricity")
    x, y = electricity.training_part()
    series = electricity.data.x_train
    assert len(x) == len(series) - 2 * 336 - 48 + 1
    np.testing.assert_array_equal(y[0], series[672:720, 0])
    parameters = (0.01, 0.3, 0.2, 0.9)
    whole = smoothing.forecasts(np.log(x[[0, 500]])[..., 0].T, parameters, 48, 336, 48)
    for at, start in enumerate((0, 500)):
        real = np.log(series[: 672 + start])
        alone = smoothing.forecasts(real[-2016:], parameters, 48, 336, 48)
        np.testing.assert_allclose(whole[:, at], alone[:, 0], rtol=1e-5)


@pytest.mark.long
def test_electricity_is_forecast_by_the_smoothing_and_its_interval_by_the_lstm():
    electricity, model = task("electricity"), lz.load_preset("electricity")
    x, _ = electricity.test
    low, middle, high = np.moveaxis(model.predict(x, verbose=0), -1, 0)
    smoothed = np.exp(np.log(x[..., 0].astype("float64")) @ electricity.smoothing)
    np.testing.assert_allclose(middle, smoothed, rtol=1e-4)
    assert np.all((low < middle) & (middle < high))
    width = (high - low) / middle
    assert width.std(axis=0).mean() > 1e-3  # it tells one day from another
    found = electricity.scores(model)
    assert list(found)[0] == "mape"
    usual = electricity.errors_of_smoothing[:, ::2].T[:, None]
    low, high = smoothed * np.exp(usual)
    below, above = low - electricity.test[1], electricity.test[1] - high
    score = np.mean(high - low + 20 * (np.maximum(below, 0) + np.maximum(above, 0)))
    whole = np.stack([low, smoothed, high], axis=-1)
    assert electricity._interval_score(whole) == pytest.approx(score)


def test_adding_starts_with_long_memories_and_is_tested_on_what_it_has_not_seen():
    own = presets.read_recipe("adding")
    adding = presets.task_of(dataclasses.replace(own, data={"timesteps": 500, "samples": 50}))
    bias = adding.build().get_layer("regressor").get_layer("recurrent_1").cell.bias.numpy()
    forget = bias[32:64]
    np.testing.assert_allclose(bias[:32], -forget)
    assert forget.min() >= 0
    assert np.log(250) < forget.max() <= np.log(499)  # of 32 drawn evenly from 1 to 499
    x, _ = adding.training_part()
    data = adding.data
    assert not {row.tobytes() for row in x} & {row.tobytes() for row in data.x_test}
    marked = np.where(data.x_test[..., 1] == 1, data.x_test[..., 0], 0).sum(axis=1)
    np.testing.assert_allclose(0.5 + marked / 4, data.y_test[:, 0], atol=1e-6)
    assert adding.baselines()["mean of the training data"] == pytest.approx(24**-0.5, rel=0.1)


def test_the_verdict_says_who_is_better():
    def verdict(ours, **others):
        scores = {card.OURS: ours, **others}
        return card.verdict({"higher_is_better": True, "scores": scores, "baselines": {"a": 0.5}})

    assert "beats the simpler models with every seed" in verdict([0.8, 0.9], rnn=[0.6, 0.7])
    assert "Better than the LSTM on average: rnn" in verdict([0.8, 0.9], rnn=[0.9, 0.95])
    close = verdict([0.8, 0.9], rnn=[0.7, 0.85])
    assert "Worse on average, but within the LSTM's spread: rnn" in close
    assert "Better than the LSTM on average: a" in verdict([0.4, 0.4])


def test_tune_resumes_and_never_sees_the_test_part(tmp_path, monkeypatch):
    own = presets.read_recipe("italy_power")
    own = dataclasses.replace(
        own,
        model={"lstm_units": [32], "dense_units": [16], "dropout": 0.2},
        training=own.training | {"epochs": 1},
        space={"training.learning_rate": [1e-6, 1e-2], "model.dropout": [0.0]},
    )
    monkeypatch.setattr(type(task("italy_power")), "scores", None)
    lz.tune(own, trials=2, path=tmp_path / "search")
    best = lz.tune(own, trials=4, path=tmp_path / "search")
    assert best.training["learning_rate"] == 1e-2
    assert (tmp_path / "search").read_text().count('"values"') == 4
    with pytest.raises(ValueError, match="must have a space"):
        lz.tune(dataclasses.replace(own, space={}))


@pytest.mark.parametrize("name", presets.list_presets())
def test_the_stored_example_is_the_tasks_and_is_answered(name):
    path = recipes.HOME / name / "example.txt"
    assert path.read_text(encoding="utf-8") == task(name).example()
    row = next(iter(task(name).answer(lz.load_preset(name), path)))
    assert len(row) >= 1


def write(path, header, rows):
    lines = [",".join(header)] if header else []
    path.write_text("\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def answers(name, path):
    return list(task(name).answer(lz.load_preset(name), path))


def test_predict_reads_several_sequences_in_any_order_of_columns(tmp_path):
    data = lz.datasets.load("japanese_vowels")
    rows = []
    for sample in (0, 40):
        for step in data.x_test[sample, : data.lengths_test[sample]]:
            rows.append([sample, *(f"{value:.6g}" for value in step[::-1])])
    path = write(tmp_path / "voices.csv", ["sample", *data.feature_names[::-1]], rows)
    found = answers("speakers", path)
    model = lz.load_preset("speakers")
    expected = model.predict(data.x_test[[0, 40]], verbose=0)
    assert [row["speaker"] for row in found] == [
        data.class_names[k] for k in expected.argmax(axis=-1)
    ]
    np.testing.assert_allclose([row["probability"] for row in found], expected.max(-1), atol=1e-3)


def test_predict_forecasts_from_the_last_rows(tmp_path):
    series = lz.datasets.load("electricity").x_train
    path = write(tmp_path / "demand.csv", None, series.tolist())
    found = answers("electricity", path)
    expected = lz.load_preset("electricity").predict(series[None, -2016:], verbose=0)[0]
    assert [row["step"] for row in found] == list(range(1, 49))
    np.testing.assert_allclose([row["0.5"] for row in found], expected[:, 1], atol=1e-2)


def test_predict_translates_dates_and_names_a_letter_that_no_date_has(tmp_path):
    path = tmp_path / "dates.txt"
    path.write_text("3 March 1998\nJuly 14, 2007\n\n")
    found = [(row["text"], row["date"]) for row in answers("dates", path)]
    assert found == [("3 March 1998", "1998-03-03"), ("July 14, 2007", "2007-07-14")]
    path.write_text("3 March 1998\n3 M\u00e4rz 1998\n")
    with pytest.raises(ValueError, match="line 2 of .* must be a date, got 'z'"):
        answers("dates", path)


def test_predict_scores_each_step_of_a_series(tmp_path):
    series = lz.datasets.load("internal_bleeding").x_test[:300]
    path = write(tmp_path / "pressure.csv", ["arterial pressure"], series.tolist())
    found = answers("bleeding", path)
    assert [row["step"] for row in found] == list(range(1, 301))
    expected = task("bleeding").steps(lz.load_preset("bleeding"), series)
    np.testing.assert_allclose([row["anomaly score"] for row in found], expected, atol=1e-3)
    write(path, None, series[:5].tolist())
    with pytest.raises(ValueError, match="must have at least .* rows, got 5"):
        answers("bleeding", path)


def test_predict_continues_a_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text('The "import" statement')
    [row] = answers("python_docs", path)
    assert len(row["continuation"]) == 200
    assert answers("python_docs", path) == [row]
    for content, message in (("", "is empty"), ("na\u00efve", "ASCII, got '\u00ef'")):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            answers("python_docs", path)


def test_predict_reads_words(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\ufeffKorhonen\r\nO'Sullivan\r\n\r\n", encoding="utf-8")
    assert [row["sample"] for row in answers("surnames", path)] == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must hold rows of demand, got none"),
        (b"\n\n", "must hold rows of demand, got none"),
        (b"a,b\n1,2\n", "must name the columns demand"),
        (b"demand\n1\nx\n", "line 3 of .* must hold finite numbers, got 'x'"),
        (b"1\nnan\n", "line 2 .* finite"),
        (b"1\n1e39\n", "line 2 .* finite"),
        (b"1\n2,3\n", "line 2 of .* must have 1 columns, got 2"),
        (b"1\n\xff\xfe\n", "must be text in UTF-8"),
        (b"1" * 200_000, "line 1 of .* is longer than"),
        (b"demand\n" + b"1\n" * 23, "must have 24 rows, got 23"),
        (b"1\n\0\n", "line 2 of .* in UTF-8, got a NUL byte"),
        (b"1_000\n", "line 1 of .* finite"),
        (b"1\n1_000\n", "line 2 of .* finite"),
        (b"demand\n" + b"1\n" * 9000 + b"1,5\n", "line 9002 of .* must have 1 columns, got 2"),
        (b"demand\n" + b"1\n" * 9000 + "1 °".encode("latin-1"), "line 9002 .* UTF-8"),
        ("demand\n1\n".encode("utf-16"), "line 1 of .* must be text in UTF-8"),
        ("demand\n1\n".encode("utf-16-le"), "line 1 of .* in UTF-8, got a NUL byte"),
        ("demand\n1\n".encode("utf-32"), "line 1 of .* must be text in UTF-8"),
        (b'"1\n' + b"1\n" * 200_000, "is not a CSV file: field larger than field limit"),
        (b"1" + b",1" * 40_000, "line 1 of .* must have 1 columns, got 40001"),
        (b"load\n1\n", "must name the columns demand"),
        (b"demand,demand\n1,1\n", "must name the columns demand"),
        (b"demand\n", "must hold rows of demand, got none"),
        (b"\xef\xbb\xbf", "must hold rows of demand, got none"),
    ],
)
def test_predict_refuses_a_wrong_file_with_one_sentence(tmp_path, content, message):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        answers("italy_power", path)


def test_predict_reads_what_spreadsheets_write(tmp_path):
    """A mark of the byte order, quotes, blanks, the ends of lines of Windows and old Macs."""
    path = tmp_path / "file.csv"
    demand = [f"{one:.3f}" for one in lz.datasets.load("italy_power_demand").x_test[0, :, 0]]
    path.write_text("demand\n" + "\n".join(demand))
    expected = answers("italy_power", path)
    for end in ("\r\n", "\r"):
        lines = ['"demand"', *(f' "{one}" ' if end == "\r" else one for one in demand), ""]
        path.write_bytes(end.join(lines).replace(' "', '"').encode("utf-8-sig"))
        assert answers("italy_power", path) == expected


@pytest.mark.long
def test_predict_scores_a_long_series_in_parts_as_in_one_piece(tmp_path, monkeypatch):
    series = lz.datasets.load("internal_bleeding").x_test
    for steps, rows in ((100, 301), (77, 231), (64, 256), (50, 90)):
        path = write(tmp_path / "pressure.csv", None, series[:rows].tolist())
        monkeypatch.setattr(reading, "STEPS", 10**6)
        expected = answers("bleeding", path)
        monkeypatch.setattr(reading, "STEPS", steps)
        found = answers("bleeding", path)
        assert [row["step"] for row in found] == list(range(1, rows + 1))
        scores = [[row["anomaly score"] for row in some] for some in (found, expected)]
        np.testing.assert_allclose(*scores, atol=2e-4)


def test_predict_takes_few_long_sequences_at_a_time(monkeypatch):
    taken = []

    def answer(x):
        taken.append(x.shape)
        return x[:, :1, 0]

    monkeypatch.setattr(reading, "predictor", lambda model: answer)
    lengths = [3] * 300 + [reading.STEPS // 2] * 5 + [reading.STEPS + 1] * 2
    numbered = reading.in_batches(None, (np.zeros((n, 1), "float32") for n in lengths))
    assert [number for number, _ in numbered] == list(range(1, len(lengths) + 1))
    assert [shape[0] for shape in taken] == [256, 44, 2, 2, 1, 1, 1]


def test_a_line_that_is_no_date_is_named(tmp_path):
    path = tmp_path / "dates.txt"
    of_form = "line 1 of .* must be a date from 1950 to 2049 in a form .* got"
    for content, message in (
        ("1" * 5000, "line 1 of .* got 5000 letters"),
        ("\n\n", "is empty"),
        ("3/4/05", of_form),  # of the year 55, the model says
        ("3/4/2005", of_form),
        ("3 April 1855", of_form),
        ("31 April 2005", of_form),
        ("Monday, 3 April 2005", of_form),  # it was a Sunday
        ("3rd of May", of_form),
        ("3 April 2005\n\n4 April 2005", "line 2 of .* must hold a date, got an empty line"),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            answers("dates", path)


def test_every_date_of_the_training_is_one_in_every_form():
    from lstm_zoo.presets.tasks import dates

    first = datetime.date(1950, 1, 1).toordinal()
    for day in range(0, 36525, 100):
        date = datetime.date.fromordinal(first + day)
        for form in dates.FORMATS:
            assert dates.is_written_date(dates.write_date(date, form))


BLOOD = [f"{90 + k % 7}.5" for k in range(130)]


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        (
            "bleeding",
            [*BLOOD[:9], "", *BLOOD],
            "line 10 of .* must hold numbers, got an empty line",
        ),
        ("bleeding", ["arterial pressure", "", *BLOOD], "line 2 of .* got an empty line"),
        ("bleeding", [*BLOOD, '""'], "line 131 of .* must hold finite numbers, got ''"),
        ("bleeding", [*BLOOD, "  "], "line 131 of .* must hold finite numbers, got ''"),
        ("bleeding", [*BLOOD, "NA"], "line 131 of .* must hold finite numbers, got 'NA'"),
        ("bleeding", [*BLOOD, "# end"], "line 131 of .* must hold finite numbers, got '# end'"),
        ("bleeding", [row + "," for row in BLOOD], "must name the columns arterial pressure"),
        ("bleeding", ["arterial pressure", *(row + "," for row in BLOOD)], "1 columns, got 2"),
        ("bleeding", ["arterial pressure"], "must hold rows of arterial pressure, got none"),
        ("bleeding", ["# of a monitor", *BLOOD], "must name the columns arterial pressure"),
        (
            "bleeding",
            ["sample,arterial pressure", *("1," + row for row in BLOOD), "2,90.5"],
            "must hold one series, got samples '1' and '2'",
        ),
        (
            "italy_power",
            ["sample,demand", *["1,0.5"] * 24, *["2,0.5"] * 24, *["1,0.5"] * 24],
            "sample '1' of .* must have its rows together",
        ),
        ("italy_power", ["sample,demand", "1,0.5", ",0.5"], "line 3 of .* must say which sample"),
        ("italy_power", ["sample,demand", "1,0.5", ","], "line 3 of .* must say which sample"),
        ("italy_power", [f"1e9{k:02}" for k in range(24)], "line 1 .* finite"),
        ("italy_power", [f"10000000{k:02}" for k in range(24)], "the numbers of .* float32"),
        ("motions", ["1,2,3,4,5,6", ",,,,,", "1,2,3,4,5,6"], "line 2 of .* finite numbers, got ''"),
        ("motions", ["1,2,3,4,5,6", "", "1,2,3,4,5,6"], "line 2 of .* got an empty line"),
        ("surnames", ["Korhonen", "", "Smith"], "line 2 of .* must hold a word, got an empty line"),
        ("surnames", ["", "Smith"], "line 1 of .* must hold a word, got an empty line"),
    ],
)
def test_a_missing_value_is_refused_in_every_file(tmp_path, name, rows, message):
    path = tmp_path / "file.csv"
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(ValueError, match=message):
        answers(name, path)


def test_empty_lines_at_the_end_of_a_file_are_ignored(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("\n".join(BLOOD) + "\n\n\n")
    assert [row["step"] for row in answers("bleeding", path)] == list(range(1, len(BLOOD) + 1))


def test_a_text_with_line_ends_of_windows_is_continued_as_any_other(tmp_path):
    path = tmp_path / "text.txt"
    said = []
    for end in (b"\n", b"\r\n", b"\r"):
        path.write_bytes(b"if x:" + end + b"    return")
        said += answers("python_docs", path)
    assert said[0] == said[1] == said[2]


LONG = """
import itertools, pathlib, resource, sys
import lstm_zoo as lz

def peak(name, line, lines):
    path = pathlib.Path(sys.argv[1]) / "long.csv"
    with open(path, "w") as file:
        file.writelines(itertools.repeat(line * 1000, lines // 1000))
    task = lz.presets.task_of(lz.presets.read_recipe(name))
    try:
        answers = sum(1 for _ in task.answer(lz.load_preset(name), path))
    except ValueError as error:
        answers = str(error)
    path.unlink()
    return answers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

name, line, few, many = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
_, before = peak(name, line, few)
answers, after = peak(name, line, many)
print(answers, before, after, sep=";")
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "line", "few", "many"),
    [
        ("electricity", "1000\n", 100_000, 2_000_000),  # as lists they would be 200 MB more
        ("bleeding", "100\n", 30_000, 130_000),
        ("python_docs", "if x is 1\n", 100_000, 1_000_000),
        ("italy_power", "1\n", 100_000, 1_000_000),
    ],
)
def test_predict_reads_a_long_file_in_bounded_memory(tmp_path, name, line, few, many):
    command = [sys.executable, "-c", LONG, str(tmp_path), name, line, str(few), str(many)]
    environment = os.environ | {"PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answers, before, after = done.stdout.splitlines()[-1].split(";")
    wanted = {"electricity": "48", "bleeding": str(many), "python_docs": "1"}
    assert answers == wanted.get(name) or "must have 24 rows, got more" in answers
    assert float(after) - float(before) < 40  # MB


def test_recipes_hold_plain_settings_only():
    for name in presets.list_presets():
        text = (recipes.HOME / name / "recipe.json").read_text()
        assert set(json.loads(text)) <= {f.name for f in dataclasses.fields(presets.Recipe)}
