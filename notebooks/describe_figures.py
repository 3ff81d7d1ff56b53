"""Give every stored figure an alternative text: the first sentences of the "What to see" behind it.

`make badges` runs it. The text goes into the metadata of the cell, under `alt`, where it outlives a
new run and where nbconvert's template "classic" finds it. A figure without such a paragraph keeps
the `alt` that its cell has. JupyterLab (4.6) shows no alternative text of an output at all.
"""

import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent
MARK = "**What to see.**"
LEAST = 100  # characters: sentences are taken until there are so many


def has_figure(cell) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def plain(markdown: str) -> str:
    """Markdown and its formulas as a line of text."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(markdown.split()))
    text = re.sub(r"\\(?:operatorname|text|mathrm|Vert|odot|,|;)\b ?", "", text)
    return re.sub(r"(?<!\w)\*+|\*+(?!\w)|[`$\\{}]", "", text)


def described(markdown: str) -> str:
    """The first sentences behind the mark."""
    paragraph = markdown.split(MARK, 1)[1].strip().split("\n\n")[0]
    sentences = re.split(r"(?<=[.!?:])\s+(?=[A-Z(])", plain(paragraph))
    text = sentences.pop(0)
    while sentences and len(text) < LEAST:
        text += " " + sentences.pop(0)
    return text


def alt_of(cells, at: int) -> str | None:
    """The alternative text of the figure in cell `at`: its own paragraph, else what is there."""
    for cell in cells[at + 1 :]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and MARK in source:
            return described(source)
        if has_figure(cell):
            break
    return cells[at]["metadata"].get("alt")


def main(folder=HERE):
    for path in sorted(folder.glob("*.ipynb")):
        old = path.read_text()
        notebook = json.loads(old)
        cells = notebook["cells"]
        for k, cell in enumerate(cells):
            if has_figure(cell):
                text = alt_of(cells, k)
                if text is None:
                    raise SystemExit(
                        f"{path.name}: the figure of cell {cell['id']} is not described"
                    )
                cell["metadata"]["alt"] = text
        new = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        if new != old:
            path.write_text(new)
            print(f"described the figures of {path.name}")


if __name__ == "__main__":
    main()
