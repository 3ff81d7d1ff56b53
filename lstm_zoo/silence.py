"""Hides TensorFlow's start-up messages, unless start-up fails."""

import contextlib
import os
import sys


@contextlib.contextmanager
def quiet():
    """Hide output to standard error, also from C code, and show it if the block fails."""
    if sys.stderr is None:  # a program without a console has none
        yield
        return
    import tempfile  # which takes milliseconds to load

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
