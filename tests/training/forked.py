"""Processes that begin as this one is: it has imported TensorFlow and computed nothing."""

import os
import traceback


def fork(function, *arguments):
    """A process that calls a function and ends well, or says why not; its number."""
    process = os.fork()
    if process:
        return process
    try:
        function(*arguments)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def well(process):
    """Wait for a process, which must end well."""
    assert os.waitpid(process, 0)[1] == 0, "a training failed"
