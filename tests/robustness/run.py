"""Whether notebooks and tests that train say the same on other processors: `make test-robust`.

    python tests/robustness/run.py [part of a variant's name ...] [--verbose]

Processors add numbers in different orders, and training amplifies the difference: what was learned
differs between them. No such processor is needed to find out what depends on it. This script runs
all notebooks, which must print what is stored, and the tests that assert a learned number, once for
each variant below, and names what fails. The exit status is 0 if nothing does.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
AT_START = pathlib.Path(__file__).with_name("at_start")  # reads PERTURB_WEIGHTS

# All notebooks, and the tests that assert something about learned numbers.
WHAT = [
    "notebooks",
    "tests/builders/test_options.py::test_sigmoid_head_learns_from_zeros_and_ones",
    "tests/builders/test_options.py::test_forecaster_uses_known_future_and_static_features",
    "tests/builders/test_tasks.py::test_tagger_with_crf_trains_both_ways_saves_and_predicts_likeliest_labels",
    "tests/builders/test_tasks.py::test_language_model_learns_and_continues_a_cycle",
    "tests/builders/test_tasks.py::test_autoencoder_finds_the_sequence_that_is_unlike_the_others",
    "tests/builders/test_tasks.py::test_sequence_to_sequence_learns_to_reverse_by_greedy_and_by_beam",
    "tests/cli/test_demos.py::test_only_the_lstm_adds_two_numbers_far_apart",
    "tests/cli/test_own_data.py",
    "tests/exporting/test_export.py::test_int8_is_nearly_as_accurate_as_float",
    "tests/inspection/test_recipes.py",
    "tests/layers/test_lstm.py::test_fit_learns_in_mixed_precision",
    "tests/presets/test_presets.py::test_a_loaded_preset_scores_what_its_card_says",
    "tests/presets/test_presets.py::test_tune_resumes_and_never_sees_the_test_part",
    "tests/test_own_data_guide.py",
    "tests/test_readme.py::test_the_example_with_own_data_saves_a_model_that_knows_the_motions",
    "tests/training/test_fit.py::test_mixed_precision_trains",
    "tests/training/test_nan.py::test_mixed_precision_is_as_accurate_as_float32",
    "tests/tuning/test_tuning.py::test_better_settings_win_and_the_table_says_what_the_default_had",
    "tests/training/test_two_workers.py::test_command_trains_a_preset_with_two_workers_and_one_writes_it",
]


def threads(count):
    libraries = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict.fromkeys(libraries, str(count))


def processor(xla, onednn, simd, count):
    """The settings of a processor that knows instructions up to those named, each library's way."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    newer = found if simd == "plain" else [f for f in found if f == "X86_V4" or "AVX512" in f]
    return {
        "XLA_FLAGS": f"--xla_cpu_max_isa={xla}",
        "TF_ENABLE_ONEDNN_OPTS": "0" if onednn is None else "1",
        "ONEDNN_MAX_CPU_ISA": onednn or "DEFAULT",
        "LSTM_ZOO_SIMD": simd,
        "NPY_DISABLE_CPU_FEATURES": " ".join(newer),
        **threads(count),
    }


def perturbed(seed, settings):
    return {**settings, "PERTURB_WEIGHTS": str(seed)}


# Combined, so that five runs try every setting.
VARIANTS = {
    "SSE 4.2, no oneDNN, 1 thread": processor("SSE4_2", None, "plain", 1),
    "AVX, 2 threads, other weights": perturbed(1, processor("AVX", "SSE41", "plain", 2)),
    "AVX2, 4 threads, other weights": perturbed(2, processor("AVX2", "AVX2", "avx2", 4)),
    "AVX2, no oneDNN, 1 thread": processor("AVX2", None, "avx2", 1),
    "this processor, no oneDNN, 4 threads, other weights": perturbed(
        3, {"TF_ENABLE_ONEDNN_OPTS": "0", **threads(4)}
    ),
}


def run(settings, arguments):
    """The number of tests that pytest ran under the settings, and what each that failed says."""
    path = os.pathsep.join(filter(None, [str(AT_START), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile"]
        command += ["--no-loadscope-reorder", "--nbval", f"--junitxml={report}"]
        command += ["--nbval-sanitize-with", "tests/nbval.cfg", *arguments]
        environment = {**os.environ, "PYTHONPATH": path, **settings}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):  # not what tests say: pytest itself was wrong
            sys.exit(done.stdout + done.stderr)
        tests = list(xml.etree.ElementTree.parse(report).iter("testcase"))
    problems = {}
    for test in tests:
        for problem in [*test.findall("failure"), *test.findall("error")]:
            problems[f"{test.get('classname')}::{test.get('name')}"] = problem.text or ""
    return len(tests), problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*", help="parts of their names; all if none")
    parser.add_argument("--what", nargs="+", default=WHAT, help="notebooks and tests, for pytest")
    parser.add_argument("--verbose", action="store_true", help="print how each failed")
    asked = parser.parse_args()
    passed = failed = 0
    for name, settings in VARIANTS.items():
        if asked.variants and not any(part in name for part in asked.variants):
            continue
        start = time.perf_counter()
        count, problems = run(settings, asked.what)
        took = f"{time.perf_counter() - start:.0f} s"
        print(f"{name}: {len(problems)} of {count} cells and tests changed ({took})", flush=True)
        for test, text in problems.items():
            print(f"  {test}")
            if asked.verbose:
                print("\n".join(f"    {line}" for line in text.splitlines()))
        passed, failed = passed + count - len(problems), failed + len(problems)
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else None)


if __name__ == "__main__":
    main()
