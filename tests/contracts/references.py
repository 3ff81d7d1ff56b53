"""Each registered cell's paper in NumPy, gate by gate: what the contract holds the cell against.

A reference takes one step: input `(batch, features)`, the states before by name, and the cell's
weights in the order in which it keeps them, `U` for the recurrent kernel; it returns the new states
by name. A registered cell without a reference fails the contract.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(x, hidden_state, cell_state, W, U, b):
    """Hochreiter & Schmidhuber 1997; Gers et al. 2000."""
    W_i, W_f, W_g, W_o = np.split(W, 4, axis=1)
    U_i, U_f, U_g, U_o = np.split(U, 4, axis=1)
    b_i, b_f, b_g, b_o = np.split(b, 4)
    i = sigmoid(x @ W_i + hidden_state @ U_i + b_i)
    f = sigmoid(x @ W_f + hidden_state @ U_f + b_f)
    g = np.tanh(x @ W_g + hidden_state @ U_g + b_g)
    o = sigmoid(x @ W_o + hidden_state @ U_o + b_o)
    c = f * cell_state + i * g
    return {"hidden_state": o * np.tanh(c), "cell_state": c}


def peephole(x, hidden_state, cell_state, W, U, b, p):
    """Gers & Schmidhuber 2000."""
    W_i, W_f, W_g, W_o = np.split(W, 4, axis=1)
    U_i, U_f, U_g, U_o = np.split(U, 4, axis=1)
    b_i, b_f, b_g, b_o = np.split(b, 4)
    p_i, p_f, p_o = p
    i = sigmoid(x @ W_i + hidden_state @ U_i + p_i * cell_state + b_i)
    f = sigmoid(x @ W_f + hidden_state @ U_f + p_f * cell_state + b_f)
    g = np.tanh(x @ W_g + hidden_state @ U_g + b_g)
    c = f * cell_state + i * g
    o = sigmoid(x @ W_o + hidden_state @ U_o + p_o * c + b_o)
    return {"hidden_state": o * np.tanh(c), "cell_state": c}


def coupled(x, hidden_state, cell_state, W, U, b):
    """Greff et al. 2017, CIFG."""
    W_f, W_g, W_o = np.split(W, 3, axis=1)
    U_f, U_g, U_o = np.split(U, 3, axis=1)
    b_f, b_g, b_o = np.split(b, 3)
    f = sigmoid(x @ W_f + hidden_state @ U_f + b_f)
    g = np.tanh(x @ W_g + hidden_state @ U_g + b_g)
    o = sigmoid(x @ W_o + hidden_state @ U_o + b_o)
    c = f * cell_state + (1 - f) * g
    return {"hidden_state": o * np.tanh(c), "cell_state": c}


REFERENCES = {"lstm": lstm, "peephole": peephole, "coupled": coupled}
