"""Taggers, language models, autoencoders, sequence to sequence, LSTM-FCN."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_zoo as lz
from lstm_zoo.builders import teacher_forcing
from lstm_zoo.layers import CRF

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def chain():
    """A CRF of three tags with weights of every kind, scores of 3 x 4 steps, and a mask."""
    crf = CRF(3)
    scores = RNG.normal(size=(3, 4, 3)).astype("float32")
    crf(scores)
    crf.set_weights([2 * RNG.normal(size=w.shape) for w in crf.get_weights()])
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]], dtype=bool)
    return crf, scores, mask


def score_of_path(crf, scores, path):
    transitions, first, last = crf.get_weights()
    total = first[path[0]] + last[path[-1]] + sum(s[k] for s, k in zip(scores, path))
    return total + sum(transitions[a, b] for a, b in itertools.pairwise(path))


def test_likelihood_equals_the_sum_over_all_paths(chain):
    crf, scores, mask = chain
    tags = RNG.integers(0, 3, size=(3, 4))
    got = crf.log_likelihood(scores, tags, mask).numpy()
    for row, path, counts, likelihood in zip(scores, tags, mask, got):
        row, path = row[counts], path[counts]
        paths = itertools.product(range(3), repeat=len(path))
        everything = np.logaddexp.reduce([score_of_path(crf, row, p) for p in paths])
        assert likelihood == pytest.approx(score_of_path(crf, row, path) - everything, abs=1e-5)


def test_viterbi_finds_the_best_of_all_paths(chain):
    crf, scores, mask = chain
    for row, counts, path in zip(scores, mask, crf.best_path(scores, mask).numpy()):
        paths = list(itertools.product(range(3), repeat=int(counts.sum())))
        best = max(paths, key=lambda p: score_of_path(crf, row[counts], p))
        assert tuple(path[counts]) == best


def test_gradient_of_the_likelihood_equals_finite_differences(chain):
    crf, scores, mask = chain
    tags = RNG.integers(0, 3, size=(3, 4))
    with tf.GradientTape() as tape:
        watched = tf.constant(scores)
        tape.watch(watched)
        total = tf.reduce_sum(crf.log_likelihood(watched, tags, mask))
    gradients = tape.gradient(total, [watched, crf.transitions.value])
    step = 1e-2
    before = crf.get_weights()
    for index in np.ndindex(3, 3):
        ends = []
        for sign in (1, -1):
            weights = [w.copy() for w in before]
            weights[0][index] += sign * step
            crf.set_weights(weights)
            ends.append(float(tf.reduce_sum(crf.log_likelihood(scores, tags, mask))))
        crf.set_weights(before)
        slope = (ends[0] - ends[1]) / (2 * step)
        assert float(gradients[1][index]) == pytest.approx(slope, abs=2e-3)
    # Of a score: whether its tag is the true one, less the probability that it is.
    np.testing.assert_allclose(gradients[0].numpy().sum(axis=-1), 0, atol=1e-5)


def test_an_empty_sequence_has_likelihood_one(chain):
    crf, scores, mask = chain
    tags = np.zeros((3, 4), int)
    assert crf.log_likelihood(scores, tags, np.zeros_like(mask)).numpy().tolist() == [0, 0, 0]


def noisy_runs(n=48, steps=12):
    """Two tags that change seldom, seen through noise; zeros pad."""
    rng = np.random.default_rng(3)
    y = np.cumsum(rng.random((n, steps)) < 0.15, axis=1) % 2
    x = np.stack([y + rng.normal(scale=0.7, size=y.shape), np.ones(y.shape)], axis=-1)
    for row, length in zip(x, rng.integers(6, steps + 1, size=n)):
        row[length:] = 0
    return x.astype("float32"), y


@pytest.mark.long
def test_tagger_with_crf_trains_both_ways_saves_and_predicts_likeliest_labels(tmp_path):
    keras.utils.set_random_seed(0)
    x, y = noisy_runs()
    model = lz.build_tagger(
        (None, 2), 2, crf=True, lstm_units=4, mask_value=0.0, learning_rate=0.05
    )
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=10, batch_size=16, verbose=0)
    lz.fit(model, x, y, epochs=5, batch_size=16, seed=0, verbose=0)
    after = model.evaluate(x, y, verbose=0)
    assert after[0] < before[0] / 2
    assert after[1] > 0.81  # the best rule for a step by itself: 0.76, P(noise < 0.5 / 0.7)
    path = model.predict(x, verbose=0)
    assert set(np.unique(path)) == {0, 1}
    counts = (x != 0).any(axis=-1)
    assert np.mean(path.argmax(-1)[counts] == y[counts]) == pytest.approx(after[1], abs=1e-5)
    transitions = model.crf.get_weights()[0]
    assert transitions[0, 0] > transitions[0, 1]  # tags change seldom
    again = keras.models.load_model(lz.save(model, tmp_path / "tagger.keras"))
    np.testing.assert_array_equal(again.predict(x, verbose=0), path)
    assert again.evaluate(x, y, verbose=0) == pytest.approx(after, rel=1e-5)


def test_tagger_ignores_masked_steps_in_loss_and_accuracy():
    model = lz.build_tagger((None, 2), 2, lstm_units=3, mask_value=0.0)
    x, y = noisy_runs(n=8)
    other = np.where((x == 0).all(axis=-1), 1 - y, y)
    assert (other != y).any()
    assert model.evaluate(x, y, verbose=0) == model.evaluate(x, other, verbose=0)


@pytest.mark.slow
def test_tagger_with_crf_is_clipped_and_skips_steps_that_are_not_finite():
    """Plain descent at rate 1 moves the weights by the clipped gradient."""
    x, y = noisy_runs(n=4)
    keras.utils.set_random_seed(0)
    model = lz.build_tagger(
        (None, 2), 2, crf=True, lstm_units=3, optimizer=keras.optimizers.SGD(1.0)
    )
    before = model.get_weights()
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(model.crf.log_likelihood(model(x), y))
    gradients = tape.gradient(loss, [w.value for w in model.trainable_variables])
    norm = np.sqrt(sum(np.sum(g.numpy().astype("float64") ** 2) for g in gradients))
    bad = np.full_like(x, np.nan)
    history = lz.fit(model, iter([(x, y), (bad, y)]), epochs=1, clipnorm=0.01, on_nan="skip",
                     verbose=0).history  # fmt: skip
    assert history["skipped"] == [1]
    assert history["grad_norm"] == [pytest.approx(norm, rel=1e-5)]
    for new, old, g in zip(model.get_weights(), before, gradients):
        np.testing.assert_allclose(old - new, 0.01 / norm * g.numpy(), atol=1e-6)


@pytest.mark.slow
def test_language_model_learns_and_continues_a_cycle():
    keras.utils.set_random_seed(0)
    tokens = np.tile(np.arange(5), 40)[:160].reshape(8, 20)
    model = lz.build_language_model(5, lstm_units=16, embedding_dim=4, learning_rate=0.03)
    model.fit(tokens[:, :-1], tokens[:, 1:], epochs=40, verbose=0)
    assert lz.sample(model, [3, 4], 7, temperature=0).tolist() == [0, 1, 2, 3, 4, 0, 1]
    drawn = lz.sample(model, [[0, 1], [2, 3]], 3, top_k=1)
    assert drawn.tolist() == [[2, 3, 4], [4, 0, 1]]


def test_draws_have_the_probabilities_of_temperature_and_top_k():
    from lstm_zoo.builders.language_model import _draw

    p = np.array([0.5, 0.3, 0.15, 0.05])
    rows = np.tile(p, (40_000, 1))
    for temperature, top_k in ((1.0, None), (0.5, None), (2.0, 3), (1.0, 2)):
        wanted = p ** (1 / temperature)
        wanted[top_k or 4 :] = 0
        wanted /= wanted.sum()
        drawn = _draw(rows, temperature, top_k, np.random.default_rng(0))
        np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 40_000, wanted, atol=0.01)


def test_the_same_seed_draws_the_same_text():
    model = lz.build_language_model(9, lstm_units=3)
    one, same, other = (lz.sample(model, [1], 30, seed=seed) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()


@pytest.mark.slow
def test_autoencoder_finds_the_sequence_that_is_unlike_the_others():
    keras.utils.set_random_seed(0)
    phase = RNG.uniform(0, 6, size=(64, 1))
    x = 50 + 10 * np.sin(np.arange(16) / 2 + phase)[..., None]
    model = lz.build_autoencoder(
        (None, 1), lstm_units=16, normalise=x, mask_value=0.0, learning_rate=0.01
    )
    model.fit(x, x, epochs=30, batch_size=16, verbose=0)
    odd = x[:4].copy()
    odd[2, 8:11] = 95
    odd[3, 10:] = 0
    scores = lz.anomaly_scores(model, odd)
    assert np.nanmean(scores, axis=1).argmax() == 2
    assert scores[2].argmax() in (8, 9, 10)
    assert np.isnan(scores[3]).tolist() == [False] * 10 + [True] * 6


def reversals(n, rng):
    """Sources of 3 to 5 tokens; the target is the source from its end, with 2 as the end token."""
    source, target = np.zeros((n, 5), int), np.zeros((n, 6), int)
    for s, t in zip(source, target):
        tokens = rng.integers(3, 7, size=rng.integers(3, 6))
        s[: len(tokens)], t[: len(tokens) + 1] = tokens, [*tokens[::-1], 2]
    return source, target


@pytest.mark.long
def test_sequence_to_sequence_learns_to_reverse_by_greedy_and_by_beam():
    keras.utils.set_random_seed(0)
    source, target = reversals(600, np.random.default_rng(0))
    reads, says = teacher_forcing(target, start=1)
    model = lz.build_seq2seq(7, 7, lstm_units=24, embedding_dim=8, learning_rate=0.02)
    model.fit({"source": source, "target": reads}, says, epochs=12, batch_size=50, verbose=0)
    new, wanted = reversals(40, np.random.default_rng(1))
    for beam_width in (1, 3):
        got = lz.translate(model, new, start=1, end=2, max_length=6, beam_width=beam_width)
        right = [row.tolist() == [k for k in w if k > 2] for row, w in zip(got, wanted)]
        assert np.mean(right) > 0.8


def bigrams(table):
    """A model whose next token depends on the one before alone, for `translate`."""
    source, target = keras.Input((None,), name="source"), keras.Input((None,), name="target")
    read = keras.layers.Embedding(*np.shape(table), weights=[np.asarray(table)])(target)
    return keras.Model({"source": source, "target": target}, read)


def test_a_beam_finds_what_greedy_misses_and_ends_where_it_should():
    # From 1: 3 is likelier at first, but only 4 goes on surely. 2 ends.
    table = np.full((5, 5), 1e-9)
    table[1, [3, 4]] = 0.6, 0.4
    table[3, [2, 3, 4]] = 0.34, 0.33, 0.33
    table[4, 2] = 1.0
    options = {"start": 1, "end": 2, "max_length": 5}
    (greedy,) = lz.translate(bigrams(table), [[3]], **options)
    (beam,) = lz.translate(bigrams(table), [[3]], beam_width=2, **options)
    assert greedy.tolist() == [3]
    assert beam.tolist() == [4]


@pytest.mark.parametrize("scaled", [False, True])
def test_lstm_fcn_reads_differences_next_to_the_features(scaled):
    x = RNG.normal(size=(40, 6, 2)) * [100, 0.01] + [1000, 5]
    options = {"normalise": x} if scaled else {}
    model = lz.build_lstm_fcn((6, 2), 3, differences=True, filters=4, kernel_sizes=3, **options)
    read = keras.Model(model.input, model.get_layer("and_differences").output)(x).numpy()
    change = np.concatenate([np.zeros((40, 1, 2)), np.diff(x, axis=1)], axis=1)
    expected = np.concatenate([x, change], axis=2)
    if scaled:
        expected = (expected - expected.mean(axis=(0, 1))) / expected.std(axis=(0, 1))
    np.testing.assert_allclose(read, expected, rtol=1e-4, atol=1e-2)


def test_lstm_fcn_has_the_layers_of_the_paper():
    model = lz.build_lstm_fcn((20, 1), 3)
    # LSTM of 8 units reading one step of 20 values; three convolutions, each normalised. They have
    # no biases, unlike the paper's: the normalisation would subtract them again.
    lstm = 4 * 8 * (20 + 8 + 1)
    convolutions = 8 * 1 * 128 + 5 * 128 * 256 + 3 * 256 * 128
    assert model.count_params() == lstm + convolutions + 4 * (128 + 256 + 128) + (136 + 1) * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lz.build_tagger((5, 1), 2, crf=True, loss="mse"), "loss must be None if crf"),
        (lambda: lz.build_tagger((5, 1), 1), "num_classes must be"),
        (lambda: lz.build_language_model(1), "vocabulary_size must be"),
        (lambda: lz.build_autoencoder((5, 1), lstm_units=()), "lstm_units must be"),
        (lambda: lz.build_seq2seq(5, 5, lstm_units=(3, 4)), "lstm_units must be a whole number"),
        (lambda: lz.build_seq2seq(1, 5), "source_vocabulary must be"),
        (lambda: lz.build_lstm_fcn((None, 1), 2), "dimension_shuffle must be False"),
        (lambda: lz.build_lstm_fcn((5, 1), 2, mask_value=0.0), "dimension_shuffle must be False"),
        (
            lambda: lz.build_lstm_fcn(
                (5, 1), 2, differences=True, mask_value=0, dimension_shuffle=False
            ),
            "mask_value must be None if differences",
        ),
        (lambda: lz.build_lstm_fcn((5, 1), 2, noise=-1), "noise must be at least 0, got -1"),
        (lambda: lz.build_lstm_fcn((5, 1), 2, filters=8), "kernel_sizes must have as many"),
        (lambda: lz.translate(bigrams(np.eye(4)), [3], start=1, end=2), "source must have 2 axes"),
        (lambda: lz.translate(bigrams(np.eye(4)), [[3]], start=9, end=2), "start must be"),
        (lambda: lz.sample(lz.build_language_model(5), [7], 2), "prompt must hold whole numbers"),
        (lambda: lz.sample(lz.build_language_model(5), [1], 2, top_k=6), "top_k must be"),
        (lambda: lz.sample(lz.build_language_model(5), [1], 2, temperature=-1), "temperature must"),
        (
            lambda: lz.anomaly_scores(lz.build_regressor((5, 1)), np.ones((2, 5, 1))),
            "model must have an output of its input's shape",
        ),
    ],
)
def test_bad_argument_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
