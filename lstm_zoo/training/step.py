"""A training step (forward, backward, clip, apply) and a validation step, as `tf.function`s."""

import inspect
import warnings

import keras

from lstm_zoo.backend import tf
from lstm_zoo.training import replicas
from lstm_zoo.training.tracing import not_differentiated

unpack = keras.utils.unpack_x_y_sample_weight


def make_step(model, signature, strategy, jit_compile, clipnorm):
    """A function that trains the model on a batch and returns its logs.

    A step whose loss or gradient is not finite changes no weight, metric or state of the model. If
    the model overrides `train_step`, that method trains it. If all batches have the type
    `signature`, the step is traced only once, for batches of any length.
    """
    if has_own_step(model):
        if strategy.num_replicas_in_sync > 1:
            return _on_every_replica(model, model.train_step, strategy)
        return _compiled(model, model.train_step, signature, jit_compile)
    if not model.trainable_variables:
        text = "the model has no trainable weights, so training does not change it"
        warnings.warn(text, stacklevel=6)  # the line that calls `fit`
    backward, apply = _backward_and_apply(model, clipnorm, strategy.num_replicas_in_sync)
    kept = [v for v in model.non_trainable_variables if _is_float(v)] + model.metrics_variables

    def step(data):
        before = [tf.identity(v.value) for v in kept]
        logs, finite, gradients = backward(data, None)
        tf.cond(finite, lambda: apply(gradients), lambda: _assign(kept, before))
        return logs

    if strategy.num_replicas_in_sync == 1:
        return _compiled(model, step, signature, jit_compile)

    def step_of_all(data, share):
        # Keras's optimizers can't be called in a conditional branch on a replica.
        with not_differentiated(), replicas.of_whole_batches(model.optimizer, strategy):
            before = strategy.run(lambda: [tf.identity(v.value) for v in kept])
            logs, finite, gradients = strategy.run(backward, args=(data, share))
            tf.cond(
                replicas.first(strategy, finite),
                lambda: _nothing(strategy.run(apply, args=(gradients,))),
                lambda: _nothing(strategy.run(_assign, args=(kept, before))),
            )
        return {name: replicas.first(strategy, value) for name, value in logs.items()}

    return _of_whole_batch(model, step_of_all, strategy)


def make_test_step(model, signature, strategy, jit_compile):
    """A function that updates the model's metrics with a batch and returns their values.

    The loss is the mean over all batches so far on one device, and the loss of this batch on
    several replicas.
    """
    if strategy.num_replicas_in_sync == 1:
        return _compiled(model, model.test_step, signature, jit_compile)
    if has_own_step(model, "test_step"):
        return _on_every_replica(model, model.test_step, strategy)

    def step(data, share):
        x, y, weight = unpack(replicas.whole(data, share))
        prediction = replicas.predictions(model, x, share, training=False)
        loss = _loss(model, x, y, prediction, weight, training=False)
        logs = model.compute_metrics(x, y, prediction, sample_weight=weight)
        (loss,) = replicas.sum_of_all([loss * tf.cast(share.weight, loss.dtype)])
        return logs | ({"loss": tf.reduce_mean(loss)} if "loss" in logs else {})

    def step_of_all(data, share):
        with replicas.of_whole_batches(model.optimizer, strategy):
            logs = strategy.run(step, args=(data, share))
        return {name: replicas.first(strategy, value) for name, value in logs.items()}

    return _of_whole_batch(model, step_of_all, strategy)


def has_own_step(model, name="train_step") -> bool:
    """Whether a model overrides Keras's `train_step`, or the method `name`."""
    return getattr(getattr(model, name), "__func__", None) is not getattr(keras.Model, name)


def check_own_ways(model):
    """Refuse a model without an optimizer, or one that overrides how Keras calls its steps."""
    for name in ("make_train_function", "make_test_function"):
        if has_own_step(model, name):
            raise ValueError(
                f"model must not override {name}, because fit does not call it: "
                "override train_step or test_step instead, or call model.fit"
            )
    if model.optimizer is None and not has_own_step(model):
        raise ValueError("model must be compiled with an optimizer, got None")


def build(model, source, strategy):
    """Create all variables of the model, its optimizer and its metrics before a step is traced.

    This happens in a graph that never runs, so that no stateful layer changes its states, no metric
    counts a sample, and no random number is drawn. Variables that are mirrored on several replicas
    can't be created in a graph; for them `build` calls the model on one batch.
    """
    sample, signature = source.sample(), source.signature()

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
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)


def _has_several_losses(model):
    """Whether several outputs have losses; Keras then adds a metric for each loss."""
    return isinstance(model.loss, (dict, list, tuple)) or len(getattr(model, "outputs", ())) > 1


def _compiled(model, step, signature, jit_compile):
    if model.run_eagerly:
        return lambda data: step(keras.tree.map_structure(_tensor, data))
    if signature is None:
        return tf.function(step, reduce_retracing=True, jit_compile=jit_compile)
    return tf.function(
        lambda data: step(data), input_signature=[signature], jit_compile=jit_compile
    )


def _on_every_replica(model, step, strategy):
    """A custom step, run by each replica on its share of the samples; averages the logs."""

    def of_replica(data, share):
        logs = step(replicas.own(replicas.whole(data, share), share))
        return {name: value * tf.cast(share.weight, value.dtype) for name, value in logs.items()}

    def step_on_every_replica(data, share):
        logs = strategy.run(of_replica, args=(data, share))
        return {name: replicas.total(strategy, value) for name, value in logs.items()}

    return _of_whole_batch(model, step_on_every_replica, strategy)


def _of_whole_batch(model, step, strategy):
    """Wraps a step that takes a batch and each replica's share as a function of the batch."""
    run = step if model.run_eagerly else tf.function(step)
    split = replicas.Split(strategy)
    return lambda batch: run(*split(batch))


def _backward_and_apply(model, clipnorm, num_replicas):
    """Two functions: `backward` computes the gradient of a batch, `apply` updates the weights.

    Between the two, the step checks that the loss and the gradient are finite. Each replica passes
    an equal share of the whole gradient to the optimizer.
    """
    optimizer, weights = model.optimizer, model.trainable_variables
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def backward(data, share):
        x, y, sample_weight = unpack(data if share is None else replicas.whole(data, share))
        with tf.GradientTape() as tape:
            if share is None:
                prediction = model(x, training=True)
            else:
                prediction = replicas.predictions(model, x, share, training=True)
            loss = _loss(model, x, y, prediction, sample_weight, training=True)
            if share is not None:
                loss *= tf.cast(share.weight, loss.dtype)
            scaled_loss = optimizer.scale_loss(loss)  # prevents underflow in float16
        gradients = tape.gradient(scaled_loss, [w.value for w in weights])
        # The gradients of a repeated token are summed before they enter the norm.
        gradients = [g if g is None else tf.convert_to_tensor(g) for g in gradients]
        if share is not None:
            *known, loss = replicas.sum_of_all([*_known(gradients), loss])
            gradients = [g if g is None else known.pop(0) for g in gradients]
        norm = tf.linalg.global_norm(_known(gradients) or [tf.zeros(())])
        norm /= tf.cast(optimizer.scale_loss(1.0), norm.dtype)
        if clipnorm is not None:
            most = min(clipnorm, float(norm.dtype.max))
            shrink = most / tf.maximum(norm, most)
            gradients = [g if g is None else g * tf.cast(shrink, g.dtype) for g in gradients]
        # If the loss scale is too high, the optimizer skips the step and halves the scale.
        finite = tf.reduce_all(tf.math.is_finite(loss)) & (scales | tf.math.is_finite(norm))
        logs = model.compute_metrics(x, y, prediction, sample_weight=sample_weight)
        return {**logs, "loss": tf.reduce_mean(loss), "grad_norm": norm}, finite, gradients

    def apply(gradients):
        gradients = [g if g is None else g / num_replicas for g in gradients]
        with not_differentiated():
            optimizer.apply(gradients, weights)

    return backward, apply


def _known(gradients):
    """The gradients of those variables that the loss depends on."""
    return [g for g in gradients if g is not None]


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
    """A batch of tensors; zeros if only its type is known."""

    def example(leaf):
        if not isinstance(leaf, tf.TensorSpec):
            return tf.convert_to_tensor(leaf)
        return tf.zeros([size or 1 for size in leaf.shape], leaf.dtype)

    return keras.tree.map_structure(example, sample)
