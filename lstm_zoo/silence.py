"""TensorFlow without its noise: what it writes while it starts is kept back unless it fails."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def quiet():
    """Keep back what is written to standard error, by C code too; show it if the block fails."""
    if sys.stderr is None:  # there is none, as in a program without a console
        yield
        return
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
