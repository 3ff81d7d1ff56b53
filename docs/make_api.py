"""Writes docs/api.md from the docstrings: `make docs`. A test holds the page to what this makes."""

import importlib
import inspect
import pathlib
import re
import textwrap
import types

import lstm_zoo as lz

ROOT = pathlib.Path(__file__).parent.parent
ROOMS = """
builders training tuning forecasting presets inspection plots widgets layers cells recurrence
datasets tasks sequences texts labels naming exporting serving weights opening course
"""
HEAD = """# The names of LSTM Zoo

All that is public, room by room, from the docstrings of the code (`make docs` writes this page).
`lz` is `import lstm_zoo as lz`; what is not at the top is in its room, as `lz.cells.Cell`.
[gallery.md](gallery.md) shows the pictures, [inspection.md](inspection.md) answers questions.
"""


def rooms() -> dict[str, tuple[types.ModuleType, dict]]:
    """The package's rooms by name, each with its public functions and classes by name."""
    modules = {name: importlib.import_module(f"lstm_zoo.{name}") for name in ROOMS.split()}
    entries, listed = {}, set()
    for name, room in reversed(modules.items()):  # the last room of two that share a name lists it
        entries[name] = {k: thing for k, thing in _public(room) if thing not in listed}
        listed |= set(entries[name].values())
    return {name: (room, entries[name]) for name, room in modules.items()}


def page() -> str:
    """The page as Markdown."""
    contents = [f"- [{name}](#{name}): {first_line(room)}" for name, (room, _) in rooms().items()]
    sections = [_section(name, room, entries) for name, (room, entries) in rooms().items()]
    return "\n".join([HEAD, *contents, "", "\n\n".join(sections), ""])


def _section(name, room, entries):
    file = pathlib.Path(room.__file__).relative_to(ROOT)
    file = file.parent if file.name == "__init__.py" else file
    lead = f"## {name}\n\n{first_line(room)} Source: [`{file.as_posix()}`](../{file.as_posix()})."
    return "\n\n".join([lead, *(_entry(name, key, thing) for key, thing in entries.items())])


def _public(room):
    """The functions and classes of a room, by name: of `__all__`, or those it defines."""
    names = getattr(room, "__all__", None) or [
        name
        for name, thing in vars(room).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == room.__name__
    ]
    things = ((name, getattr(room, name)) for name in names)
    return [(n, thing) for n, thing in things if inspect.isroutine(thing) or inspect.isclass(thing)]


def _entry(room, name, thing):
    at_the_top = getattr(lz, name, None) is thing
    path = f"lz.{name}" if at_the_top else f"lz.{room}.{name}"
    first, rest = _split(thing)
    text = f"{_call(path, thing)}\n\n{rest}".strip()
    methods = [
        f"{_call('.' + key, method)}\n{textwrap.indent(inspect.getdoc(method), '    ')}"
        for key, method in _methods(thing)
    ]
    text = "\n\n".join([text, *methods])
    return (
        f"### `{path}`\n\n{first}\n\n<details><summary>arguments, errors, example</summary>\n\n"
        f"```text\n{text}\n```\n\n</details>"
    )


def _methods(thing):
    """The methods that a class itself defines and documents."""
    if not inspect.isclass(thing):
        return []
    return [
        (name, getattr(thing, name))
        for name, value in vars(thing).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)))
        and value.__doc__
    ]


def _call(path, thing):
    """`path(argument, other=default)`, as lines of at most 100 characters."""
    parts, star = [], False
    for p in inspect.signature(thing).parameters.values():
        if p.name == "self":
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
        star |= p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f"={_shown(p.default)}"
        parts.append(f"{stars}{p.name}{default}")
    lines = textwrap.wrap(
        f"{path}({', '.join(parts)})", 100, subsequent_indent="    ", break_long_words=False
    )
    return "\n".join(lines)


def _shown(default):
    """A default; of a function or of a dataclass's factory, which have addresses, the name."""
    text = repr(default)
    return getattr(default, "__name__", "...") if " at 0x" in text or "<factory>" in text else text


def _split(thing):
    """A docstring's first paragraph on one line, and the rest of it."""
    first, _, rest = (inspect.getdoc(thing) or "").partition("\n\n")
    return re.sub(r":math:`([^`]+)`", r"$\1$", first.replace("\n", " ")), rest


def first_line(thing) -> str:
    """The first sentence of a docstring."""
    return _split(thing)[0]


if __name__ == "__main__":
    (ROOT / "docs" / "api.md").write_text(page(), encoding="utf-8")
