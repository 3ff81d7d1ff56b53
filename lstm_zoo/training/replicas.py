"""A training step on several replicas that computes the same numbers as on one device.

All replicas get the same batches in the same order. Each replica computes its share of the samples
of a batch. The replicas then exchange their predictions, so that each computes the loss and the
metrics of the whole batch, whatever these average over. Each replica differentiates with respect to
its own predictions only; the sum over all replicas is the gradient on one device.
"""

import contextlib
import typing

import keras
import numpy as np

from lstm_zoo.backend import counted_as, get_keras_mask, set_keras_mask, tf


def check(model, strategy):
    """Refuse layers and optimizers that compute other numbers on several replicas than on one."""
    if strategy.num_replicas_in_sync == 1:
        return
    for optimizer in _each(model.optimizer):
        for name in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
            if getattr(optimizer, name, None) is not None:
                raise ValueError(
                    f"strategy must have one replica if an optimizer uses {name}, which Keras "
                    f"supports on one only, got {optimizer.name!r} with {getattr(optimizer, name)}"
                )
    stateful = stateful_layers(model)
    if stateful:
        raise ValueError(
            "strategy must have one replica if a layer is stateful, because each replica would "
            f"keep the states of other samples, got layer {stateful[0].name!r} and "
            f"{strategy.num_replicas_in_sync} replicas"
        )
    for layer in layers_of(model):
        keras_s = isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        if keras_s and not (layer.synchronized or hasattr(layer, "of_all_replicas")):
            raise ValueError(
                "strategy must have one replica if a layer uses the statistics of its own "
                f"replica's samples, got {layer.name!r}, a keras.layers.BatchNormalization; "
                "lstm_zoo.layers.BatchNormalization uses those of all replicas"
            )
        if getattr(layer, "activity_regularizer", None) is not None:
            raise ValueError(
                "strategy must have one replica if a layer has an activity_regularizer, "
                f"which sums over its own replica's samples only, got layer {layer.name!r}"
            )


def reset_states(layers):
    """Set the states of stateful layers to zero."""
    for layer in layers:
        layer.reset_state()


def layers_of(model):
    """A model and all its layers, including those of nested models."""
    layers = [model]
    for layer in layers:
        layers += getattr(layer, "layers", [])
    return layers


def stateful_layers(model):
    """The layers that carry states from batch to batch, including those of nested models."""
    return [layer for layer in layers_of(model) if getattr(layer, "stateful", False)]


class Share(typing.NamedTuple):
    """The samples of a batch that one replica computes.

    Each replica has at least one sample. If there are fewer samples than replicas, each replica
    computes all of them.
    """

    start: typing.Any  # index of the first sample
    size: typing.Any  # number of samples
    batch_size: typing.Any  # samples in the whole batch
    copies: typing.Any  # how many replicas compute each sample

    @property
    def stop(self):
        """The index after the last sample."""
        return self.start + self.size

    @property
    def weight(self):
        """The weight of this replica's mean in the mean of the batch; the weights add up to 1."""
        return tf.cast(self.size / (self.batch_size * self.copies), "float32")


class Split:
    """Gives every replica the whole batch and its `Share` in it."""

    def __init__(self, strategy):
        self.strategy = strategy
        self.largest = 0  # batch so far; padding to one size avoids retracing

    def __call__(self, batch):
        """The batch, padded with copies of its last sample, and each replica's share."""
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
    """A model's outputs for a whole batch; this replica computes its own share of them.

    Gradients flow only to the replica's own samples. They are scaled so that a loss multiplied by
    the share's weight gives these samples the gradient of the whole batch.
    """
    with counted_as(1 / tf.cast(share.copies, "float32")):
        outputs = model(own(x, share), training=training)
    return keras.tree.map_structure(lambda output: _joined(output, share), outputs)


def _joined(output, share):
    """An output joined from all replicas, with its mask."""
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
    """Make Keras treat each replica's loss as that of the whole batch while a step is traced.

    Keras divides losses by the number of replicas, because it expects each replica to have the loss
    of its own samples; no public setting changes this. An optimizer also clips on every replica
    before it adds up the gradients, so 1/n of the gradient must be clipped to 1/n of the norm.
    Replicas are threads that take turns, so this block encloses `strategy.run`.
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
    """The optimizers inside a wrapping optimizer, or the optimizer itself."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return getattr(optimizer, "optimizers", [optimizer])


def sum_of_all(tensors):
    """The sums over all replicas, available on each replica."""
    return tf.distribute.get_replica_context().all_reduce("sum", tensors)


def first(strategy, value):
    """The value of one replica, if all have the same."""
    return strategy.experimental_local_results(value)[0]


def total(strategy, value):
    """The sum over the replicas."""
    return strategy.reduce("sum", value, axis=None)


def _on_leaves(function, tree):
    return keras.tree.map_structure(lambda leaf: leaf if leaf is None else function(leaf), tree)
