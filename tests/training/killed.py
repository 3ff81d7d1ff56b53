"""A training that a test kills: writes its final weights and history to a file.

python killed.py CHECKPOINT_DIR RESULT.npz [SECONDS_A_STEP]
"""

import json
import sys
import time

import keras
import numpy as np

import lstm_zoo as lz

EPOCHS = 8


class Forever(keras.metrics.Metric):
    """Counts the batches of the whole training: it is never reset."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seen = self.add_weight(name="seen", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen.assign_add(1.0)

    def result(self):
        return self.seen.value

    def reset_state(self):
        pass


class Slow(keras.callbacks.Callback):
    """Has state of its own, and leaves time to be killed."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.seen = seconds, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(round(logs["loss"], 3))
        time.sleep(self.seconds)

    def on_epoch_end(self, epoch, logs=None):
        logs["seen"] = float(len(self.seen)) + np.random.random()  # noqa: NPY002


def train(folder, seconds=0.0, every=2):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5, 3)).astype("float32")
    y = (x[:, :, 0].sum(axis=1) > 0).astype(int)
    model = lz.build_classifier((5, 3), 2, lstm_units=(4,), dense_units=(), dropout=0.3)
    metrics = ["accuracy", Forever(name="forever")]
    model.compile(keras.optimizers.AdamW(0.05), "sparse_categorical_crossentropy", metrics=metrics)
    callbacks = [
        keras.callbacks.EarlyStopping("loss", patience=6, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=0.5),
        Slow(seconds),
    ]
    history = lz.fit(
        model,
        *(x[:32], y[:32]),
        validation_data=(x[32:], y[32:]),
        epochs=EPOCHS,
        batch_size=6,
        seed=3,
        callbacks=callbacks,
        checkpoint_dir=folder,
        checkpoint_every=every,
        verbose=0,
    )
    del history.history["seconds"]
    return model, history.history


if __name__ == "__main__":
    folder, result, *seconds = sys.argv[1:]
    model, history = train(folder, float(seconds[0]) if seconds else 0.0)
    weights = {f"w{n}": w for n, w in enumerate(model.get_weights())}
    np.savez(result, history=json.dumps(history), **weights)
