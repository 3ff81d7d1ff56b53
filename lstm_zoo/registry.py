"""Registries: classes by the names that users give them, filled by the files that define them."""

import importlib
import pkgutil
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

from lstm_zoo import checks

Base = TypeVar("Base")


class Registry(dict[str, type[Base]], Generic[Base]):
    """Subclasses of one base class by name, in the order in which they were registered.

    Args:
        what: what errors call a name, such as "cell".
        base: the class that all of them must subclass.

    Example:
        >>> class Shape: pass
        >>> SHAPES = Registry("shape", Shape)
        >>> @SHAPES.register("circle")
        ... class Circle(Shape): pass
        >>> SHAPES.find("circle").__name__
        'Circle'
        >>> SHAPES.find("cirkle")
        Traceback (most recent call last):
        ValueError: shape must be one of circle, got 'cirkle'; did you mean 'circle'?
    """

    def __init__(self, what: str, base: type):
        super().__init__()
        self.what, self.base = what, base

    def register(self, name: str) -> Callable[[type[Base]], type[Base]]:
        """Give a class its name: a decorator. A class may be registered again after a reload.

        Raises:
            ValueError: if the name is no text or is another class's, or the class is no subclass
                of `base`.
        """
        checks.text("name", name)

        def decorate(new):
            if not (isinstance(new, type) and issubclass(new, self.base)):
                raise ValueError(
                    f"a registered {self.what} must be a subclass of {self.base.__name__}, "
                    f"got {new!r}"
                )
            other = self.get(name)
            if other is not None and other.__qualname__ != new.__qualname__:
                raise ValueError(f"name must not be taken, got {name!r}, which is {other.__name__}")
            self[name] = new
            return new

        return decorate

    def find(self, name: str) -> type[Base]:
        """The class of that name; a `ValueError` with the nearest name if there is none."""
        return self[checks.one_of(self.what, name, sorted(self))]


def import_all(package: str) -> None:
    """Import every module of a package, so that each registers what it defines."""
    for module in pkgutil.iter_modules(sys.modules[package].__path__):
        importlib.import_module(f"{package}.{module.name}")
