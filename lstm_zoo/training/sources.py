"""Where batches come from: arrays, a PyDataset, or batches such as those of a tf.data.Dataset.

Batches of arrays and of a PyDataset have numbers, so that a resumed training starts at any of them.
Other batches are drawn and dropped up to there.
"""

import itertools

import keras
import numpy as np

from lstm_zoo.backend import tf
from lstm_zoo.training import replicas
from lstm_zoo.training.data import check_compiled, described, float_type, gives_batches
from lstm_zoo.training.prepare import Prepare

pack = keras.utils.pack_x_y_sample_weight


class Source:
    """Gives batches, in epochs.

    Args:
        steps: batches of an epoch, which continues where the one before ended; with None an epoch
            is one pass through the data.
        steps_in_pass: batches of one pass, or None if that is not known.
    """

    def __init__(self, steps, steps_in_pass):
        self.steps, self.steps_in_pass = steps, steps_in_pass
        self.steps_per_epoch = steps or steps_in_pass  # None if not known before an epoch ends

    def epoch(self, number, seed, first=0):
        """The batches of an epoch from number `first` on, in an order that `seed` determines."""
        raise NotImplementedError

    def to_validate(self):
        """The batches to measure an epoch on."""
        raise NotImplementedError

    def sample(self):
        """A batch, or its type, to build a model with."""
        raise NotImplementedError

    def signature(self):
        """The type of every batch, or None where batches differ in more than their length."""

    def described(self) -> str:
        """What gives the batches, with its article."""
        raise NotImplementedError

    def needs_steps(self, epochs) -> str:
        """Why the steps of an epoch must be given; "" where a pass can be an epoch."""
        return ""


class Arrays(Source):
    """Batches of arrays."""

    def __init__(self, x, y, sample_weight, *, batch_size, shuffle, floats, steps=None):
        self.data = pack(x, y, sample_weight)
        self.samples = len(keras.tree.flatten(self.data)[0])
        self.batch_size, self.shuffle, self.floats = batch_size, shuffle, floats
        super().__init__(steps, -(-self.samples // batch_size))

    def epoch(self, number, seed, first=0):
        start = number * self.steps_per_epoch
        order, of_pass = None, None
        for step in range(start + first, start + self.steps_per_epoch):
            passes, batch = divmod(step, self.steps_in_pass)
            if passes != of_pass:
                order, of_pass = self._order(passes, seed), passes
            yield self._batch(order[batch * self.batch_size : (batch + 1) * self.batch_size])

    def to_validate(self):
        return itertools.islice(self.epoch(0, seed=None), self.steps_in_pass)

    def sample(self):
        return self._batch(np.arange(1))

    def signature(self):
        return keras.tree.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), self._type(a)), self.data
        )

    def _order(self, number, seed):
        if not self.shuffle:
            return np.arange(self.samples)
        return np.random.default_rng([seed, number]).permutation(self.samples)

    def _batch(self, samples):
        return keras.tree.map_structure(lambda a: self._converted(a[samples]), self.data)

    def _converted(self, array):
        return array.astype(self._type(array), copy=False)

    def _type(self, array):
        return self.floats if array.dtype.kind == "f" else array.dtype


class PyDataset(Source):
    """Batches of a `keras.utils.PyDataset`, whose order is shuffled as Keras shuffles it."""

    def __init__(self, dataset, *, shuffle, prepare, steps=None):
        self.dataset, self.shuffle, self.prepare = dataset, shuffle, prepare
        super().__init__(steps, dataset.num_batches)
        self._begun = self._ended = 0  # passes whose begin or end the dataset was told of
        self._first = None
        self._begin()

    def epoch(self, number, seed, first=0):
        start = number * self.steps_per_epoch
        for step in range(start + first, start + self.steps_per_epoch):
            passes, batch = divmod(step, self.steps_in_pass or step + 1)
            while self._ended < passes:  # a resumed run tells of the passes before it, too
                self._end()
            self._begin()
            yield self.prepare(self.dataset[self._order(passes, seed)[batch]])
            if batch + 1 == self.steps_in_pass:
                self._end()

    def to_validate(self):
        self._begin()
        for step in range(self.steps_per_epoch):
            number = step % self.steps_in_pass if self.steps_in_pass else step
            yield self.prepare(self.dataset[number])
        self._end()

    def _begin(self):
        if self._begun == self._ended:
            self._begun += 1
            self.dataset.on_epoch_begin()

    def _end(self):
        self._begin()
        self._ended += 1
        self.dataset.on_epoch_end()

    def sample(self):
        if self._first is None:
            self._first = self.prepare(self.dataset[0])
        return self._first

    def described(self):
        return described(self.dataset)

    def needs_steps(self, epochs):
        return "has no end" if self.steps_in_pass is None else ""

    def _order(self, number, seed):
        if not self.shuffle or self.steps_in_pass is None:
            return range(self.steps_in_pass or 2**62)
        return np.random.default_rng([seed, number]).permutation(self.steps_in_pass)


class Batches(Source):
    """What gives batches only from its start on: a dataset, a loader, a generator."""

    def __init__(self, batches, *, prepare, steps=None):
        self.batches, self.prepare = batches, prepare
        self.once = hasattr(batches, "__next__")
        super().__init__(steps, _length(batches))
        self._peeked = None
        self._started = 0  # passes
        self._running = None  # where epochs have `steps`, one iterator goes through all of them
        self._drawn = 0

    def epoch(self, number, seed, first=0):
        if self.steps is None:
            while self._started < number:  # a dataset that shuffles does so at each start
                self._start()
            yield from map(self.prepare, itertools.islice(self._start(), first, None))
            return
        while self._drawn < number * self.steps + first:
            self._next()
        for _ in range(first, self.steps):
            batch = self._next()
            if batch is None:
                return
            yield self.prepare(batch)

    def to_validate(self):
        """The first batches; of a generator, the next."""
        batches = map(_arrays, self.batches) if self.once else self._start()
        return map(self.prepare, itertools.islice(batches, self.steps))

    def sample(self):
        """The first batch; of a dataset only its type, so that nothing is drawn from it."""
        if hasattr(self.batches, "element_spec"):
            return self.prepare.type_of(self.batches.element_spec)
        if self._peeked is None:
            first = next(iter(self.batches), None)
            if first is None:
                raise ValueError("x must give at least one batch, got none")
            self._peeked = _arrays(first)
            if self.once:
                self.batches = itertools.chain([first], self.batches)
        return self.prepare(self._peeked)

    def described(self):
        return "a generator" if self.once else described(self.batches)

    def needs_steps(self, epochs):
        cardinality = getattr(self.batches, "cardinality", None)
        if cardinality is not None and int(cardinality()) == tf.data.INFINITE_CARDINALITY:
            return "has no end"
        return "can be gone through once" if self.once and epochs > 1 else ""

    def _start(self):
        self._started += 1
        return map(_arrays, iter(self.batches))

    def _next(self):
        if self._running is None:
            self._running = self._start()
        batch = next(self._running, None)
        if batch is None and not self.once:
            self._running = self._start()
            batch = next(self._running, None)
        self._drawn += 1
        return batch


def for_training(model, sets, settings) -> Source:
    """The batches to train on."""
    steps, shuffle = settings.steps_per_epoch, bool(settings.shuffle)
    if not gives_batches(sets.x):
        shuffle &= not replicas.stateful_layers(model)
        arrays = (sets.x, sets.y, sets.sample_weight)
        return _of_arrays(model, arrays, settings.batch_size, steps, shuffle)
    prepare = Prepare("x", model, settings.class_weight)
    source = _of_batches(model, sets.x, prepare, steps, shuffle)
    return _with_steps(source, "x", "steps_per_epoch", settings.epochs)


def for_validation(model, sets, settings) -> Source | None:
    """The batches to measure epochs on, if there are any."""
    data, steps = sets.validation, settings.validation_steps
    if data is None:
        return None
    if not gives_batches(data):
        batch_size = settings.validation_batch_size or settings.batch_size
        return _of_arrays(model, data, batch_size, steps)
    source = _of_batches(model, data, Prepare("validation_data", model), steps)
    measured = settings.epochs // settings.validation_freq
    return _with_steps(source, "validation_data", "validation_steps", measured)


def _of_arrays(model, arrays, batch_size, steps, shuffle=False):
    floats = float_type(model)
    return Arrays(*arrays, batch_size=batch_size, shuffle=shuffle, floats=floats, steps=steps)


def _of_batches(model, value, prepare, steps, shuffle=False):
    check_compiled(model)
    if isinstance(value, keras.utils.PyDataset):
        return PyDataset(value, shuffle=shuffle, prepare=prepare, steps=steps)
    return Batches(value, prepare=prepare, steps=steps)


def _with_steps(source, name, argument, epochs):
    """The source, if it is known where its epochs end."""
    why = source.needs_steps(epochs)
    if why and source.steps is None:
        raise ValueError(f"{argument} must be given: {name} is {source.described()}, which {why}")
    return source


def _length(batches):
    if hasattr(batches, "cardinality"):
        number = int(batches.cardinality())
        return number if number >= 0 else None
    try:
        return len(batches)
    except TypeError:
        return None


def _arrays(batch):
    """A batch whose leaves have a shape; torch's tensors become arrays."""
    return keras.tree.map_structure(
        lambda leaf: leaf if tf.is_tensor(leaf) or leaf is None else np.asarray(leaf), batch
    )
