"""Answers to try in the exercises of notebook 10: a right one, and careless ones."""

# exercise: (right, [careless, careless, ...])
ANSWERS = {
    "10-1": (2, [1, 4, 6, 12]),
    "10-2": (
        lambda g1, n1, g2, n2: (n1 * g1 + n2 * g2) / (n1 + n2),
        [
            lambda g1, n1, g2, n2: (g1 + g2) / 2,
            lambda g1, n1, g2, n2: g1 + g2,
            lambda g1, n1, g2, n2: (n2 * g1 + n1 * g2) / (n1 + n2),
        ],
    ),
    "10-3": (1024, [512, 610, 2**24, 2048]),
}
