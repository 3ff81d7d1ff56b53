"""A preset's card: what it is, what it was trained on, how good it is and beside what.

Nothing in it is written by hand: it comes from the recipe and from the recorded run.
"""

import json

import numpy as np

from lstm_zoo import datasets
from lstm_zoo.presets.recipe import HOME, list_presets, read_recipe
from lstm_zoo.presets.tasks import class_of

OURS = "LSTM"


def preset_card(name: str) -> str:
    """The card of a preset, in Markdown.

    Raises:
        ValueError: there is no such preset.

    >>> print(preset_card("mnist1d").splitlines()[0])
    # mnist1d
    """
    recipe = read_recipe(name)
    metrics = recorded(name)
    best = "more is better" if metrics["higher_is_better"] else "less is better"
    lines = [f"# {name}", "", f"{recipe.title}.", ""]
    lines += [f"- Task: {recipe.task}."]
    if "name" in recipe.data:
        data = datasets.load(recipe.data["name"])
        lines += [
            f"- Data: `{data.name}`. {data.source}.",
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
        f"| {metrics['metric']}, {best} | mean | lowest to highest | trainings |",
        "|---|---|---|---|",
    ]
    rows = [(label, [score]) for label, score in metrics["baselines"].items()]
    rows += metrics["scores"].items()
    for label, scores in rows:
        bold = "**" if label == OURS else ""
        label = class_of(recipe).network(recipe) if bold else label
        several = len(scores) > 1
        spread = f"{_figure(min(scores))} to {_figure(max(scores))}" if several else ""
        mean = f"{bold}{_figure(np.mean(scores))}{bold}"
        lines.append(f"| {label} | {mean} | {spread} | {len(scores) if several else ''} |")
    for label, values in metrics["besides"].items():
        lines += [
            "",
            f"{label[0].upper()}{label[1:]}: {_figure(np.mean(values))} (mean of {len(values)}).",
        ]
    lines += ["", f"The model that is loaded is that of seed 0. {verdict(metrics)}"]
    lines += ["", f"Limits: {recipe.limits}"]
    if (HOME / name / "figure.png").is_file():
        lines += ["", f"![What {name} does on its test data](figure.png)"]
    lines += [
        "",
        "```python",
        "import lstm_zoo as lz",
        "",
        f'model = lz.load_preset("{name}")  # {_shapes(metrics)}',
        f'lz.presets.evaluate_preset("{name}", model)',
        "```",
        "",
    ]
    return "\n".join(lines)


def table() -> str:
    """All presets in one table, in Markdown: the LSTM, and the best of what stands beside it."""
    lines = [
        "| preset | what it does | score | LSTM, mean (lowest to highest) | best beside it |",
        "|---|---|---|---|---|",
    ]
    for name in list_presets():
        found = recorded(name)
        scores = found["scores"][OURS]
        sign = 1 if found["higher_is_better"] else -1
        others = found["baselines"] | {
            label: np.mean(values) for label, values in found["scores"].items() if label != OURS
        }
        best = max(others, key=lambda label: sign * others[label])
        ours = f"{_figure(np.mean(scores))} ({_figure(min(scores))} to {_figure(max(scores))})"
        won = sign * np.mean(scores) > sign * others[best]
        ours, beside = (
            (f"**{ours}**", _figure(others[best]))
            if won
            else (ours, f"**{_figure(others[best])}**")
        )
        link = f"[`{name}`](lstm_zoo/presets/{name}/card.md)"
        title = read_recipe(name).title
        lines.append(f"| {link} | {title} | {found['metric']} | {ours} | {beside}, {best} |")
    return "\n".join(lines)


def recorded(name):
    """The numbers of the run that made the preset."""
    return json.loads((HOME / name / "metrics.json").read_text(encoding="utf-8"))


def verdict(metrics):
    """Whether the LSTM is better than what stands beside it, by more than the spread over seeds."""
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
        return f"On average better than it: {', '.join(better)}."
    if close:
        return f"Within its spread, though worse on average: {', '.join(close)}."
    return "Each of its trainings is better than all that stand beside it."


def _settings(values):
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())


def _shapes(metrics):
    given = metrics["input_shape"]
    one = isinstance(given, list)
    shape = tuple(given) if one else {name: tuple(part) for name, part in given.items()}
    return f"{shape} to {tuple(metrics['output_shape'])}"


def _figure(value):
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"
