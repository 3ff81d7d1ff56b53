"""Where batches come from: arrays, a PyDataset, or a stream such as a tf.data.Dataset.

An epoch is `steps` batches. Of arrays and a PyDataset every batch has a number, so that a training
can go on at any of them; a stream is gone through to there.
"""

import itertools

import keras
import numpy as np

from lstm_zoo import checks
from lstm_zoo.backend import tf
from lstm_zoo.training import losses, weights
from lstm_zoo.training.data import check_compiled, float_type, kind

pack = keras.utils.pack_x_y_sample_weight


class Arrays:
    """Batches of arrays, in an order that depends on the seed and on nothing else."""

    def __init__(self, x, y, sample_weight, *, batch_size, shuffle, seed, floats):
        self.data = pack(x, y, sample_weight)
        self.leaves = keras.tree.flatten(self.data)
        self.samples = len(self.leaves[0])
        self.batch_size, self.shuffle, self.seed, self.floats = batch_size, shuffle, seed, floats
        self.steps = -(-self.samples // batch_size)  # of one pass through the data

    def epoch(self, epoch, first=0, steps=None):
        """The batches of an epoch, from number `first` on."""
        per_epoch = steps or self.steps
        order, of_pass = None, None
        for number in range(epoch * per_epoch + first, (epoch + 1) * per_epoch):
            passes, step = divmod(number, self.steps)
            if passes != of_pass:
                order, of_pass = self._order(passes), passes
            yield self._batch(order[step * self.batch_size : (step + 1) * self.batch_size])

    def first(self, steps=None):
        """The first so many batches, to measure on."""
        return itertools.islice(self.epoch(0), steps)

    def sample(self):
        """A batch of one row, to build a model with."""
        return self._batch(np.arange(1))

    def signature(self):
        """The type of every batch, or None where batches differ in more than their length."""
        return keras.tree.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), self._type(a)), self.data
        )

    def _order(self, number):
        if not self.shuffle:
            return np.arange(self.samples)
        return np.random.default_rng([self.seed, number]).permutation(self.samples)

    def _batch(self, rows):
        return keras.tree.map_structure(lambda a: self._converted(a[rows]), self.data)

    def _converted(self, array):
        return array.astype(self._type(array), copy=False)

    def _type(self, array):
        return self.floats if array.dtype.kind == "f" else array.dtype


class PyBatches:
    """Batches of a `keras.utils.PyDataset`, whose order is shuffled as Keras shuffles it."""

    def __init__(self, dataset, *, shuffle, seed, weigh):
        self.dataset, self.shuffle, self.seed, self.weigh = dataset, shuffle, seed, weigh
        self.steps = dataset.num_batches
        self._begun = self._ended = 0  # passes, in which the dataset is told of both
        self._first = None
        self._begin()

    def epoch(self, epoch, first=0, steps=None):
        """The batches of an epoch, from number `first` on."""
        per_epoch = steps or self.steps
        for number in range(epoch * per_epoch + first, (epoch + 1) * per_epoch):
            passes, step = divmod(number, self.steps or number + 1)
            while self._ended < passes:  # as often in a run that goes on as in a whole one
                self._end()
            self._begin()
            yield self.weigh(self.dataset[self._order(passes)[step] if self.shuffle else step])
            if step + 1 == self.steps:
                self._end()

    def first(self, steps=None):
        """The first so many batches, to measure on."""
        self._begin()
        for number in range(steps or self.steps):
            yield self.weigh(self.dataset[number % self.steps if self.steps else number])
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
        """The first batch, to build a model with."""
        if self._first is None:
            self._first = self.weigh(self.dataset[0])
        return self._first

    def signature(self):
        return None

    def _order(self, number):
        if self.steps is None:
            return itertools.count()
        return np.random.default_rng([self.seed, number]).permutation(self.steps)


class Stream:
    """Batches of what can only be gone through from its start: a dataset, a loader, a generator."""

    def __init__(self, batches, *, weigh):
        self.batches, self.weigh = batches, weigh
        self.once = hasattr(batches, "__next__")
        self.steps = _length(batches)
        self._peeked = []
        self._started = 0  # passes
        self._running = None  # where epochs are counted in steps, one iterator goes through them
        self._drawn = 0

    def epoch(self, epoch, first=0, steps=None):
        """The batches of an epoch, from number `first` on."""
        if steps is None:
            while self._started < epoch:  # a dataset that shuffles does so at each start
                self._start()
            yield from (self.weigh(one) for one in itertools.islice(self._start(), first, None))
            return
        while self._drawn < epoch * steps + first:
            self._next()
        for _ in range(first, steps):
            batch = self._next()
            if batch is None:
                return
            yield self.weigh(batch)

    def first(self, steps=None):
        """The first so many batches, to measure on; of what is gone through once, the next."""
        batches = map(_arrays, self.batches) if self.once else self._start()
        return map(self.weigh, itertools.islice(batches, steps))

    def sample(self):
        """The first batch; of a dataset only its type, so that nothing is drawn from it."""
        if hasattr(self.batches, "element_spec"):
            return self.weigh(None, spec=self.batches.element_spec)
        if not self._peeked:
            first = next(iter(self.batches), None)
            if first is None:
                raise ValueError("x must give at least one batch, got none")
            self._peeked = [_arrays(first)]
            if self.once:
                self.batches = itertools.chain([first], self.batches)
        return self.weigh(self._peeked[0])

    def signature(self):
        return None

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


def of_stream(model, name, value, *, class_weight=None, shuffle=True, seed=0):
    """A PyDataset, dataset, loader or generator of batches `(x, y)` or `(x, y, sample_weight)`."""
    check_compiled(model)
    weigh = _Weigh(name, class_weight, model)
    if isinstance(value, keras.utils.PyDataset):
        return PyBatches(value, shuffle=shuffle, seed=seed, weigh=weigh)
    return Stream(value, weigh=weigh)


def of_arrays(model, x, y, sample_weight, *, batch_size, shuffle=False, seed=0):
    """Arrays that were checked."""
    return Arrays(
        *(x, y, sample_weight),
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        floats=float_type(model),
    )


def check_steps(source, name, steps, epochs, argument):
    """The steps of an epoch, if they are asked for or must be; None where a pass is an epoch."""
    if steps is not None:
        return checks.count(argument, steps)
    stream = isinstance(source, Stream)
    endless = source.steps is None and (isinstance(source, PyBatches) or _is_endless(source))
    if endless or (stream and source.once and epochs > 1):
        why = "has no end" if endless else "can be gone through once"
        raise ValueError(f"{argument} must be given: {name} is {_kind(source)}, which {why}")
    return None


def _kind(source):
    batches = getattr(source, "dataset", None) or source.batches
    return "a generator" if getattr(source, "once", False) else kind(batches)


def _is_endless(source):
    cardinality = getattr(getattr(source, "batches", None), "cardinality", None)
    return cardinality is not None and int(cardinality()) == tf.data.INFINITE_CARDINALITY


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


def _with_last_axis(spec):
    return tf.TensorSpec((*spec.shape, 1), spec.dtype)


class _Weigh:
    """A batch as the step takes it, with the weights of its classes."""

    def __init__(self, name, class_weight, model):
        self.name, self.class_weight, self.model = name, class_weight, model

    def __call__(self, batch, spec=None):
        batch = spec if batch is None else batch
        if isinstance(batch, list):
            batch = tuple(batch)
        if isinstance(batch, tuple) and len(batch) > 3:
            raise ValueError(
                f"{self.name} must give batches (x, y) or (x, y, sample_weight), "
                f"got one of {len(batch)} parts"
            )
        x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
        if spec is not None:  # to build a model with; weights make no variable
            return pack(x, losses.like_outputs(self.model, y, _with_last_axis))
        y = losses.like_outputs(self.model, y)
        name = f"sample_weight of a batch of {self.name}"
        return pack(x, y, weights.weighed(self.model, name, y, weight, self.class_weight))
