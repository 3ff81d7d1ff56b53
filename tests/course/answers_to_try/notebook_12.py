"""Answers to try in the exercises of notebook 12: a right one, and careless ones."""

import numpy as np

import lstm_zoo as lz


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def attend(queries, keys, values, mask):
    scores = queries @ keys.T / np.sqrt(queries.shape[1])
    return softmax(np.where(mask, scores, -np.inf)) @ values


def attend_unscaled(queries, keys, values, mask):
    return softmax(np.where(mask, queries @ keys.T, -np.inf)) @ values


def attend_masked_with_zeros(queries, keys, values, mask):
    return softmax(np.where(mask, queries @ keys.T / np.sqrt(queries.shape[1]), 0)) @ values


def attend_masked_afterwards(queries, keys, values, mask):
    return (softmax(queries @ keys.T / np.sqrt(queries.shape[1])) * mask) @ values


def beam(first, table, length, width):
    kept = [(np.log(p), [k]) for k, p in enumerate(first)]
    for _ in range(length - 1):
        kept = sorted(kept, reverse=True)[:width]
        kept = [(s + np.log(p), [*t, k]) for s, t in kept for k, p in enumerate(table[t[-1]])]
    return np.array(max(kept)[1])


def greedy(first, table, length, width):
    tokens = [int(np.argmax(first))]
    while len(tokens) < length:
        tokens.append(int(np.argmax(table[tokens[-1]])))
    return np.array(tokens)


def everything(first, table, length, width):
    return beam(first, table, length, 10**6)


def beam_by_the_last_step(first, table, length, width):
    kept = [(p, [k]) for k, p in enumerate(first)]
    for _ in range(length - 1):
        kept = sorted(kept, reverse=True)[:width]
        kept = [(p, [*t, k]) for _, t in kept for k, p in enumerate(table[t[-1]])]
    return np.array(max(kept)[1])


def untrained(source, target):
    return lz.build_seq2seq(13, 13, embedding_dim=4, lstm_units=4)


def trained_a_little(source, target):
    model = lz.build_seq2seq(13, 13, embedding_dim=4, lstm_units=4)
    reads, says = lz.builders.teacher_forcing(target[:320], 1)
    lz.fit(model, {"source": source[:320], "target": reads}, says, epochs=1, verbose=0)
    return model


def a_function_and_no_model(source, target):
    return np.sort


# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "12-1": (
        lambda target, start: np.insert(target, 0, start, axis=1)[:, :-1],
        [
            lambda target, start: np.insert(target, 0, start, axis=1),
            lambda target, start: np.roll(target, 1, axis=1),
            lambda target, start: np.insert(target[:, 1:], 0, start, axis=1),
            lambda target, start: target,
        ],
    ),
    "12-2": (
        attend,
        [
            attend_unscaled,
            attend_masked_with_zeros,
            attend_masked_afterwards,
            lambda queries, keys, values, mask: attend(queries, keys, values, mask | True),
        ],
    ),
    "12-3": (129, [128, 64, 96, 97]),
    "12-4": (beam, [greedy, everything, beam_by_the_last_step]),
    "12-5": (None, [untrained, trained_a_little, a_function_and_no_model]),
    "12-6": (None, [untrained, trained_a_little, a_function_and_no_model]),
}
