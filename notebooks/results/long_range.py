"""The stored results behind notebook 07: how long a lag the networks learn, and 1997 again.

    python benchmarks/long_lags.py
    python notebooks/results/long_range.py

The first trains, for some hours of two free cores; the second takes from its newest table the
problems and networks that the notebook shows and writes `07_long_range.csv` beside this file.
"""

import csv
import pathlib

NETWORKS = (
    *("SimpleRNN", "SimpleRNN, identity", "GRU", "GRU, chrono"),
    *("LSTM", "LSTM, chrono"),
)
PROBLEMS = ("adding", "temporal order", "copying")
SETTINGS = (
    "lstm_zoo at the commit of each row; lags: 32 units, batches of 32, at most 96,000 sequences"
)
COLUMNS = (
    *("leaderboard", "problem", "network", "timesteps", "seed"),
    *("solved", "sequences", "score", "parameters", "commit"),
)


def main():
    here = pathlib.Path(__file__).resolve().parent
    measured = sorted((here.parents[1] / "benchmarks" / "results").glob("*-long-lags.csv"))[-1]
    with open(measured, newline="") as file:
        rows = list(csv.DictReader(file))
    with open(here / "07_long_range.csv", "w", newline="") as file:
        file.write(f"# {rows[0]['machine']}; {SETTINGS}\n")
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        table.writeheader()
        for row in rows:
            shown = row["network"] in NETWORKS and row["problem"] in PROBLEMS
            if shown or row["leaderboard"] == "1997":
                table.writerow(row)


if __name__ == "__main__":
    main()
