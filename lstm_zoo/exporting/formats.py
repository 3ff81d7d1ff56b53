"""The base class of export formats, and their registry for `lz.export` and its documentation."""

import pathlib

import keras

from lstm_zoo import checks
from lstm_zoo.registry import Registry

OPTIONS = ("batch_size", "calibration", "fused")  # the arguments of `export` for some formats only


class Format:
    """A file format; a subclass describes it, refuses unsupported models and writes files.

    Attributes:
        name: the value for `format=`.
        ending: the suffix of its files, such as ".onnx"; "" for a format that is a folder.
        title: its name for readers.
        place: its position in lists of formats; formats with equal place are sorted by name.
        options: the arguments in `OPTIONS` that it takes.
        steps_only: whether it only supports streaming, so that `streaming` makes no difference.
        replaces_layers: whether Keras's layers become layers that more runtimes run.
        keeps_precision: whether a model keeps its dtype policy; otherwise it is converted to
            float32 first.
    """

    name: str
    ending: str
    title: str
    place: int = 100
    options: tuple[str, ...] = ()
    steps_only: bool = False
    replaces_layers: bool = False
    keeps_precision: bool = False

    def refuse(self, model: keras.Model, path: pathlib.Path, whole: keras.Model, **options) -> None:
        """Raise a `ValueError` for an unsupported model; called before `write`.

        Args:
            model: the model to write: `whole`, or its streaming form.
            path: the file to write.
            whole: the user's model, in the precision of the format.
            options: the arguments of `export` that are in `self.options`.
        """

    def write(self, model: keras.Model, path: pathlib.Path, whole: keras.Model, **options) -> None:
        """Write the file atomically; takes the arguments of `refuse`."""
        raise NotImplementedError

    def refuse_options(self, given: list[str]) -> None:
        """Raise a `ValueError` for a given option that is only for other formats."""
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
    """Decorator that registers a subclass of `Format` for `lz.export`.

    Raises:
        ValueError: if its name or suffix is taken, or if `export` does not have one of its options.

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
            raise ValueError(
                f"ending must not be taken, got {ending!r}, the ending of {other.title}"
            )
    return FORMATS.register(name)(format_class)


def listed() -> list[Format]:
    """All formats, in the order for documentation and errors."""
    formats = [format_class() for format_class in FORMATS.values()]
    return sorted(formats, key=lambda one: (one.place, one.name))


def chosen(path: str | pathlib.Path, name: str | None = None) -> Format:
    """The format with this name, or by the suffix of `path` if the name is None.

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
    """The names of the formats that accept an option."""
    return [one.name for one in listed() if option in one.options]
