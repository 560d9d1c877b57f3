"""Charts as SVG files: the same data gives the same bytes, readable on light and dark pages."""

from importlib.util import find_spec
from pathlib import Path

from benchmarks.results import Chart

COLOURS = ("#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e")
INK = "#808080"
"""A grey that is readable on white and on black; the background is transparent."""


def can_draw() -> bool:
    """Return whether matplotlib is installed: the group `bench` has it."""
    return find_spec("matplotlib") is not None


def draw(chart: Chart, file: Path) -> None:
    """Draw *chart* into an SVG file."""
    # Loaded late: the tables need no matplotlib.
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    inks = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style = {"svg.hashsalt": chart.name, "svg.fonttype": "none", **dict.fromkeys(inks, INK)}
    with mpl.rc_context(style):
        figure, axes = plt.subplots(figsize=(6.4, 3.6))
        for colour, (name, points) in zip(COLOURS, chart.series.items(), strict=False):
            xs, ys = zip(*points, strict=True)
            marker = "o" if len(points) < 20 else ""
            axes.plot(xs, ys, color=colour, marker=marker, label=name)
        scale = "log" if chart.log_x else "linear"
        axes.set(title=chart.title, xlabel=chart.x, ylabel=chart.y, xscale=scale)
        axes.set_ylim(0, 1.1 * max(y for points in chart.series.values() for _, y in points))
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
        figure.savefig(file, transparent=True, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
