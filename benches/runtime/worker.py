"""One peer with a Python package, in a process of its own:

    python3 worker.py PEER MODEL BATCH THREADS SECONDS IMAGES.npy

Prints a JSON object: `ms`, what each pass of BATCH images took after warm-up, and `note`, what the peer says of itself.
Where SECONDS is 0, it holds `classes` instead: of each image the class of the highest score.
"""

import importlib
import json
import sys
import time

import numpy as np


def measure(run, seconds):
    """Milliseconds of each pass: three, or as many as fit into `seconds`, after one, or a fifth of that time, to warm up."""
    for budget, least in ((seconds / 5, 1), (seconds, 3)):
        times, begin = [], time.perf_counter()
        while len(times) < least or time.perf_counter() < begin + budget:
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) * 1e3)
    return times


def main():
    peer, model, batch, threads, seconds, path = sys.argv[1:]
    images = np.load(path)
    first = images[: int(batch)]
    run, note = importlib.import_module(f"peers.{peer}").load(model, first.shape, int(threads))
    if float(seconds) > 0:
        print(json.dumps({"ms": measure(lambda: run(first), float(seconds)), "note": note}))
    else:
        classes = [int(np.asarray(run(image[None])).argmax()) for image in images]
        print(json.dumps({"classes": classes, "note": note}))


main()
