"""Synapress and its peers on the same networks, images and threads, in one go:

    python3 benches/runtime/run.py MODELS TRAIN VAL [--quick] [--networks NAME,...] [--peers NAME,...] [--rounds N]
                                   [--compressed NETWORK=FILE.syn]... [--folder FOLDER] [--results FILE.csv]

MODELS holds the folders `bvlc_googlenet` and `squeezenet_v1.1`; TRAIN and VAL are lists of images, to calibrate with and to
compare top-1 on. Peers are Python packages (`pip install onnx onnxruntime openvino nncf ncnn pnnx tract pillow`; the first,
ONNX, and Pillow are needed in any case) and a crate that cargo fetches; what is not there is named and skipped. FOLDER
keeps the models between runs, a temporary one is used otherwise. Every figure comes from a process of its own; rounds
go over all peers in turn. Prints medians over rounds and ratios to compressed Synapress, and writes the raw figures to
`benches/runtime/results.csv` or another file. `--quick`: one round of batch 1, nothing written.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import networks
import table
from peers import Skip

HERE = Path(__file__).parent
PEERS = ["synapress", "onnx_runtime", "openvino_cpu", "ncnn_cpu", "tract_cpu", "rten"]
SIDES = {"googlenet": 224, "squeezenet_v1.1": 227, "vgg16-fc": 7, "vgg16-fc-dense": 7}
SECONDS = {1: 1.0, 16: 2.0}


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("models", "train", "val"):
        parser.add_argument(name, type=lambda text: Path(text).resolve())
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--networks", default=",".join(SIDES))
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compressed", action="append", default=[])
    parser.add_argument("--results", type=lambda text: Path(text).resolve(), default=HERE / "results.csv")
    parser.add_argument("--folder", type=lambda text: Path(text).resolve())
    return parser.parse_args()


def worker(peer, model, batch, threads, seconds, images):
    command = [sys.executable, HERE / "worker.py", peer.NAME, model, batch, threads, seconds, images]
    extra = peer.environment(str(model).rsplit(":", 1)[-1]) if hasattr(peer, "environment") else {}
    out = subprocess.run([str(c) for c in command], env={**os.environ, **extra}, capture_output=True, text=True, cwd=HERE)
    if out.returncode != 0:
        raise Skip((out.stderr.strip().splitlines() or ["no reason given"])[-1])
    return json.loads(out.stdout.splitlines()[-1])


def measure(peer, model, network, batch, threads, seconds):
    """Median and p95 of a pass in milliseconds, and a note."""
    if threads not in getattr(peer, "THREADS", [threads]):
        raise Skip(f"not with {threads} threads")
    if hasattr(peer, "measure"):
        out = peer.measure(model, network, batch, threads, seconds)
    else:
        out = worker(peer, model, batch, threads, seconds, network.arrays)
    if "ms" in out:
        times = sorted(out.pop("ms"))
        out.update(median=times[len(times) // 2], p95=times[min(len(times) - 1, len(times) * 95 // 100)], runs=len(times))
    return out


def classes(peer, model, network):
    if hasattr(peer, "classes"):
        return peer.classes(model, network)[: network.compared]
    return worker(peer, model, 1, min(getattr(peer, "THREADS", [2])), 0, network.arrays)["classes"][: network.compared]


def load_peers(names):
    found = []
    for name in names:
        try:
            peer = importlib.import_module(f"peers.{name}")
            if hasattr(peer, "versions"):
                peer.VERSION = peer.versions()
            else:
                peer.VERSION = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in peer.PACKAGES)
            peer.NAME = name
            found.append(peer)
        except (importlib.metadata.PackageNotFoundError, ImportError) as error:
            print(f"skipped: {name} ({error}; `pip install` gives its rows)")
    return found


def prepare(network, peers, models):
    """Makes all models of a network and compares their top-1: triples of peer, precision and model."""
    labels = network.make(models)[: network.compared]
    ready, wanted = [], None
    for peer in peers:
        for precision in peer.PRECISIONS:
            title = f"{network.name}: {peer.NAME} {precision}"
            try:
                model = peer.prepare(precision, network)
                found = classes(peer, model, network)
            except (Skip, ImportError) as reason:
                print(f"skipped: {title} ({reason})", flush=True)
                continue
            wanted = wanted or found
            same = sum(a == b for a, b in zip(found, wanted))
            right = sum(a == b for a, b in zip(found, labels))
            top = "" if network.side == 7 else f", {right} right"
            if 2 * same < len(found) and peer.NAME != "synapress":
                print(f"skipped: {title} (wrong: top-1 of {same} of {len(found)} images as the first row)", flush=True)
                continue
            print(f"{title}: top-1 of {same} of {len(found)} images as the first row{top}", flush=True)
            ready.append((peer, precision, model))
    return ready


def main():
    chosen = options()
    folder = chosen.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    networks.build()
    peers = load_peers(chosen.peers.split(","))
    given = {name: Path(path).resolve() for name, path in (text.partition("=")[::2] for text in chosen.compressed)}
    for name, path in given.items():
        if name not in SIDES or not path.is_file():
            sys.exit(f"--compressed {name}={path}: needs one of {', '.join(SIDES)} and a .syn file of it")
    batches, rounds = ([1], 1) if chosen.quick else ([1, 16], chosen.rounds)
    compared = 20 if chosen.quick else 100
    contenders = []
    for name in chosen.networks.split(","):
        if name not in SIDES:
            sys.exit(f"--networks {name}: there are {', '.join(SIDES)}")
        network = networks.Network(name, SIDES[name], folder, chosen.train, chosen.val, compared, batches, given.get(name))
        contenders += [(network, *ready) for ready in prepare(network, peers, chosen.models)]
    results = None if chosen.quick else table.Results(chosen.results)
    rows, skipped = [], set()
    for round_ in range(rounds):
        for batch, threads in [(b, t) for b in batches for t in (1, 2)]:
            for network, peer, precision, model in contenders:
                try:
                    out = measure(peer, model, network, batch, threads, SECONDS[batch])
                except Skip as reason:
                    case = f"{network.name}, batch {batch}, {threads} threads: {peer.NAME} {precision}"
                    if case not in skipped:
                        print(f"skipped: {case} ({reason})", flush=True)
                    skipped.add(case)
                    continue
                rows.append(table.Row(peer.NAME, peer.VERSION, precision, network.name, batch, threads, round_, **out))
                if results:
                    results.add(rows[-1])
    table.show(rows)


main()
