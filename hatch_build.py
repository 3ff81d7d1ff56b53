"""Builds the native operation if there is a C compiler; the package also works without it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = pathlib.Path(__file__).parent / "lstm_zoo"
FOLDER = PACKAGE / "recurrence" / "native"
SERVING = PACKAGE / "serving" / "native"
TENSORFLOW = {  # its library that has the functions of C, by platform
    "linux": "libtensorflow_framework.so.2",
    "win32": "_pywrap_tensorflow_common.dll",
}


class BuildNative(BuildHookInterface):
    def initialize(self, version, build_data):
        try:
            libraries = build()
        except (OSError, subprocess.CalledProcessError, RuntimeError) as problem:
            print(f"lstm-zoo: without the native LSTM ({problem}); all else works", file=sys.stderr)
            return
        if version == "editable":  # runs where it lies
            return
        for library in libraries:
            inside = library.relative_to(PACKAGE.parent).as_posix()
            build_data["force_include"][str(library)] = inside
        build_data["pure_python"] = False
        # No Python is linked: one library serves every version of it.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def build(platform=sys.platform):
    """Compile both libraries beside their source; a `RuntimeError` says why they can't be.

    One has the operations of TensorFlow. The other, which runs trained models, needs no TensorFlow.
    On Windows by GCC (MinGW-w64), which `CC` may name.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("no C compiler")
    flags = ["-O3", "-std=gnu11", "-fPIC", "-shared", "-fno-math-errno", "-pthread"]
    if platform == "win32":
        # Threads of its own; and GCC does not align the stack there as its vectors want it.
        flags += ["-static", "-Wa,-muse-unaligned-vector-move"]
    kernels = sorted(FOLDER.glob("*.c"))
    of_serving = [one for one in kernels if not one.name.startswith("operations")]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if platform == "darwin":
            link = ["-undefined", "dynamic_lookup"]
        else:
            link = [str(_stand_in(compiler, folder / TENSORFLOW[platform]))]
        wanted = {
            FOLDER / "lstm.op.so": [*kernels, *link],
            SERVING / "serving.so": [*of_serving, *sorted(SERVING.glob("*.c")), "-lm"],
        }
        for library, parts in wanted.items():
            made = folder / library.name
            subprocess.run([compiler, *flags, *map(str, parts), "-o", str(made)], check=True)
            os.replace(shutil.copy(made, library.with_name(f"{library.name}.new")), library)
    return list(wanted)


def _stand_in(compiler, library):
    """A library of TensorFlow's name and functions, so that none has to be there to link with."""
    sources = "".join(one.read_text() for one in sorted(FOLDER.glob("operations*")))
    names = sorted(set(re.findall(r"\bTF_\w+(?=\()", sources)))
    source = library.with_name("stand_in.c")
    source.write_text("".join(f"void {name}(void) {{}}\n" for name in names))
    flags = ["-shared", "-fPIC", f"-Wl,-soname,{library.name}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    return library


if __name__ == "__main__":
    print(*build(*sys.argv[1:]))
