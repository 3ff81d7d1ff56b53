"""Settings of the site that `make site` builds with Sphinx: the course, the guides and the API.

The pages are the Markdown files and the notebooks of the repository, with their stored outputs.
The pages of the API come from the docstrings. The finished site needs no network.
"""

import os
import re
import sys
from pathlib import Path

from docutils import nodes

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs"), str(ROOT / "notebooks")]

import make_api  # noqa: E402
import stamp_address  # noqa: E402

import lstm_zoo as lz  # noqa: E402

REPOSITORY = f"https://github.com/{stamp_address.address()}"

project = "LSTM Zoo"
version = release = lz.__version__
root_doc = "README"  # also written as index.html
include_patterns = [
    *("*.md", "docs/*.md", "docs/site/api/*.rst"),
    *("datasets/*.md", "findings/*.md", "notebooks/*.md", "notebooks/*.ipynb"),
    "lstm_zoo/presets/*/card.md",
]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
]
html_theme = "furo"
html_title = project
html_favicon = "icon.svg"
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "source_repository": f"{REPOSITORY}/",
    "source_branch": "main",
    "source_directory": "",
}

myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the tests run the notebooks and compare the stored outputs
nb_ipywidgets_js = {}  # these scripts would come from the network

default_role = "code"  # the docstrings write `code` as Markdown does
napoleon_custom_sections = [("Call arguments", "params_style")]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_inherit_docstrings = False
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)#\s]+)")


def contents():
    """The site's contents, as hidden lists that Sphinx shows at the side."""
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    guides = dict.fromkeys(
        re.findall(r"\]\((\w+)\.md", (ROOT / "docs/README.md").read_text("utf-8"))
    )
    guides = [name for name in guides if name != "api"]
    cards = sorted(path.parent.name for path in (ROOT / "lstm_zoo/presets").glob("*/card.md"))
    parts = {
        "Course": ["notebooks/README", *(f"notebooks/{name}" for name in notebooks)],
        "Guides": ["docs/README", *(f"docs/{name}" for name in guides)],
        "Presets": [f"lstm_zoo/presets/{name}/card" for name in cards],
        "Reference": ["docs/api", "datasets/README", "findings/README"],
        "Project": ["CHANGELOG", "CONTRIBUTING"],
    }
    return "\n".join(
        "\n".join(["", "```{toctree}", ":hidden:", f":caption: {part}", *pages, "```", ""])
        for part, pages in parts.items()
    )


def write_api_pages():
    """One page for each room of the package, which autodoc fills from the docstrings."""
    folder = HERE / "api"
    folder.mkdir(exist_ok=True)
    for name, (room, entries) in make_api.rooms().items():
        title = room.__name__
        lines = [title, "=" * len(title), "", f".. automodule:: {title}", ""]
        for key, thing in entries.items():
            if isinstance(thing, type):
                lines += [f".. autoclass:: {title}.{key}", "   :members:", ""]
            else:
                lines += [f".. autofunction:: {title}.{key}", ""]
        (folder / f"{name}.rst").write_text("\n".join(lines), "utf-8")


def api_page():
    """docs/api.md on the site: the list of the pages that `write_api_pages` writes."""
    rooms = make_api.rooms()
    lines = [
        f"- [{name}](site/api/{name}.rst): {make_api.first_line(room)}"
        for name, (room, _) in rooms.items()
    ]
    pages = ["```{toctree}", ":hidden:", *(f"site/api/{name}" for name in rooms), "```"]
    return "\n".join([make_api.HEAD.split("\n\n")[0], "", *lines, "", *pages])


def to_repository(page, text):
    """Links to files that are no pages of the site lead to the repository."""

    def link(match):
        target = (ROOT / page).parent.joinpath(match[1]).resolve()
        if target.suffix in (".md", ".ipynb", ".png", ".gif", ".svg", ".rst"):
            return match[1]
        return f"{REPOSITORY}/blob/main/{target.relative_to(ROOT).as_posix()}"

    return LINK.sub(link, text)


def read_source(app, name, source):
    if name.startswith("docs/site/api/"):
        return
    if name == "docs/api":
        source[0] = api_page()
    elif name == root_doc:
        source[0] += contents()
    source[0] = to_repository(f"{name}.md", source[0])


def name_remote_pictures(app, tree):
    """A picture from the network, such as a badge, becomes its description."""
    for image in list(tree.findall(nodes.image)):
        if "://" in image["uri"]:
            image.replace_self(nodes.Text(image.get("alt", "")))


def copy_front_page(app, error):
    if error is None and app.builder.name == "html":
        out = Path(app.outdir)
        (out / "index.html").write_bytes((out / f"{root_doc}.html").read_bytes())


def setup(app):
    write_api_pages()
    app.connect("source-read", read_source)
    app.connect("doctree-read", name_remote_pictures)
    app.connect("build-finished", copy_front_page)
