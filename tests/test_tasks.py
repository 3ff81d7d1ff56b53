import numpy as np
import pytest

from lstm_zoo import tasks

GENERATORS = [
    tasks.adding,
    tasks.adding_1997,
    tasks.copying,
    tasks.temporal_order,
    tasks.delayed_echo,
    tasks.parity,
]


@pytest.mark.parametrize("task", GENERATORS)
def test_same_seed_gives_the_same_sequences_and_another_seed_others(task):
    x, y = task(20, seed=7)
    again_x, again_y = task(20, seed=7)
    other_x, _ = task(20, seed=8)
    np.testing.assert_array_equal(x, again_x)
    np.testing.assert_array_equal(y, again_y)
    assert not np.array_equal(x, other_x)


@pytest.mark.parametrize("task", GENERATORS)
def test_a_generator_as_seed_goes_on_from_where_it_is(task):
    rng = np.random.default_rng(7)
    first, second = task(20, seed=rng)[0], task(20, seed=rng)[0]
    np.testing.assert_array_equal(first, task(20, seed=7)[0])
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("task", GENERATORS)
def test_numpys_global_random_state_is_left_alone(task):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    task(5, seed=1)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("task", "x_shape", "y_shape", "y_type"),
    [
        (tasks.adding, (6, 100, 2), (6, 1), "float32"),
        (tasks.adding_1997, (6, 110, 2), (6, 1), "float32"),
        (tasks.copying, (6, 120, 10), (6, 120), "int32"),
        (tasks.temporal_order, (6, 100, 8), (6,), "int32"),
        (tasks.delayed_echo, (6, 50, 1), (6, 50, 1), "float32"),
        (tasks.parity, (6, 20, 1), (6,), "int32"),
    ],
)
def test_shapes_and_types_are_the_documented_ones(task, x_shape, y_shape, y_type):
    x, y = task(6, seed=0)
    assert (x.shape, x.dtype) == (x_shape, "float32")
    assert (y.shape, y.dtype) == (y_shape, y_type)


@pytest.mark.parametrize("timesteps", [2, 3, 50])
def test_adding_is_the_sum_of_the_two_marked_values_one_in_each_half(timesteps):
    x, y = tasks.adding(40, timesteps, seed=1)
    for sequence, target in zip(x.tolist(), y[:, 0].tolist(), strict=True):
        marked = [step for step, (_, mark) in enumerate(sequence) if mark == 1]
        assert len(marked) == 2
        assert marked[0] < timesteps // 2 <= marked[1]
        assert target == pytest.approx(sum(sequence[step][0] for step in marked), abs=1e-6)


def test_adding_marks_every_step_of_a_half_about_equally_often():
    x, _ = tasks.adding(8000, 8, seed=2)
    np.testing.assert_allclose(x[..., 1].mean(axis=0), 1 / 4, atol=0.02)


def test_adding_at_chance_scores_one_sixth():
    _, y = tasks.adding(40000, 4, seed=3)
    assert np.mean((y - 1.0) ** 2) == pytest.approx(1 / 6, abs=0.005)
    assert np.var(y) == pytest.approx(1 / 6, abs=0.005)  # no other constant does better


@pytest.mark.parametrize("timesteps", [22, 57, 100])
def test_adding_of_1997_follows_the_rules_of_experiment_4(timesteps):
    x, y = tasks.adding_1997(500, timesteps, seed=1)
    at_first, ended = 0, set()
    for sequence, target in zip(x.tolist(), y[:, 0].tolist(), strict=True):
        ends = [step for step, (_, mark) in enumerate(sequence) if mark == -1]
        assert len(ends) == 2
        assert ends[0] == 0
        length = ends[1] + 1
        ended.add(length)
        assert timesteps <= length <= timesteps + timesteps / 10
        assert all(pair == [0, 0] for pair in sequence[length:])
        marked = [step for step, (_, mark) in enumerate(sequence) if mark == 1]
        if len(marked) == 1:  # the other is the first step, which counts as 0
            assert sequence[0][0] == 0
            at_first += 1
        else:
            assert len(marked) == 2
            assert min(marked) < 10
        assert max(marked) <= timesteps // 2 - 1  # the first T/2 - 1 unmarked of one step more
        total = sum(sequence[step][0] for step in marked)
        assert target == pytest.approx(0.5 + total / 4, abs=1e-6)
    assert len(ended) == timesteps // 10 + 1  # every length occurs
    assert 0 < at_first < 500


def test_adding_of_1997_leaves_no_real_step_for_a_mask_to_drop():
    x, _ = tasks.adding_1997(200, seed=2)
    real = (x != 0).any(axis=-1)
    lengths = real.sum(axis=1)
    np.testing.assert_array_equal(real, np.arange(x.shape[1]) < lengths[:, None])
    assert x.min() < -0.99
    assert x[..., 0].max() > 0.99


def test_adding_of_1997_at_chance_scores_a_little_less_than_1_in_24():
    """Two values of variance 1/3, a quarter of each; the first is 0 in one of ten, at step 0."""
    _, y = tasks.adding_1997(40000, 100, seed=3)
    first_is_zero = 1 / 10 + 9 / 10 / 49  # by the first mark, or by the second
    expected = (2 - first_is_zero) / 3 / 16
    assert np.mean((y - 0.5) ** 2) == pytest.approx(expected, rel=0.02)


def test_copying_is_string_blanks_signal_blanks_and_then_the_string_again():
    x, y = tasks.copying(30, 17, symbols=4, length=3, seed=4)
    for tokens, answer in zip(x.argmax(axis=-1).tolist(), y.tolist(), strict=True):
        string = tokens[:3]
        assert max(string) < 4
        assert tokens[3:] == [4] * 10 + [5] + [4] * 3
        assert answer == [4] * 14 + string
    np.testing.assert_array_equal(x.sum(axis=-1), 1)


def test_copying_at_chance_scores_length_times_log_symbols_over_timesteps():
    _, y = tasks.copying(4000, seed=5)
    share = np.stack([np.bincount(step, minlength=9) for step in y.T]) / len(y)
    entropy = -np.sum(share * np.log(share, where=share > 0, out=np.zeros_like(share))) / 120
    assert entropy == pytest.approx(10 * np.log(8) / 120, rel=0.01)
    assert entropy == pytest.approx(0.173, abs=0.001)


@pytest.mark.parametrize("timesteps", [10, 37, 100])
def test_temporal_order_follows_the_rules_of_experiment_6a(timesteps):
    x, y = tasks.temporal_order(300, timesteps, seed=6)
    rules = {"XX": 0, "XY": 1, "YX": 2, "YY": 3}
    for tokens, label in zip(x.argmax(axis=-1), y, strict=True):
        text = "".join("EBabcdXY"[token] for token in tokens)
        assert (text[0], text[-1]) == ("E", "B")
        assert not set("EB") & set(text[1:-1])
        where = [step for step, letter in enumerate(text) if letter in "XY"]
        assert len(where) == 2
        assert timesteps // 10 <= where[0] <= timesteps / 5
        assert timesteps // 2 <= where[1] <= timesteps * 0.6
        assert label == rules["".join(text[step] for step in where)]
    np.testing.assert_array_equal(x.sum(axis=-1), 1)


def test_temporal_order_at_chance_is_right_one_time_in_four():
    _, y = tasks.temporal_order(20000, 10, seed=7)
    np.testing.assert_allclose(np.bincount(y) / len(y), 1 / 4, atol=0.015)


@pytest.mark.parametrize(("timesteps", "delay"), [(50, 10), (4, 3), (9, 1)])
def test_delayed_echo_repeats_each_value_later_and_is_silent_before(timesteps, delay):
    x, y = tasks.delayed_echo(10, timesteps, delay=delay, seed=8)
    for t in range(timesteps):
        expected = x[:, t - delay] if t >= delay else np.zeros((10, 1))
        np.testing.assert_array_equal(y[:, t], expected)
    assert np.abs(x).max() <= 1


def test_delayed_echo_at_chance_scores_a_third_of_the_echoed_share():
    _, y = tasks.delayed_echo(4000, seed=9)
    assert np.mean(y**2) == pytest.approx(0.267, abs=0.003)


def test_parity_is_odd_when_the_product_of_the_negated_signs_is_negative():
    x, y = tasks.parity(200, 13, seed=10)
    assert set(np.unique(x)) == {-1, 1}
    np.testing.assert_array_equal(np.prod(-x[..., 0], axis=1) < 0, y == 1)


def test_parity_at_chance_is_right_half_the_time():
    _, y = tasks.parity(20000, 9, seed=11)
    assert y.mean() == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("task", GENERATORS)
@pytest.mark.parametrize("wrong", [0, -3, 2.0, "ten", None, True])
def test_a_bad_number_of_samples_is_named(task, wrong):
    with pytest.raises(ValueError, match=f"samples must be a whole number.*{wrong!r}"):
        task(wrong)


@pytest.mark.parametrize(
    ("task", "least"),
    [
        (tasks.adding, 2),
        (tasks.adding_1997, 22),
        (tasks.copying, 21),
        (tasks.temporal_order, 10),
        (tasks.delayed_echo, 11),
        (tasks.parity, 1),
    ],
)
def test_the_shortest_length_works_and_a_shorter_one_is_refused(task, least):
    x, _ = task(5, least, seed=0)
    assert x.shape[1] == least + (least // 10 if task is tasks.adding_1997 else 0)
    with pytest.raises(ValueError, match=f"timesteps must be .* at least {least}, got {least - 1}"):
        task(5, least - 1)


@pytest.mark.parametrize("task", GENERATORS)
@pytest.mark.parametrize("wrong", [-1, "seed", 1.5])
def test_a_bad_seed_is_named(task, wrong):
    with pytest.raises(ValueError, match=f"seed must be .*{wrong!r}"):
        task(5, seed=wrong)


@pytest.mark.parametrize(
    ("task", "argument", "wrong"),
    [
        (tasks.copying, "symbols", 1),
        (tasks.copying, "length", 0),
        (tasks.delayed_echo, "delay", 0),
        (tasks.delayed_echo, "delay", 2.5),
    ],
)
def test_other_bad_arguments_are_named(task, argument, wrong):
    with pytest.raises(ValueError, match=f"{argument} must be a whole number.*{wrong!r}"):
        task(5, **{argument: wrong})


def test_narrow_numbers_of_numpy_do_not_overflow():
    """Twice 120, and 254 and two more, are beyond uint8."""
    narrow = [np.uint8(number) for number in (3, 255, 254, 120)]
    samples, timesteps, symbols, length = narrow
    x, y = tasks.copying(samples, timesteps, symbols=symbols, length=length, seed=0)
    same_x, same_y = tasks.copying(3, 255, symbols=254, length=120, seed=0)
    np.testing.assert_array_equal(x, same_x)
    np.testing.assert_array_equal(y, same_y)
