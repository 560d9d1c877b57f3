"""A picture of simulated days: how late changes were seen, and the requests over the day."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from simulated_day import Record

mpl.use("Agg")
from matplotlib import pyplot as plt

BUCKET = 10
"""Minutes that one point of the second half stands for."""

COLOURS = {"ours": "#d95f02", "round robin": "#666666"}


def plot(days: Sequence[tuple[str, Record]], file: Path) -> None:
    """Draw our days and those of round robin into *file*, one column for each budget."""
    names = [title.partition(", ours")[0] for title, _ in days if title.endswith(", ours")]
    records = dict(days)
    figure, axes = plt.subplots(2, len(names), figsize=(4 * len(names), 6), squeeze=False)
    for column, name in enumerate(names):
        upper, lower = axes[0][column], axes[1][column]
        for way, colour in COLOURS.items():
            record = records[f"{name}, {way}"]
            for kind, style in (("all", "-"), ("first", ":")):
                delays = sorted(record.delays[kind])
                shares = [100 * (n + 1) / len(delays) for n in range(len(delays))]
                step = max(1, len(delays) // 400)
                label = f"{way}, {'all changes' if kind == 'all' else 'first after 1 h'}"
                upper.plot(delays[::step], shares[::step], style, color=colour, label=label)
            minutes = record.per_minute
            times = range(0, int(record.hours * 60), BUCKET)
            rates = [sum(minutes[t + n] for n in range(BUCKET)) / BUCKET for t in times]
            lower.plot([t / 60 for t in times], rates, color=colour, label=way)
        upper.set(title=name, xscale="log", xlim=(0.1, 2e4), xlabel="seconds", ylim=(0, 100))
        lower.set(xlabel="hour of the day", ylim=(0, None))
    axes[0][0].set_ylabel("% of changes seen within")
    axes[1][0].set_ylabel("requests a minute")
    axes[0][0].legend(fontsize="x-small")
    axes[1][0].legend(fontsize="x-small")
    figure.tight_layout()
    figure.savefig(file, dpi=80)
