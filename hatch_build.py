"""Builds the native operation with the C compiler that is there; without one, the package does."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = pathlib.Path(__file__).parent / "lstm_zoo" / "recurrence" / "native"
SONAME = "libtensorflow_framework.so.2"


class BuildNative(BuildHookInterface):
    def initialize(self, version, build_data):
        try:
            library = build()
        except (OSError, subprocess.CalledProcessError, RuntimeError) as problem:
            print(f"lstm-zoo: without the native LSTM ({problem}); all else works", file=sys.stderr)
            return
        if version == "editable":  # runs where it lies
            return
        build_data["force_include"][str(library)] = f"lstm_zoo/recurrence/native/{library.name}"
        build_data["pure_python"] = False
        # No Python is linked: one library serves every version of it.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def build():
    """Compile the library beside its source; a `RuntimeError` says why it can't be."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler")
    if sys.platform == "win32":
        raise RuntimeError("not on Windows yet")
    library = FOLDER / "lstm.op.so"
    flags = ["-O3", "-std=gnu11", "-fPIC", "-shared", "-fno-math-errno", "-pthread"]
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / library.name
        if sys.platform == "darwin":
            link = ["-undefined", "dynamic_lookup"]
        else:
            link = [f"-L{folder}", f"-l:{SONAME}"]
            _stand_in(compiler, pathlib.Path(folder))
        command = [compiler, *flags, str(FOLDER / "lstm.c"), *link, "-o", str(made)]
        subprocess.run(command, check=True)
        os.replace(shutil.copy(made, library.with_name(f"{library.name}.new")), library)
    return library


def _stand_in(compiler, folder):
    """A library of TensorFlow's name and functions, so that none has to be there to link with."""
    names = sorted(set(re.findall(r"\bTF_\w+(?=\()", (FOLDER / "lstm.c").read_text())))
    source = folder / "stand_in.c"
    source.write_text("".join(f"void {name}(void) {{}}\n" for name in names))
    flags = ["-shared", "-fPIC", f"-Wl,-soname,{SONAME}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(folder / SONAME)], check=True)


if __name__ == "__main__":
    print(build())
