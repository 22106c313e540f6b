"""What benchmarks share: the program, the processor's name, tables of raw figures, one run of `synapress compress`."""

import csv
import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ["network", "recipe", "calibration_images", "images", "rows", "paper", "trials"]
#: Variables that tell glibc to keep freed memory, by which PyTorch may gain.
TUNED = {"MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "1073741824"}
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def table(figures):
    """What is kept of a report. Histograms and single classes are many, and whoever runs this again has them."""
    return {key: figures[key] for key in TABLE if key in figures}


def cpu():
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def keep(path, head, rows):
    """Writes raw figures, the processor's name first in each row, in place of earlier ones of this processor: those of
    other processors stay."""
    earlier = []
    if path.exists():
        with path.open(newline="") as file:
            earlier = [row for row in list(csv.reader(file))[1:] if row[0] != cpu()]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *earlier, *([cpu(), *row] for row in rows)])


def build():
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "synapress"], cwd=ROOT, check=True)


def compress(folder, how, train, val, report):
    """Compresses the network of a folder as the arguments `how` say and writes the report."""
    command = [TARGET / "release/synapress", "compress", folder / "deploy.prototxt", folder / f"{folder.name}.caffemodel"]
    with tempfile.TemporaryDirectory() as out:
        command += [*how, "--data", train, "--val", val, "--mean", "104,117,123", "-o", Path(out) / "net.syn"]
        subprocess.run([str(c) for c in command], check=True)
        figures = json.loads((Path(out) / "net.json").read_text())
        report.write_text(json.dumps(table(figures), indent=2) + "\n")


def loss(row):
    """The loss of top-1 of a row of a report, with its interval."""
    low, high = row["loss_of_top1"]["interval"]
    return f"{row['loss_of_top1']['points']:.2f} ({low:.2f} to {high:.2f})"
