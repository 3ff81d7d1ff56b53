"""TensorFlow without its noise: what it writes while it starts is kept back unless it fails."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def quiet():
    """Keep back what is written to standard error, by C code too; show it if the block fails."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as text:
        os.dup2(text.fileno(), 2)
        try:
            yield
        except BaseException:
            text.seek(0)
            os.write(kept, text.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def start(compute=True):
    """Import TensorFlow and let it find its devices, which it does at the first operation.

    A process of several must not compute before it knows the others.
    """
    with quiet():
        import matplotlib

        matplotlib.use("Agg")
        import keras

        import lstm_zoo.builders  # noqa: F401

        if compute:
            keras.ops.ones(1) + keras.ops.ones(1)
