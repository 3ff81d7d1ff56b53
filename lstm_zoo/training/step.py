"""One step of training: forward, backward, clip, apply, in one `tf.function`; one of validation."""

import inspect

import keras

from lstm_zoo.backend import tf
from lstm_zoo.training import distribute
from lstm_zoo.training.tracing import not_differentiated

unpack = keras.utils.unpack_x_y_sample_weight


def make_step(model, signature, clipnorm, jit_compile, strategy):
    """A function of a batch that trains the model on it and returns its logs.

    A step whose loss or gradient is not finite changes no weight, metric or state of the model. A
    model with a `train_step` of its own is trained by that. Where `signature` is the type of all
    batches, the step is traced once for all their lengths.
    """
    if has_own_step(model):
        return _compiled(model, model.train_step, signature, jit_compile, strategy)
    backward, apply = _halves(model, clipnorm, strategy.num_replicas_in_sync)
    kept = [v for v in model.non_trainable_variables + model.metrics_variables if _is_float(v)]

    def step(data, share=None):
        before = [tf.identity(v.value) for v in kept]
        logs, finite, gradients = backward(data, share)
        tf.cond(finite, lambda: apply(gradients), lambda: _assign(kept, before))
        return logs

    if strategy.num_replicas_in_sync == 1:
        return _compiled(model, step, signature, jit_compile, strategy)

    def step_of_all(data, share):
        # Keras's optimizers may not be called in a branch inside of a replica.
        before = strategy.run(lambda: [tf.identity(v.value) for v in kept])
        logs, finite, gradients = strategy.run(backward, args=(data, share))
        finite = strategy.experimental_local_results(finite)[0]
        tf.cond(
            finite,
            lambda: _nothing(strategy.run(apply, args=(gradients,))),
            lambda: _nothing(strategy.run(_assign, args=(kept, before))),
        )
        return {name: distribute.total(strategy, value) for name, value in logs.items()}

    return step_of_all if model.run_eagerly else tf.function(step_of_all)


def make_test_step(model, signature, jit_compile, strategy):
    """A function of a batch that adds it to the model's metrics and returns these."""
    if strategy.num_replicas_in_sync == 1:
        return _compiled(model, model.test_step, signature, jit_compile, strategy)

    def step(data, share):
        x, y, weight = unpack(distribute.at_least_one(data, share))
        prediction = model(x, training=False)
        loss = _loss(model, x, y, prediction, weight, training=False)
        model.compute_metrics(*_real(share, x, y, prediction, weight))
        return loss * tf.cast(share.weight, loss.dtype)

    def step_of_all(data, share):
        return {"loss": distribute.total(strategy, strategy.run(step, args=(data, share)))}

    return step_of_all if model.run_eagerly else tf.function(step_of_all)


def has_own_step(model) -> bool:
    """Whether a model says itself how it is trained on a batch."""
    return getattr(model.train_step, "__func__", None) is not keras.Model.train_step


def build(model, sample, signature, strategy):
    """Make every variable of the model, its optimizer and its metrics, before a step is traced.

    It happens in a graph that never runs: no state of a stateful layer moves on, no metric counts a
    sample, no random number is used up. Variables that are mirrored on several replicas can't be
    made in a graph; there the model is called on one batch.
    """

    def metrics(data):
        x, y, weight = unpack(data)
        prediction = model(x, training=False)
        if _has_several_losses(model):
            _loss(model, x, y, prediction, weight, training=False)
        return model.compute_metrics(x, y, prediction, sample_weight=weight)

    with strategy.scope():
        if strategy.num_replicas_in_sync > 1:
            metrics(_example(sample))
            model.reset_metrics()
        elif not (model.built and has_own_step(model)):
            batch = signature or keras.tree.map_structure(_open_ended, sample)
            tf.function(metrics).get_concrete_function(batch)
        if model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)


def _has_several_losses(model):
    """Whether there are losses of several outputs, each with a metric of its own."""
    return isinstance(model.loss, (dict, list, tuple)) or len(getattr(model, "outputs", ())) > 1


def _compiled(model, step, signature, jit_compile, strategy):
    several = strategy.num_replicas_in_sync > 1
    if several:
        step = _on_every_replica(step, strategy)
    if model.run_eagerly:
        return lambda data: step(keras.tree.map_structure(_tensor, data))
    if signature is None or several:
        return tf.function(step, reduce_retracing=True, jit_compile=jit_compile and not several)
    return tf.function(
        lambda data: step(data), input_signature=[signature], jit_compile=jit_compile
    )


def _on_every_replica(step, strategy):
    """A model's own step, whose logs are averaged."""

    def step_on_every_replica(data, share):
        logs = strategy.run(
            lambda data, share: step(distribute.at_least_one(data, share)), args=(data, share)
        )
        return {k: strategy.reduce("mean", value, axis=None) for k, value in logs.items()}

    return step_on_every_replica


def _halves(model, clipnorm, replicas):
    """The step until it is known whether its numbers are finite, and what follows if they are."""
    optimizer, weights = model.optimizer, model.trainable_variables
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def backward(data, share):
        if share is not None:
            data = distribute.at_least_one(data, share)
        x, y, sample_weight = unpack(data)
        with tf.GradientTape() as tape:
            prediction = model(x, training=True)
            loss = _loss(model, x, y, prediction, sample_weight, training=True)
            if share is not None:
                loss *= tf.cast(share.weight, loss.dtype)
            scaled_loss = optimizer.scale_loss(loss)  # against underflow in float16
        gradients = tape.gradient(
            scaled_loss, [w.value for w in weights], unconnected_gradients="zero"
        )
        # The optimizer adds up the replicas' gradients when it applies them; the norm is the sum's.
        total, all_loss = gradients, loss
        if replicas > 1:
            *total, all_loss = distribute.sum_of_all([*gradients, loss])
        norm = tf.linalg.global_norm(total)
        norm /= tf.cast(optimizer.scale_loss(1.0), norm.dtype)
        if clipnorm is not None:
            most = min(clipnorm, float(norm.dtype.max))
            shrink = most / tf.maximum(norm, most)
            gradients = [g * tf.cast(shrink, g.dtype) for g in gradients]
        # Where a loss scale is too high the optimizer skips the step and halves it.
        finite = tf.math.is_finite(all_loss) & (scales | tf.math.is_finite(norm))
        if share is None:
            logs = model.compute_metrics(x, y, prediction, sample_weight=sample_weight)
            return {**logs, "loss": loss, "grad_norm": norm}, finite, gradients
        model.compute_metrics(*_real(share, x, y, prediction, sample_weight))
        return {"loss": loss, "grad_norm": norm / replicas}, finite, gradients

    def apply(gradients):
        with not_differentiated():
            optimizer.apply(gradients, weights)

    return backward, apply


def _real(share, x, y, prediction, weight):
    """The rows of a replica that are samples: none, where there are fewer samples than replicas."""
    return keras.tree.map_structure(
        lambda a: a if a is None else a[: share.rows], (x, y, prediction, weight)
    )


def _loss(model, x, y, prediction, weight, training):
    takes_training = "training" in inspect.signature(model.compute_loss).parameters
    options = {"training": training} if takes_training else {}
    return model.compute_loss(x, y, prediction, weight, **options)


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.value.assign(value)


def _nothing(_):
    return None


def _is_float(variable):
    return "float" in variable.dtype


def _tensor(array):
    return None if array is None else tf.convert_to_tensor(array)


def _open_ended(leaf):
    return tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype)


def _example(sample):
    """Zeros in place of the types of a dataset's batches."""

    def example(leaf):
        if not isinstance(leaf, tf.TensorSpec):
            return tf.convert_to_tensor(leaf)
        return tf.zeros([size or 1 for size in leaf.shape], leaf.dtype)

    return keras.tree.map_structure(example, sample)
