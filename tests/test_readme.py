import csv
import pathlib
import re
import runpy
import statistics
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import lstm_zoo as lz

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OWN_DATA = re.findall(
    r"```python\n(.*?)```", README.partition("## Your own data\n")[2], flags=re.DOTALL
)
RESULTS = ROOT / "benchmarks" / "results"
TEENS = "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
COUNTS = dict(enumerate(TEENS.split(), 11))
PAGES = [ROOT / "README.md", ROOT / "docs" / "inspection.md"]


def run(example, folder):
    """What an example prints, with the same weights each time."""
    seeded = "import keras; keras.utils.set_random_seed(0)\n" + example
    result = subprocess.run(
        [sys.executable, "-c", seeded], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


@pytest.mark.slow
def test_the_first_example_prints_what_stands_below_it(tmp_path):
    example, output = re.search(
        r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL
    ).groups()
    assert run(example, tmp_path) == output


@pytest.mark.slow
def test_the_example_with_own_data_saves_a_model_that_knows_the_motions(tmp_path):
    [example] = [code for code in OWN_DATA if "build_classifier" in code]
    accuracy = int(re.search(r"(\d+)% of the test motions are right", run(example, tmp_path))[1])
    assert accuracy >= 80  # 25 by chance
    assert (tmp_path / "out" / "motions.keras").exists()


def test_the_forecast_and_the_tagger_are_those_of_the_guide_that_another_test_runs():
    guide = (ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
    shared = [code for code in OWN_DATA if code in guide]
    assert len(shared) == len(OWN_DATA) - 1  # all but the classifier


def checked(code, tmp_path):
    """What a type checker says of a program: a list of its errors, each with the line."""
    path = tmp_path / "program.py"
    path.write_text(code)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--show-error-codes", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not result.stderr, result.stderr
    return [
        f"{code.splitlines()[int(number) - 1].strip()}: {error}"
        for number, error in re.findall(r"program\.py:(\d+): error: (.*)", result.stdout)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_type_checker_passes_the_code_of_the_pages(page, tmp_path):
    code = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    assert checked("\n".join(code), tmp_path) == []


@pytest.mark.slow
def test_a_type_checker_finds_a_misspelt_name(tmp_path):
    program = """
import numpy as np

import lstm_zoo as lz

x = np.zeros((2, 5, 3))
inside = lz.trace(lz.LSTM(4), x)
print(inside.forgett)
lz.plots.plot_trce(inside)
lz.buld_classifier((5, 3), 2)
print(inside.forget_gate.mean(), inside.forward.hidden_state)
lz.plots.plot_trace(inside)
"""
    errors = checked(program, tmp_path)
    found = [error.split(":")[0] for error in errors]
    assert sorted(set(found)) == [
        "lz.buld_classifier((5, 3), 2)",
        "lz.plots.plot_trce(inside)",
        "print(inside.forgett)",
    ], errors


@pytest.mark.slow
def test_a_type_checker_finds_a_misspelt_or_wrong_argument_of_a_builder(tmp_path):
    program = """
import lstm_zoo as lz

lz.build_classifier((5, 3), 2, dropout=0.1, loss="mse", name="right", output="sigmoid")
lz.build_classifier((5, 3), 2, dropot=0.1)
lz.build_tagger((5, 3), 2, dropout="much")
lz.build_seq2seq(5, 5, mask_value=0.0)
lz.build_forecaster((5, 3), 2, cell=lz.LSTMCell, learning_rate=0.1, mask_value=None)
"""
    errors = checked(program, tmp_path)
    assert [error.split(":")[0] for error in errors] == [
        "lz.build_classifier((5, 3), 2, dropot=0.1)",
        'lz.build_tagger((5, 3), 2, dropout="much")',
        "lz.build_seq2seq(5, 5, mask_value=0.0)",
    ], errors


def test_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"`?make (\w+)`?", README)
    assert {"demo", "test", "lab"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def anchors(page):
    """What links may name behind a `#`: the headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_to_a_file_or_heading_leads_somewhere():
    for page in (ROOT / "README.md", ROOT / "docs" / "README.md"):
        links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
        assert len(links) > 10
        for link in links:
            path, _, anchor = link.partition("#")
            if "://" not in link:
                target = page.parent / path if path else page
                assert target.exists(), link
                assert not anchor or anchor in anchors(target), link


def test_the_map_has_every_folder_and_every_module_of_the_package():
    map_of_folders = README[README.index("## The repository") : README.index("## Plans")]
    linked = {link.rstrip("/") for link in re.findall(r"\]\(([^)]+)\)", map_of_folders)}
    folders = {link.split("/")[0] for link in linked}
    written = {
        path.parent.name for end in ("py", "md", "sh") for path in ROOT.glob(f"[!.]*/*.{end}")
    }
    assert written <= folders
    ours = {f"lstm_zoo/{path.name}" for path in (ROOT / "lstm_zoo").glob("[!_.]*")}
    in_package = {link for link in linked if re.fullmatch("lstm_zoo/[^/]+", link)}
    assert ours - {"lstm_zoo/py.typed"} == in_package


def test_every_name_it_mentions_is_there():
    for name in re.findall(r"\blz\.([a-z_0-9]+)", README):
        assert hasattr(lz, name), name


def test_citations_name_the_version_of_the_package():
    assert f"version = {{{lz.__version__}}}" in README
    assert f"\nversion: {lz.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def measured(name):
    """The rows of a file of measurements."""
    lines = (RESULTS / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def digits(number):
    """As the README rounds: two digits, and no fewer than the whole number has."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def table(heading):
    """The cells of the first table below a line that contains the words."""
    rows = re.search(r"\n\n((?:\|.*\n)+)", README[README.index(heading) :])[1].splitlines()
    return [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in rows]


PEERS = ("zoo", "keras", "keras-xla", "torch", "jax")


def grid(measure, column="min_ms", peers=PEERS):
    """The time of each peer for each size, in the newest measurements of speed."""
    newest = sorted(path.name for path in RESULTS.glob("*-speed.csv"))[-1]
    times = {}
    for row in measured(newest):
        if row["part"] == "grid" and row["measure"] == measure and row["peer"] in peers:
            times.setdefault(row["shape"], {})[row["peer"]] = float(row[column])
    return times


def slower(measure):
    """How many times as long as `lz.LSTM` each other peer takes: the geometric mean."""
    times = grid(measure)
    return [
        f"{statistics.geometric_mean(row[peer] / row['zoo'] for row in times.values()):.1f}"
        for peer in PEERS[1:]
    ]


def test_the_table_of_training_steps_is_that_of_the_newest_measurements():
    _, _, *rows, means = table("## Speed")
    expected = [
        [shape.replace("x", " × "), *(digits(times[peer]) for peer in PEERS)]
        for shape, times in grid("train").items()
    ]
    assert rows == expected
    assert means[2:] == [f"{ratio} times" for ratio in slower("train")]


def test_the_sentences_on_prediction_are_those_of_the_newest_measurements():
    text = README[README.index("`lz.LSTM` predicts ") : README.index("The first call is fast too.")]
    one = grid("predict")["1x100x8x64"]
    alone = [f"{one[peer] / one['zoo']:.1f}" for peer in PEERS[2:]]
    assert re.findall(r"\d+\.\d", text) == slower("predict") + alone


def test_a_step_that_xla_compiles_takes_about_the_seconds_that_it_says():
    first = [
        times["zoo-compiled"] for times in grid("train", "first_ms", ["zoo-compiled"]).values()
    ]
    assert f"which then takes about {statistics.median(first) / 1000:.0f} s." in README


def test_the_times_from_start_up_and_the_memory_are_those_measured_on_24_november():
    rows = measured("2026-11-24-speed.csv")
    found = {(row["peer"], row["measure"]): float(row["min_ms"] or 0) / 1000 for row in rows}
    measures = [f"fit of {epochs} epochs from cold" for epochs in (1, 5, 30)]
    expected = [
        [f"{found[peer, measure]:.1f} s" for peer in ("keras", "zoo", "zoo-fit")]
        for measure in [*measures, "first prediction after it"]
    ]
    assert [row[1:] for row in table("Total time of `fit`")[2:]] == expected
    peaks = {row["peer"]: row["peak_mib"] for row in rows if row["shape"] == "16x10000x8x64"}
    ours, keras = (f"{float(peaks[peer]):.0f}" for peer in ("zoo-recompute", "keras"))
    assert float(peaks["zoo"]) < float(peaks["keras"])
    assert f"need {ours} MiB instead of Keras's {keras}." in README.replace("\n", " ")


def test_the_four_results_are_those_of_their_scripts():
    _, _, fast, accurate, memory, portable = (row[1] for row in table("## Results"))
    assert slower("train")[0] in fast
    better = [line for line in README.splitlines() if re.match(r"\| \[`.*\| \*\*.*\|.*\|$", line)]
    presets = lz.list_presets()
    assert f"{len(better)} of the {len(presets)} trained models" in accurate
    assert len(presets) - len(better) == 3  # which the sentence says in words
    page = (ROOT / "docs" / "long_lags.md").read_text(encoding="utf-8")
    solved, sequences, earlier = re.search(
        r"^\| LSTM \| 1,000 \| 4,513 \| (.+) \| (.+) \| (.+) \|$", page, flags=re.MULTILINE
    ).groups()
    for part in (f"{solved} trainings", f"needed {sequences} sequences", f"needed {earlier}"):
        assert part in memory
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    rows = re.search(r"\| --- .*\n((?:\|.*\n)+)", page)[1].splitlines()
    whole = [row for row in rows if row.split(" | ")[1:4] == ["yes"] * 3]
    assert f"{len(whole)} of {len(rows)} kinds of model" in portable


def test_it_counts_cells_data_sets_and_notebooks_right():
    # Other tests in this process may have registered cells of their own.
    shipped = [n for n in lz.cells.names() if lz.cells.get(n).__module__.startswith("lstm_zoo.")]
    # All but the LSTM, the GRU and the SimpleRNN.
    assert f"[{COUNTS[len(shipped) - 3]}](lstm_zoo/cells)" in README
    assert f"{COUNTS[len(lz.datasets.names())]} data sets" in README
    notebooks = len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert f"{COUNTS[notebooks]} notebooks" in README


def test_the_picture_moves_and_shows_what_its_captions_say():
    script = ROOT / "docs" / "pictures" / "adding.py"
    picture = Image.open(script.with_suffix(".gif"))
    assert picture.n_frames > 20
    assert script.with_suffix(".gif").stat().st_size < 1_500_000
    read = runpy.run_path(str(script))["read_sequence"]()
    marks = list(read["marks"])
    opened = read["input gate"] > 0.1
    assert np.flatnonzero(opened).tolist() == marks
    assert read["forget gate"].min() > 0.9
    steps = np.abs(np.diff(read["cell state"]))
    others = np.delete(steps, [mark - 1 for mark in marks])
    assert min(steps[mark - 1] for mark in marks) > 5 * others.max()
    assert read["answer"] == pytest.approx(read["truth"], abs=0.1)
