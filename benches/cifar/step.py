"""A training step of the zoo's `vgg16_cifar10_half`, batch 128, two threads: Synapress and PyTorch in turn, in one run.

    python3 benches/cifar/step.py CIFAR10_TRAIN [ROUNDS]

CIFAR10_TRAIN is what `train --data` takes. Synapress' step is the time of a run of 64 steps less that of 24, over 40, on as
many images as 20 steps take: they are decoded once, by both, and shifted and mirrored in every step, which PyTorch's, of
random images, is spared. Prints medians over rounds and ratios, and writes the raw figures to `benches/cifar/steps.csv`,
beside those of other processors. PyTorch is left out where it is not installed.
"""

import importlib.util
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from compress import TARGET, TUNED, build, keep  # noqa: E402

SETTINGS = "--mean 125,123,114 --shift 4 --batch 128 --learning-rate 0.05 --nesterov --label-smoothing 0.1 --threads 2 --limit 2560"


def synapress(data):
    def seconds(steps):
        with tempfile.TemporaryDirectory() as folder:
            out = ["-o", Path(folder) / "out.syn", "--steps", str(steps), "--warmup", "4", "--checkpoint-every", "1000"]
            command = [TARGET / "release/synapress", "train", "zoo:vgg16_cifar10_half", "--data", data, *SETTINGS.split(), *out]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            return time.perf_counter() - start

    few = seconds(24)
    return {"synapress": (seconds(64) - few) / 40}


def pytorch():
    command = [sys.executable, HERE / "pytorch_step.py", "128", "20", "2"]
    times = {}
    for how, more in (("", {}), (", memory kept", TUNED)):
        out = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **more}).stdout
        times |= {f"PyTorch, {name}{how}": float(s) for name, s in re.findall(r"(plain|channels last): ([\d.]+) s", out)}
    return times


def main():
    data, rounds = Path(sys.argv[1]).resolve(), int((sys.argv + ["3"])[2])
    build()
    peers = [lambda: synapress(data)]
    if importlib.util.find_spec("torch"):
        peers.append(pytorch)
    else:
        print("skipped: PyTorch (`pip install torch` gives its rows)")
    rows = []
    for round_ in range(rounds):
        for peer in peers:
            load = os.getloadavg()[0]
            rows += [(who, round_, f"{s:.4f}", f"{load:.2f}") for who, s in peer().items()]
    keep(HERE / "steps.csv", ["cpu", "who", "round", "seconds_a_step", "load"], rows)
    middle = {who: statistics.median(float(r[2]) for r in rows if r[0] == who) for who in dict.fromkeys(r[0] for r in rows)}
    for who, s in middle.items():
        print(f"{who}: {s:.3f} s a step, {s / middle['synapress']:.2f} of Synapress', {s * 391 / 60:.1f} min for 50,000 images")


main()
