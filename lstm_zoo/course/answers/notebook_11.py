"""Answers to the exercises of notebook 11, text."""

import numpy as np

from lstm_zoo.course.exercises import exercise, same_function


@exercise(
    "11-1",
    "Which average do the bits take, and is the perplexity an average of its own?",
    "First the mean of -log2(p), then 2 to the power of it.",
    "bits = np.mean(-np.log2(p)); perplexity = 2**bits.",
)
def _(answer):
    def measured(p):
        bits = np.mean(-np.log2(p))
        return bits, 2**bits

    rng = np.random.default_rng(0)
    cases = [(rng.uniform(0.01, 1, n),) for n in (1, 7, 50)]
    return same_function(answer, measured, cases, 1e-6)


@exercise(
    "11-2",
    "Try it on tokens 0 to 9 and 3 steps by hand: which token is the last target?",
    "The last input needs a token behind it, so only len(tokens) - 1 tokens can be inputs.",
    "pieces = (len(tokens) - 1) // timesteps; y begins one token later than x.",
)
def _(answer):
    def cut(tokens, timesteps):
        pieces = (len(tokens) - 1) // timesteps
        starts = timesteps * np.arange(pieces)[:, None] + np.arange(timesteps)
        return tokens[starts], tokens[starts + 1]

    rng = np.random.default_rng(0)
    sizes = [(23, 5), (24, 4), (25, 4), (10, 9), (31, 3)]
    cases = [(rng.integers(1, 97, size), timesteps) for size, timesteps in sizes]
    return same_function(answer, cut, cases, 0)


@exercise(
    "11-3",
    "A character of probability 0 must stay at 0, and the result must sum to 1 in each row.",
    "Raise to the power 1 / temperature. Which sum makes each row sum to 1?",
    "q = p ** (1 / temperature); divide by q.sum(axis=-1, keepdims=True).",
)
def _(answer):
    def tempered(p, temperature):
        q = p ** (1 / temperature)
        return q / q.sum(axis=-1, keepdims=True)

    rng = np.random.default_rng(0)
    cases = [
        (rng.dirichlet(np.ones(size), rows), temperature)
        for size, rows, temperature in ((4, 3, 0.5), (97, 2, 1.7), (10, 1, 0.2), (3, 5, 3.0))
    ]
    cases.append((np.array([[0, 0.25, 0.75], [0.5, 0.5, 0]]), 2.0))
    return same_function(answer, tempered, cases, 1e-7)


@exercise(
    "11-4",
    "Count first: how often does token b come right behind token a?",
    "Add 1 to each of the size x size counts. What must each row sum to?",
    "np.add.at(counts, (tokens[:-1], tokens[1:]), 1) counts; divide each row by its sum.",
)
def _(answer):
    def bigram(tokens, size):
        counts = np.ones((size, size))
        for before, after in zip(tokens[:-1], tokens[1:]):
            counts[before, after] += 1
        return counts / counts.sum(axis=1, keepdims=True)

    rng = np.random.default_rng(0)
    cases = [(rng.integers(0, size, length), size) for size, length in ((3, 40), (5, 12), (9, 200))]
    cases.append((np.array([1, 1, 1, 0]), 4))
    return same_function(answer, bigram, cases, 1e-9)


@exercise(
    "11-5",
    "A language model is trained on pieces; the more pieces and passes, the fewer bits.",
    "An LSTM of 80 units on an embedding of 24 has under 50,000 weights.",
    "Learning rate 0.01, pieces of 50 characters, batches of 32, 8 passes.",
)
def _(answer):
    from lstm_zoo import datasets

    data = datasets.load("python_docs")
    model = answer(data.x_train, len(data.vocabulary) + 1)
    if model.count_params() >= 50_000:
        raise ValueError(f"the model has {model.count_params():,} weights, not under 50,000")
    read = data.x_test[:40_001]
    x, y = read[:-1].reshape(80, 500), read[1:].reshape(80, 500)
    p = model.predict(x, batch_size=16, verbose=0)
    if p.shape != (80, 500, len(data.vocabulary) + 1) or not np.allclose(p.sum(-1), 1, atol=1e-3):
        raise ValueError("the model must give a probability for each of the 97 tokens at each step")
    came = np.take_along_axis(p, y[..., None], axis=-1)
    bits = -np.mean(np.log2(np.maximum(came, 1e-30)))
    print(f"{model.count_params():,} weights, {bits:.2f} bits per character")
    return bits < 2.2
