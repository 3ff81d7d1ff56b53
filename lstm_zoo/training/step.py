"""One training step: forward, backward, clip, apply, in one `tf.function`."""

import keras

from lstm_zoo.backend import tf


def make_step(model, x, y, clipnorm, jit_compile, strategy):
    """A function of a batch `(x, y)` that trains the model on it and returns its logs.

    A model with a `train_step` of its own is trained by that. `x` and `y` are arrays like the
    batches; on one device the step is traced once for batches of all sizes.
    """
    replicas = strategy.num_replicas_in_sync
    step = _own_step(model) if has_own_step(model) else _usual_step(model, clipnorm, replicas)
    if model.run_eagerly:
        return step
    if replicas > 1:
        return tf.function(_on_every_replica(step, strategy))
    signature = [tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in (x, y)]
    return tf.function(step, input_signature=signature, jit_compile=jit_compile)


def has_own_step(model) -> bool:
    """Whether a model says itself how it is trained on a batch."""
    return getattr(model.train_step, "__func__", None) is not keras.Model.train_step


def _own_step(model):
    return lambda x, y: model.train_step((x, y))


def _usual_step(model, clipnorm, replicas):
    optimizer, weights = model.optimizer, model.trainable_variables

    def step(x, y):
        with tf.GradientTape() as tape:
            prediction = model(x, training=True)
            loss = model.compute_loss(x, y, prediction, training=True)
            scaled_loss = optimizer.scale_loss(loss)  # against underflow in float16
        gradients = tape.gradient(
            scaled_loss, [w.value for w in weights], unconnected_gradients="zero"
        )
        # The optimizer adds up the replicas' gradients when it applies them; the norm is the sum's.
        total = gradients
        if replicas > 1:
            total = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        norm = tf.linalg.global_norm(total)
        norm /= tf.cast(optimizer.scale_loss(1.0), norm.dtype)
        if clipnorm is not None:
            most = min(clipnorm, float(norm.dtype.max))
            shrink = most / tf.maximum(norm, most)
            gradients = [g * tf.cast(shrink, g.dtype) for g in gradients]
        optimizer.apply(gradients, weights)
        return {**model.compute_metrics(x, y, prediction), "loss": loss, "grad_norm": norm}

    return step


def _on_every_replica(step, strategy):
    def step_on_every_replica(x, y):
        logs = strategy.run(step, args=(x, y))
        parts = {"loss": "sum"}  # Keras's losses are already divided by the number of replicas
        return {k: strategy.reduce(parts.get(k, "mean"), v, axis=None) for k, v in logs.items()}

    return step_on_every_replica


def build(model, x, y, strategy):
    """Make every variable of the model, its optimizer and its metrics, before a step is traced.

    It happens in a graph that never runs: no state of a stateful layer moves on, no metric counts a
    sample, no random number is used up. Variables that are mirrored on several replicas can't be
    made in a graph; there the model is called on one row.
    """

    def metrics(x, y):
        return model.compute_metrics(x, y, model(x, training=False))

    with strategy.scope():
        if strategy.num_replicas_in_sync > 1:
            metrics(x[:1], y[:1])
        elif not (model.built and has_own_step(model)):
            batch = [tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in (x, y)]
            tf.function(metrics).get_concrete_function(*batch)
        model.optimizer.build(model.trainable_variables)
