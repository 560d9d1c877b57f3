"""A picture of simulated days: how late changes were seen, and the requests over the day."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from simulated_day import Record

mpl.use("Agg")
from matplotlib import pyplot as plt

BUCKET = 10
"""Minutes that one point of the lower row stands for."""

COLOURS = {
    "round robin": "#888888",
    "REST": "#d95f02",
    "change hints": "#1b9e77",
    "scan by GraphQL": "#7570b3",
    "oracle": "#000000",
}


def plot(days: Sequence[tuple[str, Record]], file: Path) -> None:
    """Draw all ways of watching into *file*, one column for each size and budget."""
    records = dict(days)
    sizes = list(dict.fromkeys(title.rpartition(", ")[0] for title in records))
    sizes = [size for size in sizes if f"{size}, REST" in records]
    figure, axes = plt.subplots(3, len(sizes), figsize=(4 * len(sizes), 8.5), squeeze=False)
    for column, size in enumerate(sizes):
        for way, colour in COLOURS.items():
            if (record := records.get(f"{size}, {way}")) is not None:
                _draw(axes[:, column], record, way, colour)
        for row in (0, 1):
            axes[row][column].set(xscale="log", xlim=(0.5, 4e4), ylim=(0, 100))
            axes[row][column].grid(visible=True, alpha=0.3)
        axes[0][column].set(title=size)
        axes[1][column].set(xlabel="seconds")
        axes[2][column].set(xlabel="hour of the day", ylim=(0, None))
    axes[0][0].set_ylabel("% of all changes seen within")
    axes[1][0].set_ylabel("% of first changes after 1 h")
    axes[2][0].set_ylabel("requests a minute")
    axes[0][0].legend(fontsize="x-small", loc="lower right")
    figure.tight_layout()
    figure.savefig(file, dpi=70)


def _draw(axes: Sequence[plt.Axes], record: Record, way: str, colour: str) -> None:
    for axis, kind in zip(axes, ("all", "first"), strict=False):
        delays = sorted(record.delays[kind])
        shares = [100 * (n + 1) / len(delays) for n in range(len(delays))]
        step = max(1, len(delays) // 400)
        axis.plot(delays[::step], shares[::step], color=colour, label=way)
    minutes = record.per_minute
    times = range(0, int(record.hours * 60), BUCKET)
    rates = [sum(minutes[t + n] for n in range(BUCKET)) / BUCKET for t in times]
    axes[2].plot([t / 60 for t in times], rates, color=colour, label=way)
