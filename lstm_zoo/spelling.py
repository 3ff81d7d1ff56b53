"""Suggests the nearest right name for a misspelt name or keyword."""

import functools
import inspect
import sys

from lstm_zoo.checks import near

_MARK = "__answers_misspelt_keywords__"


def no_attribute(module, name, known):
    """The error for a name that a module lacks.

    >>> print(no_attribute("lstm_zoo", "build_clasifier", ["build_classifier"]))
    module 'lstm_zoo' has no attribute 'build_clasifier'; did you mean 'build_classifier'?
    """
    hint = "" if name.startswith("__") else near(name, known)
    # Given a name but no object, Python does not add its own suggestion to the printed error.
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}", name=name)


def suggest(package):
    """Make a module suggest the right name or keyword for a misspelt one; call it last.

    Each public function and `__init__` is wrapped. The wrapper has the same signature and looks at
    the keywords only after a call has failed. A type checker sees the original functions.

    Args:
        package: the name of a package or module, which has `__all__`.
    """
    module = sys.modules[package]

    def __getattr__(name):
        raise no_attribute(package, name, module.__all__)

    vars(module)["__getattr__"] = __getattr__
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing):
            vars(module)[name] = helped = _helped(thing)
            vars(sys.modules[thing.__module__])[thing.__name__] = helped  # where pickle looks
        elif inspect.isclass(thing) and "__init__" in vars(thing):
            thing.__init__ = _helped(vars(thing)["__init__"])


@functools.cache  # a function may be public in two places, or under two names
def _helped(function):
    if hasattr(function, _MARK):
        return function

    @functools.wraps(function)
    def call(*arguments, **options):
        try:
            return function(*arguments, **options)
        except (TypeError, ValueError) as problem:
            called, known = function, [*inspect.signature(function).parameters]
            if function.__name__ == "__init__":
                called = type(arguments[0])
                inits = (vars(kind).get("__init__") for kind in called.__mro__[:-1])
                known = [name for one in inits if one for name in inspect.signature(one).parameters]
            wrong = [name for name in options if name not in known and repr(name) in str(problem)]
            if not wrong or "; did you mean" in str(problem):
                raise
            kind = TypeError if isinstance(problem, TypeError) else ValueError
        what = f"{called.__name__}() got an unexpected keyword argument {wrong[0]!r}"
        raise kind(f"{what}{near(wrong[0], known)}")

    vars(call)["__signature__"] = inspect.signature(function)  # Keras reads that of an `__init__`
    setattr(call, _MARK, True)
    return call
