"""The stored results behind notebook 13: the longest lag that each cell of the zoo bridges.

    python benchmarks/long_lags.py
    python notebooks/results/zoo.py

The first trains, for some hours of two free cores; the second takes from its newest table, for each
cell and problem, the longest lag that at least two of three seeds solved, and writes `13_zoo.csv`
beside this file. A lag of 0 means that not even the shortest was solved.
"""

import collections
import csv
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "13_zoo.csv"
PREPARED = ("LSTM, chrono",)  # the only network with a start of its own that is shown


def main():
    measured = sorted((HERE.parents[1] / "benchmarks" / "results").glob("*-long-lags.csv"))[-1]
    with open(measured, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["leaderboard"] == "lags"]
    solved, parameters = collections.defaultdict(list), {}
    for row in rows:
        if "," not in row["network"] or row["network"] in PREPARED:
            place = row["network"], row["problem"]
            parameters[place] = max(int(row["parameters"]), parameters.get(place, 0))
            solved[(*place, int(row["timesteps"]))].append(int(row["solved"]))
    with open(TABLE, "w", newline="") as file:
        file.write(f"# {rows[0]['machine']}\n")
        table = csv.writer(file)
        table.writerow(("network", "problem", "parameters", "lag"))
        for place, weights in parameters.items():
            table.writerow((*place, weights, longest(place, solved)))


def longest(place, solved):
    """The longest lag that two seeds solved, with all shorter ones solved too."""
    lag = 0
    for steps in sorted(steps for *of, steps in solved if tuple(of) == place):
        if sum(solved[(*place, steps)]) < 2:
            break
        lag = steps
    return lag


if __name__ == "__main__":
    main()
