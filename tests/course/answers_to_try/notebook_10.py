"""Answers to try in the exercises of notebook 10: a right one, and careless ones."""

import numpy as np
import tensorflow as tf


def rate_at(step, steps, warmup, peak, shift=1):
    if step < warmup:
        return peak * (step + shift) / warmup
    fraction = (step - warmup + shift) / (steps - warmup + shift)
    return peak * (1 + np.cos(np.pi * fraction)) / 2


def train_step(model, optimizer, x, y, parts, largest, weigh=True, clip="sum", once=True):
    weights, whole, total = model.trainable_variables, 0.0, None
    for x_part, y_part in zip(np.array_split(x, parts), np.array_split(y, parts)):
        share = len(x_part) / len(x) if weigh else 1 / parts
        with tf.GradientTape() as tape:
            error = tf.reshape(model(x_part, training=True), [-1]) - y_part
            loss = tf.reduce_mean(error**2) * share
        gradients = tape.gradient(loss, [w.value for w in weights])
        if clip == "each":
            gradients, _ = tf.clip_by_global_norm(gradients, largest * share)
        if not once:
            optimizer.apply(gradients, weights)
        total = gradients if total is None else [a + b for a, b in zip(total, gradients)]
        whole += float(loss)
    if clip == "sum":
        total, _ = tf.clip_by_global_norm(total, largest)
    if once:
        optimizer.apply(total, weights)
    return whole


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
    "10-4": (
        rate_at,
        [
            lambda step, steps, warmup, peak: rate_at(step, steps, warmup, peak, shift=0),
            lambda step, steps, warmup, peak: peak * min(1, (step + 1) / warmup),
            lambda step, steps, warmup, peak: peak * (1 + np.cos(np.pi * step / steps)) / 2,
            lambda step, steps, warmup, peak: rate_at(step, steps + 1, warmup, peak),
        ],
    ),
    "10-5": (
        lambda *given: train_step(*given),
        [
            lambda *given: train_step(*given, weigh=False),
            lambda *given: train_step(*given, clip="each"),
            lambda *given: train_step(*given, clip=None),
            lambda *given: train_step(*given, once=False),
            lambda model, optimizer, x, y, parts, largest: train_step(
                model, optimizer, x, y, 1, largest
            ),
        ],
    ),
}
