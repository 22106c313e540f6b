"""A full-size VGG-16 (138M parameters, weights drawn by seed) through all stages without retraining: seconds and peak
memory of every command.

    python3 benches/vgg16/run.py IMAGE [FOLDER]

IMAGE is any picture; it serves for calibration and is classified at the end. Files go to FOLDER (a temporary one by
default, about 1.5 GB). Prints a table and writes the figures to `benches/vgg16/results.csv`.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def run(command):
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return seconds, usage.ru_maxrss / 1024, out


def main():
    image = Path(sys.argv[1]).resolve()
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    build = ["cargo", "build", "--release", "-q", "-p"]
    subprocess.run([*build, "synapress"], cwd=ROOT, check=True)
    subprocess.run([*build, "synapress-import", "--examples"], cwd=ROOT, check=True)
    release = TARGET / "release"
    syn = release / "synapress"
    prototxt = ROOT / "crates/import/zoo/vgg16.prototxt"
    weights, data = folder / "vgg16.caffemodel", folder / "list.txt"
    data.write_text(f"{image} 0\n")
    file = lambda name: folder / f"{name}.syn"
    flags = ["--mean", "104,117,123", "--resize", "256"]
    steps = [
        ("make", [release / "examples/make_caffemodel", "zoo:vgg16", weights, "--seed", "1"]),
        ("import", [release / "examples/import_time", prototxt, weights]),
        ("prune", [syn, "prune", prototxt, weights, "--sparsity", "0.9161", "-o", file("pruned")]),
        ("group", [syn, "group", file("pruned"), "--bits", "8", "-o", file("grouped")]),
        (
            "quantize",
            [syn, "quantize", file("grouped"), "--data", data, *flags]
            + ["--conv-bits", "10", "--fc-bits", "6", "--output-bits", "8", "-o", file("quantized")],
        ),
        ("inspect", [syn, "inspect", file("quantized")]),
        ("classify", [syn, "classify", file("quantized"), image]),
    ]
    rows = []
    for name, command in steps:
        seconds, mebibytes, out = run(command)
        rows.append((name, f"{seconds:.2f}", f"{mebibytes:.0f}"))
        print(f"{name:10}{seconds:9.2f} s{mebibytes:9.0f} MiB", flush=True)
        if name in ("import", "classify"):
            print(out)
    for path in (weights, file("pruned"), file("grouped"), file("quantized")):
        rows.append((path.name, "", f"{path.stat().st_size} bytes"))
        print(f"{path.name:20}{path.stat().st_size:12} bytes")
    with (Path(__file__).parent / "results.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["step", "seconds", "peak MiB or size"])
        writer.writerows(rows)


main()
