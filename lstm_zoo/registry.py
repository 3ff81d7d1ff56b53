"""Registries of classes by name, such as the cells; each file registers the classes it defines."""

import importlib
import pkgutil
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

from lstm_zoo import checks

Base = TypeVar("Base")


class Registry(dict[str, type[Base]], Generic[Base]):
    """Subclasses of one base class by name, in the order of their registration.

    Args:
        what: the word for a name in error messages, such as "cell".
        base: the required base class.

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
        """Decorator that registers a class under a name. A reloaded class may register again.

        Raises:
            ValueError: if the name is not a string or belongs to another class, or if the class is
                not a subclass of `base`.
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
                raise ValueError(
                    f"name must not be taken, got {name!r}, the name of {other.__name__}"
                )
            self[name] = new
            return new

        return decorate

    def find(self, name: str) -> type[Base]:
        """The class with this name; raises a `ValueError` that suggests the nearest name."""
        return self[checks.one_of(self.what, name, sorted(self))]


def import_all(package: str) -> None:
    """Import every module of a package, so that each registers its classes."""
    for module in pkgutil.iter_modules(sys.modules[package].__path__):
        importlib.import_module(f"{package}.{module.name}")
