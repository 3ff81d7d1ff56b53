"""A training step on several replicas that gives the numbers of a step on one.

Every replica gets the same batches in the same order and computes its share of the samples of each.
The replicas then exchange their predictions, so that each has the loss and the metrics of the whole
batch, whatever these average over. The gradient of a replica is that with respect to its own
predictions; the sum over the replicas is the gradient of one device.
"""

import contextlib
import typing

import keras
import numpy as np

from lstm_zoo.backend import counted_as, get_keras_mask, set_keras_mask, tf


def check(model, strategy):
    """Refuse layers and optimizers that give other numbers on several replicas than on one."""
    if strategy.num_replicas_in_sync == 1:
        return
    for optimizer in _each(model.optimizer):
        for name in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
            if getattr(optimizer, name, None) is not None:
                raise ValueError(
                    f"strategy must have one replica where an optimizer has {name}, which Keras "
                    f"has for one alone, got {optimizer.name!r} with {getattr(optimizer, name)}"
                )
    stateful = stateful_layers(model)
    if stateful:
        raise ValueError(
            "strategy must have one replica where a layer is stateful: each would keep the states "
            f"of its own rows, got {stateful[0].name!r} and {strategy.num_replicas_in_sync}"
        )
    for layer in layers_of(model):
        keras_s = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        if keras_s and not (layer.synchronized or hasattr(layer, "of_all_replicas")):
            raise ValueError(
                "strategy must have one replica where a layer takes the statistics of its own "
                f"replica's samples, got {layer.name!r}, a keras.layers.BatchNormalization; "
                "lstm_zoo.layers.BatchNormalization takes those of all"
            )
        if getattr(layer, "activity_regularizer", None) is not None:
            raise ValueError(
                "strategy must have one replica where a layer has an activity_regularizer, "
                f"which sums over its own replica's samples, got {layer.name!r}"
            )


def reset_states(layers):
    """Set the states of stateful layers to zero."""
    for layer in layers:
        layer.reset_state()


def layers_of(model):
    """A model, its layers, and those of models in it."""
    layers = [model]
    for layer in layers:
        layers += getattr(layer, "layers", [])
    return layers


def stateful_layers(model):
    """The layers of a model, and of models in it, that carry states from batch to batch."""
    return [layer for layer in layers_of(model) if getattr(layer, "stateful", False)]


class Share(typing.NamedTuple):
    """The samples of a batch that one replica computes.

    Each replica has at least one. If there are fewer samples than replicas, each computes all.
    """

    start: typing.Any  # index of the first
    size: typing.Any  # how many
    batch_size: typing.Any  # samples in the whole batch
    copies: typing.Any  # how many replicas compute each sample

    @property
    def stop(self):
        """The index after the last."""
        return self.start + self.size

    @property
    def weight(self):
        """What the replica's mean counts in that over all samples; all replicas' add up to 1."""
        return tf.cast(self.size / (self.batch_size * self.copies), "float32")


class Split:
    """Gives every replica the whole batch and its `Share` in it."""

    def __init__(self, strategy):
        self.strategy = strategy
        self.largest = 0  # batch so far; padded to one size, batches are traced once

    def __call__(self, batch):
        """The batch, padded with copies of its last sample, and the share of each replica."""
        replicas = self.strategy.num_replicas_in_sync
        batch = _on_leaves(np.asarray, batch)
        samples = len(keras.tree.flatten(batch)[0])
        self.largest = max(self.largest, samples)
        padded = np.minimum(np.arange(self.largest), samples - 1)
        batch = _on_leaves(lambda a: a[padded], batch)

        def share(context):
            if samples < replicas:
                numbers = (0, samples, samples, replicas)
            else:
                which = context.replica_id_in_sync_group
                each, more = divmod(samples, replicas)
                first = which * each + min(which, more)
                numbers = (first, each + (which < more), samples, 1)
            return Share(*(tf.constant(int(number), "int32") for number in numbers))

        of_each = self.strategy.experimental_distribute_values_from_function
        return of_each(lambda context: _on_leaves(tf.constant, batch)), of_each(share)


def whole(data, share):
    """A batch without its padding."""
    return _on_leaves(lambda a: a[: share.batch_size], data)


def own(data, share):
    """The samples of a batch that a replica computes."""
    return _on_leaves(lambda a: a[share.start : share.stop], data)


def predictions(model, x, share, training):
    """A model's outputs for a whole batch, of which this replica computes its share.

    A gradient goes to the replica's own samples alone. It is multiplied so that a loss that counts
    with the share's weight gives them the gradient of the whole batch.
    """
    with counted_as(1 / tf.cast(share.copies, "float32")):
        outputs = model(own(x, share), training=training)
    return keras.tree.map_structure(lambda output: _joined(output, share), outputs)


def _joined(output, share):
    """An output of all replicas, and its mask."""
    after = share.batch_size - share.stop

    def placed(tensor):
        return tf.pad(tensor, [[share.start, after]] + [[0, 0]] * (tensor.shape.rank - 1))

    mask = get_keras_mask(output)
    to_sum = [placed(tf.stop_gradient(output))]
    if mask is not None:
        to_sum.append(placed(tf.cast(mask, "float32")))
    joined, *masks = sum_of_all(to_sum)
    precise = tf.cast(output, "float32") if output.dtype.size < 4 else output
    times = tf.cast(share.batch_size / share.size, precise.dtype)
    precise += (times - 1) * (precise - tf.stop_gradient(precise))  # which adds zero
    mine = tf.cast(precise, output.dtype)
    joined = tf.concat([joined[: share.start], mine, joined[share.stop :]], axis=0)
    if masks:
        set_keras_mask(joined, tf.cast(masks[0], "bool"))
    return joined


@contextlib.contextmanager
def of_whole_batches(optimizer, strategy):
    """Tell Keras, while a step is traced, that each replica has the loss of the whole batch.

    Keras divides losses by the number of replicas, for it expects each to have the loss of its own
    samples; there is no public way to tell it otherwise. And an optimizer clips on every replica
    before it adds up: one n-th of the gradient must be clipped to one n-th of the norm. Replicas
    are threads that take turns, so the block is around `strategy.run` and not inside it.
    """
    from keras.src.losses import loss

    replicas = strategy.num_replicas_in_sync
    new = [
        (loss, name, lambda value: value)
        for name in ("scale_loss_for_distribution", "unscale_loss_for_distribution")
    ]
    new += [
        (one, name, largest / replicas)
        for one in _each(optimizer)
        for name in ("clipnorm", "global_clipnorm", "clipvalue")
        if (largest := getattr(one, name, None)) is not None
    ]
    before = [(of, name, getattr(of, name)) for of, name, _ in new]
    try:
        for of, name, value in new:
            setattr(of, name, value)
        yield
    finally:
        for of, name, value in before:
            setattr(of, name, value)


def _each(optimizer):
    """The optimizers that an optimizer consists of."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return getattr(optimizer, "optimizers", [optimizer])


def sum_of_all(tensors):
    """The sums over the replicas, in each of them."""
    return tf.distribute.get_replica_context().all_reduce("sum", tensors)


def first(strategy, value):
    """The value of one replica, where all have the same."""
    return strategy.experimental_local_results(value)[0]


def total(strategy, value):
    """The sum over the replicas."""
    return strategy.reduce("sum", value, axis=None)


def _on_leaves(function, tree):
    return keras.tree.map_structure(lambda leaf: leaf if leaf is None else function(leaf), tree)
