"""The code in the guides of docs/ runs, prints what they show, and has the shapes that they say."""

import pathlib
import re

import keras
import numpy as np
import pytest

DOCS = pathlib.Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", flags=re.DOTALL)
SHAPE = re.compile(r"^(\w+) = .*  # (\(\d[\d, ]*\))", flags=re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["backends.md", "builders.md", "questions.md", "training.md"])
def test_code_of_a_guide_does_what_the_guide_says(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    names = {}
    for block, output in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        capsys.readouterr()
        exec(compile(block, page, "exec"), names)
        if output:
            assert capsys.readouterr().out == output
        for name, shape in SHAPE.findall(block):
            assert str(np.shape(names[name])) == shape, f"{name} in {block}"
