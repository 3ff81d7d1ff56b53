"""Sources of batches: arrays, a PyDataset, or an iterable such as a tf.data.Dataset.

A resumed training starts at any batch of arrays or of a PyDataset by its index. From an iterable it
draws and drops the batches before that one.
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
    """Yields batches, epoch by epoch.

    Args:
        steps: batches per epoch; the next epoch continues where this one ended. None makes each
            epoch one pass through the data.
        steps_in_pass: batches in one pass, or None if unknown.
    """

    def __init__(self, steps, steps_in_pass):
        self.steps, self.steps_in_pass = steps, steps_in_pass
        self.steps_per_epoch = steps or steps_in_pass  # None if unknown before an epoch ends

    def epoch(self, number, seed, first=0):
        """The batches of an epoch, starting at index `first`; `seed` determines their order."""
        raise NotImplementedError

    def to_validate(self):
        """The batches to evaluate an epoch on."""
        raise NotImplementedError

    def sample(self):
        """A batch, or its type, to build a model with."""
        raise NotImplementedError

    def signature(self):
        """The type of every batch, or None if batches differ in more than their length."""

    def described(self) -> str:
        """The object that yields the batches, with "a" before it, for an error message."""
        raise NotImplementedError

    def needs_steps(self, epochs) -> str:
        """Why `steps` is required; "" if an epoch can be one pass."""
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
    """Batches of a `keras.utils.PyDataset`, shuffled as Keras shuffles them."""

    def __init__(self, dataset, *, shuffle, prepare, steps=None):
        self.dataset, self.shuffle, self.prepare = dataset, shuffle, prepare
        super().__init__(steps, dataset.num_batches)
        self._begun = self._ended = 0  # calls of on_epoch_begin and on_epoch_end
        self._first = None
        self._begin()

    def epoch(self, number, seed, first=0):
        start = number * self.steps_per_epoch
        for step in range(start + first, start + self.steps_per_epoch):
            passes, batch = divmod(step, self.steps_in_pass or step + 1)
            while self._ended < passes:  # a resumed run repeats the calls of earlier passes
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
    """Batches of a dataset, loader or generator, which can only be read from the start."""

    def __init__(self, batches, *, prepare, steps=None):
        self.batches, self.prepare = batches, prepare
        self.once = hasattr(batches, "__next__")
        super().__init__(steps, _length(batches))
        self._peeked = None
        self._started = 0  # passes
        self._running = None  # with `steps`, all epochs share one iterator
        self._drawn = 0

    def epoch(self, number, seed, first=0):
        if self.steps is None:
            while self._started < number:  # a dataset may reshuffle at each start
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
        """The first batches; the next ones of a generator."""
        batches = map(_arrays, self.batches) if self.once else self._start()
        return map(self.prepare, itertools.islice(batches, self.steps))

    def sample(self):
        """The first batch. For a dataset only its type, so that no batch is drawn."""
        if hasattr(self.batches, "element_spec"):
            return self.prepare.type_of(self.batches.element_spec)
        if self._peeked is None:
            first = next(iter(self.batches), None)
            if first is None:
                raise ValueError("x must yield at least one batch, got none")
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
        return "can be read only once" if self.once and epochs > 1 else ""

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
    """The batches to evaluate epochs on, if there are any."""
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
    """The source, if its epochs have an end."""
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
