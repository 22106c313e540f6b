"""The figures of the runtime benchmark as a file and as tables."""

import csv
import os
import statistics
import sys
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from compress import cpu  # noqa: E402


@dataclass
class Row:
    """One process: median and p95 of its passes in milliseconds, and how many processes wanted a core meanwhile."""

    peer: str
    version: str
    precision: str
    network: str
    batch: int
    threads: int
    round: int
    median: float
    p95: float
    note: str = ""
    runs: int | str = ""
    load: float = field(default_factory=lambda: os.getloadavg()[0])


class Results:
    """The file of raw figures, written row by row."""

    def __init__(self, path):
        self.file = path.open("w", newline="")
        self.writer = csv.writer(self.file)
        self.cpu = cpu()
        self.writer.writerow(["cpu", *(f.name if f.name not in ("median", "p95") else f"{f.name}_ms" for f in fields(Row))])

    def add(self, row):
        self.writer.writerow([self.cpu, *(f"{v:.4g}" if isinstance(v, float) else v for v in astuple(row))])
        self.file.flush()


def show(rows):
    """For each network, batch and number of threads: medians over rounds, and how many times slower than compressed
    Synapress, or than its fastest row."""
    cases = {}
    for row in rows:
        cases.setdefault((row.network, row.batch, row.threads), {}).setdefault((row.peer, row.precision), []).append(row)
    for (network, batch, threads), peers in cases.items():
        middle = {who: statistics.median(row.median for row in found) for who, found in peers.items()}
        own = [ms for (peer, _), ms in middle.items() if peer == "synapress"]
        base = middle.get(("synapress", "int8 compressed"), min(own, default=None))
        print(f"\n{network}, batch {batch}, {threads} thread{'s' if threads > 1 else ''}")
        print(f"{'':32}{'median ms':>11}{'least':>9}{'p95':>9}{'images/s':>10}{'ratio':>8}")
        for who, found in peers.items():
            least, p95 = min(row.median for row in found), statistics.median(row.p95 for row in found)
            ratio = f"{middle[who] / base:8.2f}" if base else f"{'':>8}"
            print(f"{' '.join(who):32}{middle[who]:11.2f}{least:9.2f}{p95:9.2f}{batch / middle[who] * 1e3:10.1f}{ratio}")
