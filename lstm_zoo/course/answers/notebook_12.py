"""Answers to the exercises of notebook 12, sequence to sequence."""

import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function

START, END, FIRST_DIGIT, VOCABULARY = 1, 2, 3, 13


@exercise(
    "12-1",
    "What does the decoder read first, and what does it never read?",
    "Move each answer by one step to the right; its last token drops out.",
    "A column of start tokens, then target[:, :-1].",
)
def _(answer):
    def decoder_input(target, start):
        return np.hstack([np.full((len(target), 1), start), target[:, :-1]])

    rng = np.random.default_rng(0)
    shapes = [(3, 5, 1), (1, 2, 9), (6, 4, 2)]
    cases = [(rng.integers(3, 13, (rows, steps)), start) for rows, steps, start in shapes]
    return same_function(answer, decoder_input, cases, 0)


@exercise(
    "12-2",
    "A masked key must get a weight of exactly 0, and the others must still sum to 1.",
    "Set the score of each masked key to -infinity before the softmax. Along which axis is it?",
    "scores = queries @ keys.T / sqrt(d); np.where(mask, scores, -np.inf); softmax over the keys.",
)
def _(answer):
    def attend(queries, keys, values, mask):
        scores = queries @ keys.T / np.sqrt(queries.shape[1])
        scores = np.where(mask, scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True) @ values

    rng = np.random.default_rng(0)
    cases = []
    for steps, length, size in ((2, 5, 3), (4, 4, 4), (1, 7, 2), (3, 6, 5)):
        mask = rng.random(length) < 0.6
        mask[rng.integers(length)] = True
        shapes = (steps, size), (length, size), (length, size + 1)
        cases.append((*(2 * rng.normal(size=shape) for shape in shapes), mask))
    return same_function(answer, attend, cases, 1e-7)


@exercise(
    "12-3",
    "Write both costs for one length T, and set them equal.",
    "8 d^2 T = 4 d^2 T + 2 d T^2. Divide by 2 d T.",
    "They are equal at T = 2 d. The question asks for the first length where one is larger.",
)
def _(answer):
    return near(answer, 129, 0)


@exercise(
    "12-4",
    "Which beginnings survive a step? Compare the products of all probabilities so far.",
    "Continue each of the beginnings with each token, then keep the `width` likeliest.",
    "Keep (log probability, tokens) pairs; sorted(..., reverse=True)[:width] after each step.",
)
def _(answer):
    def beam(first, table, length, width):
        kept = sorted(((np.log(p), (k,)) for k, p in enumerate(first)), reverse=True)[:width]
        for _ in range(length - 1):
            longer = [
                (score + np.log(p), (*tokens, k))
                for score, tokens in kept
                for k, p in enumerate(table[tokens[-1]])
            ]
            kept = sorted(longer, reverse=True)[:width]
        return np.array(kept[0][1])

    cases = []
    for seed, size, length in ((0, 4, 5), (1, 3, 4), (2, 6, 6), (3, 5, 3), (4, 4, 7), (5, 5, 5)):
        rng = np.random.default_rng(seed)
        first, table = rng.dirichlet(np.ones(size)), rng.dirichlet(np.ones(size), size)
        cases += [(first, table, length, width) for width in (1, 2, 4)]
    cases.append((np.array([0.6, 0.4]), np.array([[0.55, 0.45], [0.95, 0.05]]), 2, 2))
    return same_function(answer, beam, cases, 0)


@exercise(
    "12-5",
    "Sorting needs to look at the whole input for each token of the answer.",
    "lz.build_seq2seq has attention; train it with lz.builders.teacher_forcing(target, 1).",
    "Embedding 32, 40 units, learning rate 0.003, batches of 64, 2 passes.",
)
def _(answer):
    rng = np.random.default_rng(0)
    source, target = digits(30_000, 8, np.sort, rng)
    model = answer(source, target)
    source, target = digits(300, 8, np.sort, rng)
    return translated(model, source, target) >= 0.95


@exercise(
    "12-6",
    "What does the decoder read at a step, and what must it say at the same step?",
    "It reads the very token that it must say, so it learns to copy its input.",
    "reads, says = lz.builders.teacher_forcing(target, 1): train with both.",
)
def _(answer):
    rng = np.random.default_rng(0)
    source, target = digits(12_000, 5, lambda row: row[::-1], rng)
    model = answer(source, target)
    source, target = digits(300, 5, lambda row: row[::-1], rng)
    return translated(model, source, target) >= 0.9


def digits(samples, longest, change, rng):
    """Sequences of 1 to `longest` digits, and what `change` makes of each, then an end token."""
    source = np.zeros((samples, longest), "int32")
    target = np.zeros((samples, longest + 1), "int32")
    for k, length in enumerate(rng.integers(1, longest + 1, samples)):
        row = rng.integers(FIRST_DIGIT, VOCABULARY, length)
        source[k, :length] = row
        target[k, :length], target[k, length] = change(row), END
    return source, target


def translated(model, source, target):
    """The share of answers without a mistake."""
    from lstm_zoo import builders

    longest = target.shape[1]
    answers = builders.translate(model, source, start=START, end=END, max_length=longest)
    wanted = [row[row > END] for row in target]
    share = np.mean([np.array_equal(one, other) for one, other in zip(answers, wanted)])
    print(f"{share:.0%} of the answers are right")
    return share
