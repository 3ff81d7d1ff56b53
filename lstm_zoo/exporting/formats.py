"""The formats of exported files, and the registry that `lz.export`, its errors and its docs use."""

import pathlib

import keras

from lstm_zoo import checks
from lstm_zoo.registry import Registry

OPTIONS = ("batch_size", "calibration")  # the arguments of `export` that not every format takes


class Format:
    """One format of files: a subclass says what it is, refuses models and writes files.

    Attributes:
        name: what `format=` takes.
        ending: of its files, such as ".onnx"; "" for a format that is a folder.
        title: what readers call it.
        place: where lists of formats have it; those of equal place stand by name.
        options: those of `OPTIONS` that it takes.
        steps_only: whether it holds streaming forms only, so that `streaming` makes no difference.
        keeps_precision: whether a model keeps its dtype policy; else it is made float32 first.
    """

    name: str
    ending: str
    title: str
    place: int = 100
    options: tuple[str, ...] = ()
    steps_only: bool = False
    keeps_precision: bool = False

    def refuse(self, model: keras.Model, path: pathlib.Path, whole: keras.Model, **options) -> None:
        """Raise a `ValueError` for what this format can't hold; called before `write`.

        Args:
            model: what the file is to compute: `whole`, or its streaming form.
            path: where the file is to be.
            whole: the user's model, in the precision of the format.
            options: those in `self.options`, as `export` got them.
        """

    def write(self, model: keras.Model, path: pathlib.Path, whole: keras.Model, **options) -> None:
        """Write the file whole or not at all; the arguments are those of `refuse`."""
        raise NotImplementedError

    def refuse_options(self, given: list[str]) -> None:
        """Raise a `ValueError` for an option that was given and is for other formats."""
        foreign = [option for option in given if option not in self.options]
        if foreign:
            takers = _takers(foreign[0])
            alike = [option for option in OPTIONS if _takers(option) == takers]
            raise ValueError(
                f"{' and '.join(alike)} {'is' if len(alike) == 1 else 'are'} for "
                f"{checks.listed(takers)} only, got format={self.name!r}"
            )


FORMATS: Registry[Format] = Registry("format", Format)


def register(format_class: type[Format]) -> type[Format]:
    """Let `lz.export` write a format: a decorator for a subclass of `Format`.

    Raises:
        ValueError: if its name or ending is taken, or it names an option that `export` lacks.

    Example:
        >>> @register
        ... class Toy(Format):
        ...     name, ending, title = "toy", ".toy", "Toy"
        ...     def write(self, model, path, whole):
        ...         path.write_text(model.name)
        >>> chosen("model.toy").title
        'Toy'
        >>> del FORMATS["toy"]
    """
    name, ending = format_class.name, format_class.ending
    for option in format_class.options:
        checks.one_of("options", option, OPTIONS)
    for other in FORMATS.values():
        if other.ending == ending and other.name != name:
            raise ValueError(f"ending must not be taken, got {ending!r}, which is {other.title}")
    return FORMATS.register(name)(format_class)


def listed() -> list[Format]:
    """All formats, in the order in which pages and errors list them."""
    formats = [format_class() for format_class in FORMATS.values()]
    return sorted(formats, key=lambda one: (one.place, one.name))


def chosen(path: str | pathlib.Path, name: str | None = None) -> Format:
    """The format of that name or, if None, the one whose ending `path` has.

    >>> chosen("model.tflite").name
    'litert'
    """
    if name is not None:
        return FORMATS.find(name)()
    ending = pathlib.Path(path).suffix
    by_ending = {one.ending: one for one in listed()}
    if ending not in by_ending:
        endings = [one for one in by_ending if one]
        raise ValueError(
            f"path's ending must be one of {checks.listed(endings)} or none at all "
            f"(a {by_ending[''].title}), got {ending!r}{checks.near(ending, endings)}"
        )
    return by_ending[ending]


def _takers(option):
    """The names of the formats that take an option."""
    return [one.name for one in listed() if option in one.options]
