#!/usr/bin/python3
"""Runs of exitlab in pandas: load them, compare two, plot one.

    results.py RUN                  the counts of each phase, largest first
    results.py A B                  which reasons differ at the end, and by how much
    results.py RUN --plot FILE      the same as a picture (PNG, SVG, PDF)
"""

import argparse
import pathlib

import pandas as pd


def load(run):
    """All counts of a run, or of every cell of a matrix: a row for each sample and reason."""
    frame = pd.read_csv(pathlib.Path(run) / "samples.csv", keep_default_na=False,
                        na_values={"guest_s": "", "cycles": "", "count": ""})
    # One channel is enough, and where the guest was asked its answer is the table's.
    channels = [c for c in ("cpuid", "stats", "trace") if (frame.channel == c).any()]
    return frame[frame.channel == channels[0]]


def phases(frame):
    """Exits by reason (rows) and sample (columns), each since the sample before."""
    cells = frame.pivot_table(index=["reason", "name"], columns=["sample", "label"],
                              values="count", aggfunc="mean")
    since = cells.diff(axis=1).fillna(cells)
    return since[cells.iloc[:, -1] > 0].sort_values(since.columns[0], ascending=False)


def compare(a, b):
    """Counts at the last sample of two runs, where they differ."""
    def last(frame):
        at_end = frame[frame["sample"] == frame["sample"].max()]
        return at_end.groupby(["reason", "name"])["count"].mean()
    both = pd.DataFrame({"a": last(a), "b": last(b)}).fillna(0)
    both["difference"] = both.b - both.a
    return both[both.difference != 0].sort_values("difference", key=abs, ascending=False)


def plot(frame, file):
    """Bars by reason and phase, on a logarithmic scale."""
    import matplotlib
    matplotlib.use("Agg")
    table = phases(frame).droplevel("reason")
    table.columns = [f"{sample} {label}" for sample, label in table.columns]
    axes = table[::-1].plot.barh(logx=True, figsize=(9, 1 + 0.45 * len(table)), width=0.8)
    axes.set(xlabel="VM exits", ylabel="")
    axes.figure.tight_layout()
    axes.figure.savefig(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="+", help="results directory of a run or a matrix")
    parser.add_argument("--plot", metavar="FILE")
    args = parser.parse_args()
    frames = [load(run) for run in args.run]
    if len(frames) == 2:
        differing = compare(*frames)
        print(differing.to_string() if len(differing) else "every reason has equal counts")
    else:
        print(phases(pd.concat(frames)).to_string())
    if args.plot:
        plot(frames[0], args.plot)


if __name__ == "__main__":
    main()
