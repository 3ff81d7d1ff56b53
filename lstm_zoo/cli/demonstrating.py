"""The command demo: models trained live, and what they reach beside simpler ones."""

from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from lstm_zoo import recipes
from lstm_zoo.cli.options import Out
from lstm_zoo.cli.terminal import Bars, console, must_be_writable, or_usage_error, say, start

# Names of demonstrations of 0.1.0.
ALIASES = {"classification": "speakers", "regression": "fat", "forecast": "electricity"}
OWN = "lstm-zoo train --data FILE.csv --target COLUMN --horizon 24"


def demo(
    name: Annotated[
        str | None,
        typer.Argument(metavar="PRESET", help="A preset to train; default: two short acts."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings to average over.")] = 1,
    out: Out = "out",
):
    """Train models live and compare them with simpler ones."""
    if name is not None:
        name = ALIASES.get(name, name)
        or_usage_error(recipes.read_recipe, name)
    must_be_writable(out)
    start()
    from lstm_zoo.cli import demo as demos

    if name is not None:
        report = _act(demos.preset, name, seeds=seeds, out=out)
        say(f"Picture: {report.picture}", f"Next:    lstm-zoo card {name}")
        return
    report = _act(demos.memory, out=out)
    _act(demos.preset, "mnist1d", seeds=seeds, out=out)
    say(f"Picture: {report.picture}", f"Next:    {OWN}")


def _act(demonstrate, *arguments, **options):
    """Train with a bar for each training, and show the report."""
    say("")
    with Bars() as bars:
        report = demonstrate(*arguments, watch=bars.callback, **options)
    console.print(f"\n[bold]{report.title}[/]", report.data, "", sep="\n")
    console.print(_scores(report))
    better = report.beaten_by()
    if better:
        say(
            f"Better than the {report.ours} here: {', '.join(better)}.",
            "Use the simplest model that is good enough.",
        )
    else:
        say(f"The {report.ours} is the best of these.")
    names = ", ".join(file.name for file in report.files)
    say(f"In {report.files[0].parent}: {names}", "")
    return report


def _scores(report):
    """The scores as a table, the best first."""
    several = any(len(scores) > 1 for scores in report.scores.values())
    order = "higher" if report.higher_is_better else "lower"
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{report.metric} ({order} is better)")
    table.add_column("mean" if several else "", justify="right")
    if several:
        table.add_column("lowest to highest")
    for name, scores in report.ordered():
        label = f"{name} (recorded earlier)" if name in report.earlier else name
        cells = [label, digits(np.mean(scores))]
        if several:
            both = f"{digits(min(scores))} to {digits(max(scores))}"
            cells.append(both if len(scores) > 1 else "")
        table.add_row(*cells, style="bold" if name == report.ours else None)
    return table


def digits(value):
    """Three digits that say something: 0.000353, 0.167, 12.9."""
    return f"{value:#.3g}".rstrip(".")
