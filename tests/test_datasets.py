"""Counts and shapes below are those that the publishers of the data state, not ours."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from lstm_zoo import datasets
from lstm_zoo.datasets import loading
from lstm_zoo.datasets.cards import CARDS

NAMES = ["japanese_vowels", "basic_motions", "digits", "tecator", "electricity", "sunspots"]
NAMES += ["italy_power_demand", "mnist1d", "surnames", "internal_bleeding", "python_docs"]


@pytest.fixture
def copied_folder(tmp_path, monkeypatch):
    shutil.copy(loading.path_of("sunspots"), tmp_path)
    monkeypatch.setattr(loading, "FOLDERS", (tmp_path / "nowhere", tmp_path))
    return tmp_path


def test_names_lists_every_set_and_can_choose_a_task():
    assert datasets.names() == NAMES
    assert datasets.names(task="classification") == NAMES[:3] + NAMES[6:9]
    assert datasets.names("text") == ["python_docs"]
    assert datasets.names("regression") == ["tecator"]
    assert datasets.names("forecasting") == ["electricity", "sunspots"]


@pytest.mark.parametrize("name", NAMES)
def test_arrays_keep_the_promised_form(name):
    data = datasets.load(name)
    assert data.name == name
    letters = data.vocabulary is not None
    for x in (data.x_train, data.x_test):
        assert x.dtype == (np.int32 if letters else np.float32)
        assert np.isfinite(x).all()
        if letters:
            assert x.min() == (0 if data.lengths_train is not None else 1)
            assert x.max() <= len(data.vocabulary)
        else:
            assert x.shape[-1] == len(data.feature_names)
    if data.task in ("forecasting", "text", "anomaly detection"):
        assert data.x_train.ndim == data.x_test.ndim == (1 if letters else 2)
        assert data.y_train is None
        assert data.task == "anomaly detection" or data.y_test is None
        return
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert x.ndim == (2 if letters else 3)
        assert len(x) == len(y)
        if data.task == "classification":
            assert y.dtype == np.int32
            assert set(y) == set(range(len(data.class_names)))
        else:
            assert y.dtype == np.float32
            assert y.shape == (len(x), 1)


@pytest.mark.parametrize("name", NAMES)
def test_every_set_says_where_it_is_from_and_under_what_licence(name):
    data = datasets.load(name)
    for words in (data.source, data.licence, data.citation, data.units, data.timestep, data.target):
        assert words


@pytest.mark.parametrize("name", NAMES[:4] + NAMES[6:9])
def test_no_test_sample_is_in_the_training_part(name):
    data = datasets.load(name)
    seen = {sample.tobytes() for sample in data.x_train}
    assert len(seen) == len(data.x_train)
    assert not any(sample.tobytes() in seen for sample in data.x_test)


def test_japanese_vowels_has_the_counts_of_the_uci_repository():
    data = datasets.load("japanese_vowels")
    assert data.x_train.shape == (270, 29, 12)
    assert data.x_test.shape == (370, 29, 12)
    assert np.bincount(data.y_train).tolist() == [30] * 9
    assert np.bincount(data.y_test).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    lengths = np.concatenate([data.lengths_train, data.lengths_test])
    assert (lengths.min(), lengths.max()) == (7, 29)


def test_japanese_vowels_is_zero_after_the_end_of_an_utterance_and_only_there():
    data = datasets.load("japanese_vowels")
    for x, lengths in ((data.x_train, data.lengths_train), (data.x_test, data.lengths_test)):
        inside = np.arange(x.shape[1]) < lengths[:, None]
        np.testing.assert_array_equal(np.any(x != 0, axis=-1), inside)


def test_japanese_vowels_begins_with_the_first_frame_of_the_published_file():
    frame = [1.860936, -0.207383, 0.261557, -0.214562]
    np.testing.assert_allclose(datasets.load("japanese_vowels").x_train[0, 0, :4], frame, rtol=1e-6)


def test_basic_motions_has_ten_samples_of_each_class_in_each_part():
    data = datasets.load("basic_motions")
    assert data.x_train.shape == data.x_test.shape == (40, 100, 6)
    assert np.bincount(data.y_train).tolist() == np.bincount(data.y_test).tolist() == [10] * 4
    assert data.lengths_train is None


def test_basic_motions_moves_least_when_standing():
    data = datasets.load("basic_motions")
    spread = [data.x_train[data.y_train == label].std() for label in range(4)]
    assert data.class_names[int(np.argmin(spread))] == "standing"


def test_digits_are_those_of_scikit_learn_in_the_same_order():
    published = load_digits()
    data = datasets.load("digits")
    x = np.concatenate([data.x_train, data.x_test])
    np.testing.assert_array_equal(x * 16, published.images)
    np.testing.assert_array_equal(np.concatenate([data.y_train, data.y_test]), published.target)


def test_digits_has_about_as_much_of_every_class_in_the_test_part():
    counts = np.bincount(datasets.load("digits").y_test)
    assert counts.sum() == 382
    assert counts.min() >= 35
    assert counts.max() <= 39


def test_tecator_has_the_published_test_part_and_its_training_part_without_repeats():
    data = datasets.load("tecator")
    assert data.x_test.shape == (43, 100, 1)
    assert data.x_train.shape == (172 - 8 - 14, 100, 1)
    fat = np.concatenate([data.y_train, data.y_test])
    assert (fat.min(), fat.max()) == (np.float32(0.9), np.float32(49.1))  # % of mass
    np.testing.assert_allclose(data.y_test[:2, 0], [46.3, 47.7], rtol=1e-6)


def test_tecator_fat_can_be_told_from_the_spectrum_by_least_squares():
    data = datasets.load("tecator")
    mean = data.x_train[..., 0].mean(axis=0)
    _, _, axes = np.linalg.svd(data.x_train[..., 0] - mean, full_matrices=False)

    def scores(x):
        return np.column_stack([(x[..., 0] - mean) @ axes[:15].T, np.ones(len(x))])

    weights = np.linalg.lstsq(scores(data.x_train), data.y_train, rcond=None)[0]
    error = np.sqrt(np.mean((scores(data.x_test) @ weights - data.y_test) ** 2))
    assert error < 0.3 * data.y_test.std()


def test_electricity_is_taylors_twelve_weeks():
    data = datasets.load("electricity")
    assert data.x_train.shape == (9 * 336, 1)
    assert data.x_test.shape == (3 * 336, 1)
    assert data.x_train[:5, 0].tolist() == [22262, 21756, 22247, 22759, 22549]  # R's ?taylor, MW


def test_electricity_repeats_last_week_within_2_4_percent():
    data = datasets.load("electricity")
    demand = np.concatenate([data.x_train, data.x_test])[:, 0].astype("float64")
    truth, week_ago = demand[-1008:], demand[-1008 - 336 : -336]
    assert 100 * np.mean(np.abs(truth - week_ago) / truth) == pytest.approx(2.36, abs=0.01)


def test_sunspots_runs_from_1749_to_1983_with_its_peak_in_october_1957():
    data = datasets.load("sunspots")
    numbers = np.concatenate([data.x_train, data.x_test])[:, 0]
    assert len(numbers) == (1983 - 1749 + 1) * 12
    assert len(data.x_test) == 20 * 12
    assert numbers[:3] == pytest.approx([58.0, 62.6, 70.0])
    assert numbers[-3:] == pytest.approx([55.8, 33.3, 33.4])
    assert np.argmax(numbers) == (1957 - 1749) * 12 + 9
    assert numbers.max() == pytest.approx(253.8)


def test_sunspots_rise_and_fall_in_about_eleven_years():
    data = datasets.load("sunspots")
    power = np.abs(np.fft.rfft(data.x_train[:, 0] - data.x_train.mean())) ** 2
    years = len(data.x_train) / 12 / np.argmax(power)
    assert years == pytest.approx(11, abs=0.5)


def test_italy_power_demand_has_the_counts_of_the_archive_and_days_of_unit_spread():
    data = datasets.load("italy_power_demand")
    assert data.x_train.shape == (67, 24, 1)
    assert data.x_test.shape == (1029, 24, 1)
    np.testing.assert_allclose(data.x_test.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(data.x_test.std(axis=1, ddof=1), 1, atol=1e-6)


@pytest.mark.long
def test_mnist1d_is_centred_and_as_hard_for_a_linear_model_as_published():
    from sklearn.linear_model import LogisticRegression

    data = datasets.load("mnist1d")
    assert (data.x_train.shape, data.x_test.shape) == ((4000, 40, 1), (1000, 40, 1))
    every = np.concatenate([data.x_train, data.x_test])
    assert abs(every.mean()) < 1e-4
    assert every.std() == pytest.approx(1, abs=1e-4)
    linear = LogisticRegression(max_iter=1000).fit(data.x_train[..., 0], data.y_train)
    assert linear.score(data.x_test[..., 0], data.y_test) == pytest.approx(0.32, abs=0.03)


def test_surnames_can_be_read_back_and_stand_in_one_language_only():
    data = datasets.load("surnames")

    def read(row):
        return "".join(data.vocabulary[n - 1] for n in row if n)

    names = [read(row) for row in np.concatenate([data.x_train, data.x_test])]
    assert len(set(names)) == len(names)
    languages = np.concatenate([data.y_train, data.y_test])
    by_name = dict(zip(names, (data.class_names[n] for n in languages), strict=True))
    assert by_name["korhonen"] == "Finnish"
    assert [len(name) for name in names[:20]] == data.lengths_train[:20].tolist()


def test_internal_bleeding_marks_the_twelve_steps_that_the_archive_names():
    data = datasets.load("internal_bleeding")
    assert (len(data.x_train), len(data.x_test)) == (1200, 6301)
    assert (np.flatnonzero(data.y_test) + 1200).tolist() == list(range(4187, 4199))


def test_python_docs_is_the_reference_of_python():
    data = datasets.load("python_docs")
    text = "".join(data.vocabulary[n - 1] for n in np.concatenate([data.x_train, data.x_test]))
    assert len(text) == 465_126
    assert text.startswith('The "assert" statement')
    assert 'The "try" statement' in text


def test_changing_loaded_arrays_does_not_change_the_next_load():
    first = datasets.load("digits")
    first.x_train[:] = -1
    assert datasets.load("digits").x_train.min() == 0


def test_a_flipped_bit_is_refused_with_both_checksums_and_a_way_to_mend(copied_folder):
    path = copied_folder / "sunspots.npz"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    expected = CARDS["sunspots"]["sha256"]
    with pytest.raises(ValueError, match=f"sunspots.npz is damaged.*SHA-256.*{expected}.*git"):
        datasets.load("sunspots")


def test_a_truncated_file_is_refused(copied_folder):
    path = copied_folder / "sunspots.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        datasets.load("sunspots")


def test_a_missing_file_is_named(copied_folder):
    (copied_folder / "sunspots.npz").unlink()
    with pytest.raises(FileNotFoundError, match="sunspots"):
        datasets.load("sunspots")


def test_the_folder_inside_the_package_comes_first(copied_folder):
    inside = copied_folder / "nowhere"
    inside.mkdir()
    shutil.copy(copied_folder / "sunspots.npz", inside)
    assert loading.path_of("sunspots") == inside / "sunspots.npz"


def test_no_file_holds_a_pickle():
    for name in NAMES:
        with np.load(loading.path_of(name), allow_pickle=False) as file:
            assert all(file[key].dtype.kind in "fiu" for key in file.files)


def test_all_files_together_stay_small():
    assert sum(loading.path_of(name).stat().st_size for name in NAMES) < 4e6


@pytest.mark.parametrize(
    ("wrong", "right"), [("japanese-vowels", "japanese_vowels"), ("Sunspot", "sunspots")]
)
def test_an_unknown_name_suggests_the_nearest(wrong, right):
    with pytest.raises(ValueError, match=f"{wrong}.*did you mean '{right}'"):
        datasets.load(wrong)


@pytest.mark.parametrize("wrong", ["", "zzz", None, 3, ["digits"], "../secret"])
def test_an_unknown_name_lists_all_names(wrong):
    with pytest.raises(ValueError, match="name must be one of.*japanese_vowels"):
        datasets.load(wrong)


def test_an_unknown_task_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'forecasting'"):
        datasets.names(task="forecast")


def test_repr_is_one_short_line():
    text = repr(datasets.load("digits"))
    assert "\n" not in text
    assert len(text) < 120


@settings(max_examples=50, deadline=None)
@given(
    timesteps=st.integers(1, 40),
    features=st.integers(1, 3),
    input_steps=st.integers(1, 10),
    horizon=st.integers(1, 6),
    stride=st.integers(1, 7),
)
def test_windows_equals_cutting_one_by_one(timesteps, features, input_steps, horizon, stride):
    series = np.arange(timesteps * features, dtype="float32").reshape(timesteps, features)
    if timesteps < input_steps + horizon:
        with pytest.raises(ValueError, match="at least input_steps"):
            datasets.windows(series, input_steps, horizon, stride)
        return
    x, y = datasets.windows(series, input_steps, horizon, stride)
    starts = range(0, timesteps - input_steps - horizon + 1, stride)
    np.testing.assert_array_equal(x, [series[s : s + input_steps] for s in starts])
    ends = [s + input_steps for s in starts]
    np.testing.assert_array_equal(y, [series[e : e + horizon, 0] for e in ends])
    assert x.dtype == y.dtype == np.float32


def test_changing_a_window_does_not_change_the_series():
    series = np.zeros((10, 1), dtype="float32")
    x, y = datasets.windows(series, 3, 2)
    x[:] = y[:] = 1
    assert series.sum() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"series": np.zeros((2, 3, 4))}, r"series.*\(timesteps, features\).*\(2, 3, 4\)"),
        ({"series": np.zeros((9, 0))}, r"series.*\(9, 0\)"),
        ({"series": [1.0, np.nan, 2.0, 3.0]}, "series must be finite"),
        ({"series": [1.0, np.inf, 2.0, 3.0]}, "series must be finite"),
        ({"series": []}, "at least input_steps.*3.*got 0"),
        ({"series": ["a", "b"]}, "series must hold numbers"),
        ({"input_steps": 0}, "input_steps must be a whole number.*got 0"),
        ({"horizon": 1.5}, "horizon must be a whole number.*got 1.5"),
        ({"stride": True}, "stride must be a whole number.*got True"),
    ],
)
def test_windows_refuses_what_it_cannot_cut(change, message):
    arguments = {"series": np.zeros(8), "input_steps": 2, "horizon": 1, "stride": 1} | change
    with pytest.raises(ValueError, match=message):
        datasets.windows(**arguments)


def test_readme_has_the_checksum_of_every_file():
    readme = (Path(__file__).parent.parent / "datasets" / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert CARDS[name]["sha256"] in readme
