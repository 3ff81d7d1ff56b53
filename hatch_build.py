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
TENSORFLOW = {  # its library that has the functions of C, by platform
    "linux": "libtensorflow_framework.so.2",
    "win32": "_pywrap_tensorflow_common.dll",
}


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


def build(platform=sys.platform):
    """Compile the library beside its source; a `RuntimeError` says why it can't be.

    On Windows by GCC (MinGW-w64), which `CC` may name.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler")
    library = FOLDER / "lstm.op.so"
    flags = ["-O3", "-std=gnu11", "-fPIC", "-shared", "-fno-math-errno", "-pthread"]
    if platform == "win32":
        # Threads of its own; and GCC does not align the stack there as its vectors want it.
        flags += ["-static", "-Wa,-muse-unaligned-vector-move"]
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / library.name
        if platform == "darwin":
            link = ["-undefined", "dynamic_lookup"]
        else:
            link = [str(_stand_in(compiler, pathlib.Path(folder) / TENSORFLOW[platform]))]
        command = [compiler, *flags, *map(str, sorted(FOLDER.glob("*.c"))), *link, "-o", str(made)]
        subprocess.run(command, check=True)
        os.replace(shutil.copy(made, library.with_name(f"{library.name}.new")), library)
    return library


def _stand_in(compiler, library):
    """A library of TensorFlow's name and functions, so that none has to be there to link with."""
    names = sorted(set(re.findall(r"\bTF_\w+(?=\()", (FOLDER / "operations.c").read_text())))
    source = library.with_name("stand_in.c")
    source.write_text("".join(f"void {name}(void) {{}}\n" for name in names))
    flags = ["-shared", "-fPIC", f"-Wl,-soname,{library.name}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    return library


if __name__ == "__main__":
    print(build(*sys.argv[1:]))
