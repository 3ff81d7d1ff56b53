"""Answers to the exercises of notebook 01, sequences and RNNs."""

import numpy as np
from keras.layers import RNN, Bidirectional

from lstm_zoo import datasets
from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "01-1",
    "What does each step produce, and how long is it?",
    "Each step gives one state, with one entry per unit. The batch stays the first axis.",
    "With return_sequences the axes are batch, timesteps, units; without it the steps are gone.",
)
def _(answer):
    every, last = answer
    return tuple(every) == (8, 100, 32) and tuple(last) == (8, 32)


@exercise(
    "01-2",
    "Which inequality does n satisfy? Write it down for one u.",
    "You want the smallest whole n with u ** n < 0.01: take logarithms, or try numbers.",
    "n is above ln 0.01 / ln u. Compute it for 0.5 and 0.9, and round up.",
)
def _(answer):
    return near(answer, (7, 44), 0)


@exercise(
    "01-3",
    "One unit can hold the current input. What should the other unit read?",
    "Unit 1 reads only the input; unit 2 reads only what unit 1 was one step before.",
    "In h @ U, row k of U says where the old unit k goes. Only row 1, column 2 is not zero.",
)
def _(answer):
    W, U, b = (np.asarray(weight, float) for weight in answer)
    rng = np.random.default_rng(0)
    for x in (np.linspace(-2, 2, 9), rng.normal(size=30)):
        h, second = np.zeros(2), []
        for x_t in x:
            h = np.tanh([x_t] @ W + h @ U + b)
            second.append(h[1])
        if not near(second, np.tanh(np.tanh([0, *x[:-1]])), 1e-3):
            return False
    return True


@exercise(
    "01-4",
    "Which inputs does the state of one step depend on?",
    "A state depends on its own input and on all earlier inputs, never on later ones.",
    "The states of steps 20 to 50 can change. Count them, both ends included.",
)
def _(answer):
    return near(answer, 31, 0)


@exercise(
    "01-5",
    "One half reads the sequence as it is. What does the other half read?",
    "The other half reads x[::-1]. In which order are its states then?",
    "Reverse the states of the second half again, and join the two along axis 1.",
)
def _(answer):
    def rnn(x, W, U, b):
        h, states = np.zeros(len(U)), []
        for x_t in x:
            h = np.tanh(x_t @ W + h @ U + b)
            states.append(h)
        return np.array(states)

    def both_ways(x, ahead, back):
        return np.concatenate([rnn(x, *ahead), rnn(x[::-1], *back)[::-1]], axis=1)

    rng = np.random.default_rng(0)

    def weights(features, units):
        return tuple(rng.normal(size=s) for s in ((features, units), (units, units), (units,)))

    sizes = ((1, 2, 3), (5, 1, 2), (8, 3, 4), (8, 3, 4))
    cases = [(rng.normal(size=(t, m)), weights(m, n), weights(m, n)) for t, m, n in sizes]
    return same_function(answer, both_ways, cases)


@exercise(
    "01-6",
    "How many weights has an LSTM layer of n units that reads one feature?",
    "4 (1 + n + 1) n: 32 units fit. Train longer than 15 epochs, with a falling learning rate.",
    "LSTM(32), Adam with CosineDecay(0.015, 60 * 63), 60 epochs in batches of 64.",
)
def _(answer):
    data, model = datasets.load("mnist1d"), answer()
    right = np.mean(model.predict(data.x_test, verbose=0).argmax(axis=-1) == data.y_test)
    recurrent = any(isinstance(layer, (RNN, Bidirectional)) for layer in model.layers)
    return recurrent and model.count_params() < 5000 and right >= 0.95
