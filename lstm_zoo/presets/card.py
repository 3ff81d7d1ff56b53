"""The card of a preset: its purpose, its data, its scores next to simpler models, its limits.

All content comes from the recipe and the recorded run; nothing is written by hand.
"""

import numpy as np

from lstm_zoo import datasets
from lstm_zoo.presets.tasks import class_of
from lstm_zoo.recipes import (
    HOME,
    OURS,
    compared,
    example_file,
    list_presets,
    read_recipe,
    recorded,
)


def preset_card(name: str) -> str:
    """The card of a preset, in Markdown.

    Raises:
        ValueError: if the preset does not exist.

    >>> print(preset_card("mnist1d").splitlines()[0])
    # mnist1d
    """
    recipe = read_recipe(name)
    metrics = recorded(name)
    better, best = ("higher", max) if metrics["higher_is_better"] else ("lower", min)
    lines = [f"# {name}", "", f"{recipe.title}.", ""]
    lines += [f"- Task: {recipe.task}."]
    if "name" in recipe.data:
        data = datasets.load(recipe.data["name"])
        lines += [
            f"- Data: `{data.name}`: {data.source}.",
            f"- Licence of the data: {data.licence}",
            f"- Cite: {data.citation}",
        ]
    else:
        lines += ["- Data: generated."]
    lines += [
        f"- Model: {_settings(recipe.model)}; {metrics['parameters']:,} weights.",
        f"- Training: {_settings(recipe.training)}; "
        f"{np.median(metrics['seconds']):.0f} CPU seconds ({metrics['machine']}).",
        f"- Recorded {metrics['date']} with {metrics['versions']}.",
        "",
        f"The score is the {metrics['metric']}; {better} is better.",
        "",
        "| model | mean score | range | seeds |",
        "|---|---|---|---|",
    ]
    rows = [(label, [score]) for label, score in metrics["baselines"].items()]
    rows += metrics["scores"].items()
    winner = best(np.mean(scores) for _, scores in rows)
    for label, scores in rows:
        bold = "**" if np.mean(scores) == winner else ""
        label = class_of(recipe).network(recipe) if label == OURS else label
        several = len(scores) > 1
        spread = _range(scores) if several else ""
        mean = f"{bold}{_figure(np.mean(scores))}{bold}"
        lines.append(f"| {label} | {mean} | {spread} | {len(scores) if several else ''} |")
    for label, values in metrics["besides"].items():
        lines += [
            "",
            f"{label[0].upper()}{label[1:]}: {_figure(np.mean(values))} (mean of {len(values)}).",
        ]
    lines += ["", f"{verdict(metrics)} `lz.load_preset` gives the model of seed 0."]
    lines += ["", f"Limits: {recipe.limits}"]
    if (HOME / name / "figure.png").is_file():
        lines += ["", f"![Answers of {name} on its test data](figure.png)"]
    lines += [
        "",
        "```python",
        "import lstm_zoo as lz",
        "",
        f'model = lz.load_preset("{name}")  # {_shapes(metrics)}',
        f'lz.presets.evaluate_preset("{name}", model)',
        "```",
        "",
        f"`lstm-zoo predict {name} FILE` reads a file like this one; "
        f"`lstm-zoo card {name} --example > FILE` writes a complete example.",
        "",
        "```text",
        *_beginning(example_file(name)),
        "```",
        "",
    ]
    return "\n".join(lines)


def _beginning(text, lines=3, width=70):
    """The first lines of a file, cut to a width."""
    all_lines = text.splitlines()
    shown = [line if len(line) <= width else f"{line[:width]} ..." for line in all_lines[:lines]]
    return [*shown, *(["..."] if len(all_lines) > lines else [])]


def table() -> str:
    """A Markdown table of all presets, with the scores of the LSTM and the best simpler model."""
    lines = ["| preset | score | best simpler model |", "|---|---|---|"]
    for name in list_presets():
        found = recorded(name)
        scores = found["scores"][OURS]
        mean, best, other, won = compared(found)
        ours, beside = _figure(mean), _figure(other)
        ours, beside = (f"**{ours}**", beside) if won else (ours, f"**{beside}**")
        link = f"[`{name}`](lstm_zoo/presets/{name}/card.md)"
        ours = f"{ours} ({_range(scores)} over {len(scores)} seeds), {found['metric']}"
        lines.append(f"| {link}: {read_recipe(name).title} | {ours} | {beside}, {best} |")
    return "\n".join(lines)


def verdict(metrics):
    """Whether the LSTM beats the simpler models, and whether by more than its spread over seeds."""
    sign = 1 if metrics["higher_is_better"] else -1
    ours = [sign * score for score in metrics["scores"][OURS]]
    others = {label: [score] for label, score in metrics["baselines"].items()}
    others |= {k: v for k, v in metrics["scores"].items() if k != OURS}
    better = [label for label, scores in others.items() if sign * np.mean(scores) > np.mean(ours)]
    close = [
        label
        for label, scores in others.items()
        if label not in better and max(sign * score for score in scores) >= min(ours)
    ]
    if better:
        return f"Better than the LSTM on average: {', '.join(better)}."
    if close:
        return f"Worse on average, but within the LSTM's spread: {', '.join(close)}."
    return "The LSTM beats the simpler models with every seed."


def _settings(values):
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())


def _shapes(metrics):
    given = metrics["input_shape"]
    one = isinstance(given, list)
    shape = tuple(given) if one else {name: tuple(part) for name, part in given.items()}
    return f"{shape} to {tuple(metrics['output_shape'])}"


def _range(scores):
    return f"{_figure(min(scores))}-{_figure(max(scores))}"


def _figure(value):
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.4f}" if 0 < abs(value) < 0.1 else f"{value:.3f}"
