"""What all commands share: the console, TensorFlow started in silence, errors, progress bars."""

import os
import pathlib
import tempfile

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lstm_zoo.silence import quiet

console = Console(highlight=False)


def start(compute=True):
    """Import TensorFlow and let it find its devices, which it does at the first operation.

    A process of several must not compute before it knows the others.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with console.status("Starting TensorFlow"), quiet():
        import matplotlib

        matplotlib.use("Agg")
        import keras

        import lstm_zoo.builders  # noqa: F401

        if compute:
            keras.ops.ones(1) + keras.ops.ones(1)


def say(*lines):
    """Print lines as they are, however long."""
    console.print(*lines, sep="\n", markup=False, soft_wrap=True)


def or_usage_error(function, *arguments, **options):
    """What the function returns; a wrong argument ends the command with its one sentence."""
    try:
        return function(*arguments, **options)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None


def must_be_writable(folder):
    """End the command if files can't be written to a folder, before anything is trained or made."""

    def is_there(path):
        try:
            path.lstat()
        except FileNotFoundError:
            return False
        return True

    wanted = pathlib.Path(folder).absolute()
    try:
        there = next(path for path in (wanted, *wanted.parents) if is_there(path))
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"0" * 2**20)
    except OSError as error:
        raise typer.BadParameter(f"--out {folder} cannot be written to: {error.strerror}") from None


class Bars(Progress):
    """A progress bar for each training; a context manager, as `rich.progress.Progress` is."""

    def __init__(self):
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("epochs  {task.fields[loss]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )

    def callback(self, label, epochs):
        """A Keras callback that moves a new bar, and fills it where a training ends early."""
        import keras

        bar = self.add_task(label, total=epochs, loss="")

        def advance(epoch, logs):
            self.update(bar, completed=epoch + 1, loss=f"loss {logs['loss']:.4f}")

        def finish(logs):
            self.update(bar, total=self.tasks[bar].completed)

        return keras.callbacks.LambdaCallback(on_epoch_end=advance, on_train_end=finish)
