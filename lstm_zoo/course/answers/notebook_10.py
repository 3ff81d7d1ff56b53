"""Answers to the exercises of notebook 10, the training step."""

import keras
import numpy as np

from lstm_zoo.course.exercises import exercise, near, same_function


@exercise(
    "10-1",
    "When does a tf.function trace again?",
    "Each new shape is traced once. Which batch sizes occur in 104 sequences?",
    "104 = 32 + 32 + 32 + 8, in every epoch. How many different sizes are these?",
)
def _(answer):
    return near(answer, 2, 0)


@exercise(
    "10-2",
    "Does a part of 24 sequences count as much as a part of 8?",
    "Weigh each gradient by its number of sequences.",
    "Divide n1 * g1 + n2 * g2 by the number of all sequences.",
)
def _(answer):
    rng = np.random.default_rng(0)
    cases = [
        (rng.normal(size=s), n1, rng.normal(size=s), n2)
        for s, n1, n2 in (((3, 4), 24, 8), ((5,), 8, 24), ((2, 2), 24, 3), ((3,), 5, 5))
    ]
    return same_function(answer, lambda g1, n, g2, m: (n * g1 + m * g2) / (n + m), cases)


@exercise(
    "10-3",
    "By how much is the gradient too small for full precision?",
    "Divide 2**-14 by the gradient: the scale must be at least this large.",
    "The ratio is 610. Which power of two comes next?",
)
def _(answer):
    return near(answer, 1024, 0)


@exercise(
    "10-4",
    "What is the rate at step 0, at step warmup - 1, and at step `steps`?",
    "Two branches: peak * (step + 1) / warmup while step < warmup, then the cosine.",
    "The fraction is (step - warmup + 1) / (steps - warmup + 1); half of 1 + cos(pi * fraction).",
)
def _(answer):
    def rate_at(step, steps, warmup, peak):
        if step < warmup:
            return peak * (step + 1) / warmup
        fraction = (step - warmup + 1) / (steps - warmup + 1)
        return peak * (1 + np.cos(np.pi * fraction)) / 2

    settings = (100, 10, 0.1), (100, 20, 0.1), (60, 10, 0.1), (100, 10, 0.3)
    cases = [(step, *rest) for rest in settings for step in (0, 4, 9, 10, 19, 33, 59)]
    return same_function(answer, rate_at, cases, 1e-9)


@exercise(
    "10-5",
    "By how much does each part count in the mean over the whole batch?",
    "Divide each part's sum of squared errors by len(x). Such gradients add up. When to clip?",
    "Add the parts' gradients, clip the sum with tf.clip_by_global_norm, apply it once.",
)
def _(answer):
    rng = np.random.default_rng(0)
    for samples, parts, largest, rate in ((10, 3, 0.05, 0.5), (9, 2, 100.0, 0.1), (7, 5, 0.1, 0.2)):
        x, y = rng.normal(size=(samples, 4, 2)).astype("float32"), rng.normal(size=samples) + 1.0
        y = y.astype("float32")
        model, wanted = _Counting.model(), _Counting.model()
        wanted.set_weights(model.get_weights())
        optimizers = [
            keras.optimizers.SGD(rate),
            keras.optimizers.SGD(rate, global_clipnorm=largest),
        ]
        for optimizer, of in zip(optimizers, (model, wanted)):
            optimizer.build(of.trainable_variables)
        wanted.compile(optimizers[1], "mse", run_eagerly=True)
        loss = wanted.train_on_batch(x, y)
        given = x.copy(), y.copy()
        sizes = model.get_layer("counting").sizes
        sizes.clear()
        found = float(answer(model, optimizers[0], *given, parts, largest))
        unchanged = np.array_equal(given[0], x) and np.array_equal(given[1], y)
        in_parts = max(sizes) <= -(-samples // parts) and sum(sizes) == samples
        if not (unchanged and in_parts and abs(found - loss) < 1e-4):
            return False
        both = zip(model.get_weights(), wanted.get_weights())
        if not all(near(one, other, 1e-4) for one, other in both):
            return False
    return True


class _Counting(keras.layers.Layer):
    """Hands its input on, and notes how many sequences it had."""

    @classmethod
    def model(cls):
        inner = cls(name="counting")
        layers = [keras.Input((4, 2)), inner, keras.layers.SimpleRNN(3), keras.layers.Dense(1)]
        return keras.Sequential(layers)

    def __init__(self, **options):
        super().__init__(**options)
        self.sizes: list[int] = []

    def call(self, x):
        if x.shape[0] is not None:
            self.sizes.append(x.shape[0])
        return x
