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


def split(count, *weights):
    """Each weight cut into that many blocks, side by side."""
    return [np.split(w, count, axis=-1) for w in weights]


def no_input_gate(x, hidden_state, cell_state, W, U, b, p):
    """Greff et al. 2017, NIG."""
    (W_f, W_g, W_o), (U_f, U_g, U_o), (b_f, b_g, b_o) = split(3, W, U, b)
    f = sigmoid(x @ W_f + hidden_state @ U_f + p[0] * cell_state + b_f)
    c = f * cell_state + np.tanh(x @ W_g + hidden_state @ U_g + b_g)
    o = sigmoid(x @ W_o + hidden_state @ U_o + p[1] * c + b_o)
    return {"hidden_state": o * np.tanh(c), "cell_state": c}


def no_forget_gate(x, hidden_state, cell_state, W, U, b, p):
    """Greff et al. 2017, NFG."""
    (W_i, W_g, W_o), (U_i, U_g, U_o), (b_i, b_g, b_o) = split(3, W, U, b)
    i = sigmoid(x @ W_i + hidden_state @ U_i + p[0] * cell_state + b_i)
    c = cell_state + i * np.tanh(x @ W_g + hidden_state @ U_g + b_g)
    o = sigmoid(x @ W_o + hidden_state @ U_o + p[1] * c + b_o)
    return {"hidden_state": o * np.tanh(c), "cell_state": c}


def no_output_gate(x, hidden_state, cell_state, W, U, b, p):
    """Greff et al. 2017, NOG."""
    (W_i, W_f, W_g), (U_i, U_f, U_g), (b_i, b_f, b_g) = split(3, W, U, b)
    i = sigmoid(x @ W_i + hidden_state @ U_i + p[0] * cell_state + b_i)
    f = sigmoid(x @ W_f + hidden_state @ U_f + p[1] * cell_state + b_f)
    c = f * cell_state + i * np.tanh(x @ W_g + hidden_state @ U_g + b_g)
    return {"hidden_state": np.tanh(c), "cell_state": c}


def vanilla(x, h, c, W, U, b, p, candidate=np.tanh, out=np.tanh, seen=(0, 0, 0)):
    """Greff et al. 2017, section 2: i, f, o, the cell state and the block's output."""
    (W_i, W_f, W_g, W_o), (U_i, U_f, U_g, U_o), (b_i, b_f, b_g, b_o) = split(4, W, U, b)
    i = sigmoid(x @ W_i + h @ U_i + p[0] * c + b_i + seen[0])
    f = sigmoid(x @ W_f + h @ U_f + p[1] * c + b_f + seen[1])
    c = f * c + i * candidate(x @ W_g + h @ U_g + b_g)
    o = sigmoid(x @ W_o + h @ U_o + p[2] * c + b_o + seen[2])
    return i, f, o, c, o * out(c)


def no_input_activation(x, hidden_state, cell_state, W, U, b, p):
    """Greff et al. 2017, NIAF."""
    *_, c, h = vanilla(x, hidden_state, cell_state, W, U, b, p, candidate=lambda a: a)
    return {"hidden_state": h, "cell_state": c}


def no_output_activation(x, hidden_state, cell_state, W, U, b, p):
    """Greff et al. 2017, NOAF."""
    *_, c, h = vanilla(x, hidden_state, cell_state, W, U, b, p, out=lambda a: a)
    return {"hidden_state": h, "cell_state": c}


def full_gate_recurrence(x, hidden_state, cell_state, i, f, o, W, U, b, p, R):
    """Greff et al. 2017, FGR: nine more recurrent matrices, R_{from, to}."""
    rows = [np.split(block, 3, axis=1) for block in np.split(R, 3, axis=0)]
    seen = [i @ rows[0][to] + f @ rows[1][to] + o @ rows[2][to] for to in range(3)]
    i, f, o, c, h = vanilla(x, hidden_state, cell_state, W, U, b, p, seen=seen)
    states = {"hidden_state": h, "cell_state": c}
    return {**states, "input_gate": i, "forget_gate": f, "output_gate": o}


def layer_norm(x, hidden_state, cell_state, W, U, b, gain_h, gain_x, gain_c, shift_c):
    """Ba et al. 2016, supplementary material, in the order i, f, g, o."""

    def normalised(a, gain):
        return gain * (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + 1e-5)

    z = normalised(hidden_state @ U, gain_h) + normalised(x @ W, gain_x) + b
    i, f, g, o = np.split(z, 4, axis=1)
    c = sigmoid(f) * cell_state + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(normalised(c, gain_c) + shift_c)
    return {"hidden_state": h, "cell_state": c}


def projected(x, hidden_state, cell_state, W, U, b, p, P):
    """Sak et al. 2014, without the projection that does not recur."""
    *_, c, m = vanilla(x, hidden_state, cell_state, W, U, b, p)
    return {"hidden_state": m @ P, "cell_state": c}


def multiplicative(x, hidden_state, cell_state, W, U, b):
    """Krause et al. 2016, section 3."""
    (W_i, W_f, W_g, W_o, W_m), (U_i, U_f, U_g, U_o, U_m) = split(5, W, U)
    b_i, b_f, b_g, b_o, b_m = np.split(b, 5)
    m = (x @ W_m + b_m) * (hidden_state @ U_m)
    i, f = sigmoid(x @ W_i + m @ U_i + b_i), sigmoid(x @ W_f + m @ U_f + b_f)
    g, o = np.tanh(x @ W_g + m @ U_g + b_g), sigmoid(x @ W_o + m @ U_o + b_o)
    c = f * cell_state + i * g
    return {"hidden_state": o * np.tanh(c), "cell_state": c}


def min_gru(x, hidden_state, W, b):
    """Feng et al. 2024, section 3.1."""
    (W_z, W_g), (b_z, b_g) = split(2, W, b)
    z = sigmoid(x @ W_z + b_z)
    return {"hidden_state": (1 - z) * hidden_state + z * (x @ W_g + b_g)}


def min_lstm(x, hidden_state, W, b):
    """Feng et al. 2024, section 3.2."""
    (W_i, W_f, W_g), (b_i, b_f, b_g) = split(3, W, b)
    i, f = sigmoid(x @ W_i + b_i), sigmoid(x @ W_f + b_f)
    return {"hidden_state": f / (f + i) * hidden_state + i / (f + i) * (x @ W_g + b_g)}


def slstm(x, hidden_state, cell_state, normaliser, stabiliser, W, U, b):
    """Beck et al. 2024, equations 8 to 17: without the stabiliser, which is put in at the end."""
    (W_i, W_f, W_g, W_o), (U_i, U_f, U_g, U_o), (b_i, b_f, b_g, b_o) = split(4, W, U, b)
    log_i = x @ W_i + hidden_state @ U_i + b_i
    i, f = np.exp(log_i), sigmoid(x @ W_f + hidden_state @ U_f + b_f)
    scale = np.exp(stabiliser)
    c = f * scale * cell_state + i * np.tanh(x @ W_g + hidden_state @ U_g + b_g)
    n = f * scale * normaliser + i
    h = sigmoid(x @ W_o + hidden_state @ U_o + b_o) * c / n
    m = np.maximum(np.log(f) + stabiliser, log_i)
    return {
        "hidden_state": h,
        "cell_state": c / np.exp(m),
        "normaliser": n / np.exp(m),
        "stabiliser": m,
    }


def mlstm(x, hidden_state, matrix_memory, normaliser, stabiliser, W, b):
    """Beck et al. 2024, equations 19 to 27, of one head, a row of the batch at a time."""
    d, results = hidden_state.shape[1], []
    edges = [d, 2 * d, 3 * d, 4 * d, 4 * d + 1]
    rows = zip(x @ W + b, matrix_memory, normaliser, stabiliser)
    for z, C, n, m_before in rows:
        q, k, v, o, log_i, f = np.split(z, edges)
        k, i, f = k / np.sqrt(d), np.exp(log_i), sigmoid(f)
        C = f * np.exp(m_before) * C.reshape(d, d) + i * np.outer(v, k)
        n = f * np.exp(m_before) * n + i * k
        h = sigmoid(o) * (C @ q) / max(abs(n @ q), 1)
        m = np.maximum(np.log(f) + m_before, log_i)
        results.append((h, C.ravel() / np.exp(m), n / np.exp(m), m))
    names = ("hidden_state", "matrix_memory", "normaliser", "stabiliser")
    return dict(zip(names, map(np.array, zip(*results))))


def gru_d(x, hidden_state, W, U, b, input_decay, state_decay):
    """Che et al. 2018, equations 10 to 17, with values whose mean is 0."""
    values, mask, gap = np.split(x, 3, axis=1)
    (W_z, W_r, W_g), (U_z, U_r, U_g), (b_z, b_r, b_g) = split(3, W, U, b)
    (W_z, V_z), (W_r, V_r), (W_g, V_g) = (np.split(w, 2) for w in (W_z, W_r, W_g))
    gamma_x = np.exp(-np.maximum(0, input_decay[0] * gap + input_decay[1]))
    gamma_h = np.exp(-np.maximum(0, gap @ state_decay[:-1] + state_decay[-1]))
    x = mask * values + (1 - mask) * (gamma_x * values + (1 - gamma_x) * 0)
    h = gamma_h * hidden_state
    z = sigmoid(x @ W_z + h @ U_z + mask @ V_z + b_z)
    r = sigmoid(x @ W_r + h @ U_r + mask @ V_r + b_r)
    g = np.tanh(x @ W_g + (r * h) @ U_g + mask @ V_g + b_g)
    return {"hidden_state": (1 - z) * h + z * g}


def gru(x, hidden_state, W, U, b):
    """Cho et al. 2014, in the form of cuDNN: the reset gate multiplies the matrix product."""
    (W_z, W_r, W_g), (U_z, U_r, U_g) = split(3, W, U)
    (b_z, b_r, b_g), (c_z, c_r, c_g) = split(3, *b)
    z = sigmoid(x @ W_z + b_z + hidden_state @ U_z + c_z)
    r = sigmoid(x @ W_r + b_r + hidden_state @ U_r + c_r)
    g = np.tanh(x @ W_g + b_g + r * (hidden_state @ U_g + c_g))
    return {"hidden_state": z * hidden_state + (1 - z) * g}


def gru_of_the_paper(x, hidden_state, W, U, b):
    """Cho et al. 2014, equations 5 to 8: the reset gate multiplies the hidden state."""
    (W_z, W_r, W_g), (U_z, U_r, U_g), (b_z, b_r, b_g) = split(3, W, U, b)
    z = sigmoid(x @ W_z + hidden_state @ U_z + b_z)
    r = sigmoid(x @ W_r + hidden_state @ U_r + b_r)
    g = np.tanh(x @ W_g + (r * hidden_state) @ U_g + b_g)
    return {"hidden_state": z * hidden_state + (1 - z) * g}


def simple_rnn(x, hidden_state, W, U, b):
    """Elman 1990, with tanh."""
    return {"hidden_state": np.tanh(x @ W + hidden_state @ U + b)}


def time_gap(x, hidden_state, cell_state, W, U, b, W_s, b_s):
    """Baytas et al. 2017, section 3.1."""
    gap = np.maximum(x[:, -1:], 0)
    short = np.tanh(cell_state @ W_s + b_s)
    long = cell_state - short
    adjusted = long + short * (1 / np.log(np.e + gap))
    return lstm(x[:, :-1], hidden_state, adjusted, W, U, b)


def zoneout(x, hidden_state, cell_state, W, U, b):
    """Krueger et al. 2016, in inference, with a probability of 0.1 for both states."""
    now = lstm(x, hidden_state, cell_state, W, U, b)
    before = {"hidden_state": hidden_state, "cell_state": cell_state}
    return {name: 0.1 * before[name] + 0.9 * now[name] for name in before}


REFERENCES = {
    "lstm": lstm,
    "peephole": peephole,
    "coupled": coupled,
    "no_input_gate": no_input_gate,
    "no_forget_gate": no_forget_gate,
    "no_output_gate": no_output_gate,
    "no_input_activation": no_input_activation,
    "no_output_activation": no_output_activation,
    "full_gate_recurrence": full_gate_recurrence,
    "layer_norm": layer_norm,
    "projected": projected,
    "multiplicative": multiplicative,
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "slstm": slstm,
    "mlstm": mlstm,
    "zoneout": zoneout,
    "candidate_dropout": lstm,  # in inference
    "gru_d": gru_d,
    "gru": gru,
    "simple_rnn": simple_rnn,
    "time_gap": time_gap,
}
