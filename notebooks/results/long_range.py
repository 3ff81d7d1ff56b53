"""The stored results behind notebook 07: how long a lag the networks learn, and 1997 again.

    python benchmarks/long_lags.py
    python notebooks/results/long_range.py

The first trains, for an hour or so of two free cores; the second takes from its newest table what
the notebook shows and writes `07_long_range.csv` beside this file: one row a training.
"""

import csv
import pathlib

COLUMNS = (
    *("leaderboard", "problem", "network", "timesteps", "seed"),
    *("solved", "sequences", "score", "parameters"),
)


def main():
    here = pathlib.Path(__file__).resolve().parent
    measured = sorted((here.parents[1] / "benchmarks" / "results").glob("*-long-lags.csv"))[-1]
    with open(measured, newline="") as file:
        rows = list(csv.DictReader(file))
    with open(here / "07_long_range.csv", "w", newline="") as file:
        file.write(f"# {rows[0]['machine']}\n")
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
