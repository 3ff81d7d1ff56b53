"""Draw own_data.png, the forecast in README.md, by the code that stands above it there.

python docs/pictures/own_data.py
"""

import os
import pathlib
import re
import tempfile

import matplotlib

matplotlib.use("Agg")

HERE = pathlib.Path(__file__).parent
README = HERE.parents[1] / "README.md"

if __name__ == "__main__":
    section = README.read_text(encoding="utf-8").partition("## Your own data\n")[2]
    code = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)[1]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        exec(code, {})
        (HERE / "own_data.png").write_bytes(pathlib.Path("demand.png").read_bytes())
