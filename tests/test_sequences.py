import subprocess
import sys

import keras
import numpy as np
import pytest

import lstm_zoo as lz

RNG = np.random.default_rng(0)


def test_windows_of_one_series_are_those_of_datasets_windows():
    series = RNG.normal(size=(40, 3))
    x, y = lz.windows(series, 7, 4, 3, batch_size=5).arrays()
    expected_x, expected_y = lz.datasets.windows(series, 7, 4, 3)
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)


def test_windows_of_a_panel_take_targets_known_future_and_static_where_they_stand():
    many = [RNG.normal(size=(n, 3)) for n in (12, 9)]
    static = np.array([[1.0, 2.0], [3.0, 4.0]])
    data = lz.windows(many, 5, 2, targets=(2, 0), known_future=(1,), static=static, batch_size=4)
    x, y = data.arrays()
    expected = [(k, s) for k, n in enumerate((12, 9)) for s in range(n - 6)]
    assert data.count == len(expected) == len(y)
    for row, (k, s) in enumerate(expected):
        np.testing.assert_allclose(x["sequence"][row], many[k][s : s + 5], rtol=1e-6)
        np.testing.assert_allclose(x["known_future"][row], many[k][s + 5 : s + 7, [1]], rtol=1e-6)
        np.testing.assert_allclose(x["static"][row], static[k])
        np.testing.assert_allclose(y[row], many[k][s + 5 : s + 7][:, [2, 0]], rtol=1e-6)


@pytest.mark.parametrize("most", [10_000_000, 10])
def test_shuffled_windows_are_the_same_windows_in_another_order_each_epoch(most, monkeypatch):
    monkeypatch.setattr(lz.sequences.cutting, "MOST_TO_PERMUTE", most)
    data = lz.windows(np.arange(50.0), 3, 1, shuffle=True, seed=0, batch_size=8)
    orders = []
    for _ in range(2):
        orders.append([int(y[0]) for k in range(len(data)) for y in data[k][1]])
        data.on_epoch_end()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(3, 50))
    assert orders[0] != orders[1] != sorted(orders[1])


@pytest.mark.long
def test_a_memory_map_larger_than_the_limit_trains_without_being_read_whole(tmp_path):
    """Of 2 GB on disk, a sparse file, training takes less than a third into memory."""
    script = f"""
import resource, keras, numpy as np, lstm_zoo as lz
series = np.memmap({str(tmp_path / "series.dat")!r}, "float32", "w+", shape=(250_000_000, 2))
model = lz.build_forecaster((24, 2), 4, lstm_units=4, dense_units=())
small = lz.windows(np.zeros((200, 2)), 24, 4)
model.fit(small, verbose=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = lz.windows(series, 24, 4, shuffle=True, seed=0)
model.fit(data, steps_per_epoch=50, verbose=0)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, data.count)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    megabytes, count = map(int, result.stdout.split())
    assert count == 250_000_000 - 27
    assert megabytes < 700


def test_a_long_table_becomes_series_in_the_order_of_time():
    table = {
        "unique_id": np.array(["b", "a", "a", "b", "a"]),
        "ds": np.array(["2020-01-02", "2020-01-03", "2020-01-01", "2020-01-01", "2020-01-02"]),
        "y": [20.0, 3.0, 1.0, 10.0, 2.0],
        "holiday": [0, 1, 0, 1, 0],
        "size": [5, 4, 4, 5, 4],
    }
    many = lz.panel(table, known_future=["holiday"], static=["size"])
    assert many.ids == ("a", "b")
    assert [one.tolist() for one in many.series] == [[[1, 0], [2, 0], [3, 1]], [[10, 1], [20, 0]]]
    assert many.static.tolist() == [[4], [5]]
    x, y = many.windows(1, 1).arrays()
    assert y.tolist() == [[2], [3], [20]]
    assert x["known_future"].ravel().tolist() == [0, 1, 0]
    assert x["static"].ravel().tolist() == [4, 4, 5]


@pytest.mark.slow
def test_a_forecaster_trains_on_windows_of_a_panel():
    keras.utils.set_random_seed(0)
    steps = np.arange(30) % 2
    many = [np.stack([k * steps, steps], axis=1) for k in (1.0, 2.0)]
    data = lz.windows(many, 4, 2, known_future=(1,), static=[[0.0], [1.0]], shuffle=True, seed=0)
    model = lz.build_forecaster((4, 2), 2, known_future=1, static=1, lstm_units=4, dense_units=())
    losses = model.fit(data, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_padding_comes_behind_and_is_what_the_builder_masks():
    sequences = [RNG.normal(size=(n, 2)) for n in (3, 5)]
    x, lengths = lz.pad(sequences, value=-999.0)
    assert lengths.tolist() == [3, 5]
    model = lz.build_regressor((None, 2), lstm_units=3, mask_value=-999.0)
    alone = [model(one[None])[0] for one in sequences]
    np.testing.assert_allclose(model(x), alone, atol=1e-6)


def test_batches_have_few_lengths_and_every_sequence_once():
    lengths = RNG.integers(3, 60, size=50)
    sequences = [np.full((n, 1), k + 1.0) for k, n in enumerate(lengths)]
    data = lz.batches_by_length(sequences, np.arange(50), batch_size=8, num_shapes=4, seed=0)
    seen, shapes, cells = [], set(), 0
    for k in range(len(data)):
        x, y = data[k]
        shapes.add(x.shape[1])
        cells += x.shape[0] * x.shape[1]
        for row, label in zip(x[..., 0], y):
            assert (row[: lengths[label]] == label + 1).all()
            assert (row[lengths[label] :] == 0).all()
            seen.append(int(label))
    assert sorted(seen) == list(range(50))
    assert len(shapes) <= 4
    assert cells < 0.75 * 50 * lengths.max()


def test_tokens_are_padded_without_an_axis_of_features():
    x, lengths = lz.pad([[5, 7, 2], np.array([4])], length=4)
    assert (x.dtype, x.tolist(), lengths.tolist()) == (
        "int32",
        [[5, 7, 2, 0], [4, 0, 0, 0]],
        [3, 1],
    )
    assert lz.pad([[5.0, 7.0], [4.0]])[0].shape == (2, 2, 1)
    assert lz.pad([[[5], [7]], [[4]]])[0].shape == (2, 2, 1)


def test_batches_pad_targets_of_each_step_too():
    sequences = [np.arange(1, n + 1) for n in (2, 4)]
    data = lz.batches_by_length(sequences, sequences, num_shapes=1, shuffle=False)
    x, y = data[0]
    assert x.tolist() == y.tolist() == [[1, 2, 0, 0], [1, 2, 3, 4]]


def test_batches_hold_fractions_where_one_sequence_has_only_whole_numbers():
    data = lz.batches_by_length([[1, 2], [0.5]], [[1, 2], [0.25]], num_shapes=1, shuffle=False)
    x, y = data[0]
    assert x.tolist() == [[1, 2], [0.5, 0]]
    assert y.tolist() == [[1, 2], [0.25, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lz.windows(np.ones(5), 4, 2), "at least input_steps . horizon = 6 timesteps"),
        (lambda: lz.windows(np.ones((9, 2)), 4, 2, targets=2), "targets must be .* from 0 to 1"),
        (lambda: lz.windows(np.ones((9, 2)), 4, 2, known_future=[5]), "known_future must be"),
        (lambda: lz.windows(np.ones((9, 2)), 4, 2, static=[[1], [2]]), "static must be of shape"),
        (lambda: lz.windows(np.ones(9), 0, 2), "input_steps must be"),
        (lambda: lz.windows([np.ones((9, 2)), np.ones((9, 3))], 4, 2), "series must be of shape"),
        (lambda: lz.windows(np.array(["a"] * 9), 4, 2), "series must be numbers"),
        (lambda: lz.windows([1.0, float("nan"), 2.0], 1, 1)[0], "series must be finite"),
        (lambda: lz.panel({"unique_id": [1], "ds": [1], "z": [1]}), "column must be .* got 'y'"),
        (
            lambda: lz.panel({"unique_id": [1, 1], "ds": [3, 3], "y": [1.0, 2.0]}),
            "ds must not occur twice in a series",
        ),
        (lambda: lz.pad([]), "at least one sequence"),
        (lambda: lz.pad([[0.0, 1.0]]), "value must not fill a true step, got 0.0"),
        (lambda: lz.pad([[1.0, 1.0]], length=1), "length must be"),
        (lambda: lz.batches_by_length([[1.0]], [1, 2]), "y must be as many as sequences"),
        (
            lambda: lz.batches_by_length([[1.0, 0.0], [1.0]], [1, 1], num_shapes=1),
            "value must not fill a true step, got 0",
        ),
        (lambda: lz.batches_by_length([[1]], [1], value=0.5), "value must be whole where"),
    ],
)
def test_bad_data_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_list_of_sequences_is_named():
    for call, what in (
        (lambda: lz.windows(np.zeros((0, 5, 2)), 2, 1), "series must hold at least one series"),
        (lambda: lz.pad([["a"]]), "sequences must hold numbers; lz.encode_texts makes them"),
        (lambda: lz.pad(["a b"]), "sequences must hold numbers; lz.encode_texts makes them"),
        (lambda: lz.pad(None), "sequences must be a list, got None"),
        (lambda: lz.batches_by_length([[1.0]], None), "y must be a list, got None"),
        (lambda: lz.panel(None), "table must be"),
        (lambda: lz.panel({"unique_id": [0]}, static=None), "static must be a list, got None"),
    ):
        with pytest.raises(ValueError, match=what):
            call()


def test_batches_by_length_take_true_zeros_where_nothing_is_filled_up():
    x = [np.zeros((n, 1)) for n in (3, 3, 5)]
    shapes = {batch.shape for batch, _ in lz.batches_by_length(x, [0, 1, 0], batch_size=2)}
    assert shapes == {(2, 3, 1), (1, 5, 1)}
    with pytest.raises(ValueError, match="value must not fill a true step"):
        lz.batches_by_length(x, [0, 1, 0], num_shapes=1)
