"""A training step of GoogLeNet, batch 16, two threads: Synapress and PyTorch in turn, in one run, and the least time
that a step can take on this machine.

    python3 benches/train_step/run.py [ROUNDS]

The least time is a step's arithmetic over the speed of a large square product by our own kernel, measured in the same
run. PyTorch is an optional dependency of this benchmark alone (`pip install torch numpy`) and skipped where it is
absent; it runs as installed and with its allocator tuned (glibc told to keep freed memory). Prints medians over rounds
and ratios, and writes the raw figures to `benches/train_step/results.csv`, beside those of other processors.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from compress import ROOT, TARGET, TUNED, keep  # noqa: E402


def output(command, **env):
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "RAYON_NUM_THREADS": "2", **env}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    if out.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{out.stderr}")
    return out.stdout.split()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    build = ["cargo", "build", "--release", "-q", "-p", "synapress", "--example", "train_step"]
    subprocess.run(build, cwd=ROOT, check=True)
    ours = [str(TARGET / "release/examples/train_step"), "8"]
    theirs = [sys.executable, str(HERE / "torch_step.py"), "8"]
    contenders = {}
    if importlib.util.find_spec("torch"):
        contenders = {"pytorch as installed": {}, "pytorch, allocator tuned": TUNED}
    else:
        print("skipped: PyTorch is not installed (`pip install torch numpy` gives its rows)")
    figures = {name: [] for name in ("synapress", "least, by our GEMM", *contenders)}
    for _ in range(rounds):
        words = output(ours)
        own = dict(zip(words[::2], map(float, words[1::2])))
        figures["synapress"].append(own["seconds"])
        figures["least, by our GEMM"].append(own["gflop"] / own["gemm"])
        print(f"a step: {own['gflop']:.1f} GFLOP; a large product: {own['gemm']:.1f} GFLOP/s")
        for name, env in contenders.items():
            figures[name].append(float(output(theirs, **env)[-1]))
    rows = [(name, i, value) for name, values in figures.items() for i, value in enumerate(values)]
    keep(HERE / "results.csv", ["cpu", "contender", "round", "seconds_per_step"], rows)
    own = statistics.median(figures["synapress"])
    print(f"{'':28}{'median s':>10}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, values in figures.items():
        m = statistics.median(values)
        print(f"{name:28}{m:10.3f}{min(values):8.3f}{max(values):8.3f}{m / own:8.2f}")


main()
