"""Synapress itself, by `synapress bench`: fp32; int8, all weights there; and compressed, which is int8 and pruned."""

import json
import subprocess

import networks
from peers import Skip

PACKAGES = []
PRECISIONS = ["fp32", "int8", "int8 compressed"]


def versions():
    return subprocess.run([networks.SYNAPRESS, "--version"], capture_output=True, text=True).stdout.strip()


def prepare(precision, network):
    if precision == "fp32":
        return network.float_syn
    return network.quantized(network.float_syn, "int8.syn") if precision == "int8" else network.compressed()


def parse(text):
    """What `bench` reports: median and p95 of a pass in milliseconds, how many there were, and a note."""
    report = json.loads(text)
    latency = report["latency_ms"]
    note = f"{report['execution']}; {report['kernel']}; first result after {report['first_result_ms']:.0f} ms"
    note += f"; peak {report['peak_memory_bytes'] / 1e6:.1f} MB"
    return {"median": latency["median"], "p95": latency["p95"], "runs": report["batches"], "note": note}


def measure(model, network, batch, threads, seconds):
    command = [networks.SYNAPRESS, "bench", model, "--threads", threads, "--batch", batch, "--seconds", seconds, "--json"]
    out = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if out.returncode != 0:
        raise Skip(f"`synapress bench` failed: {(out.stderr.strip().splitlines() or ['no reason given'])[0]}")
    return parse(out.stdout)


def classes(model, network):
    import images

    paths = [path for path, _ in images.paths(network.val, network.compared)]
    found = json.loads(networks.run(networks.SYNAPRESS, "classify", model, "--top", 1, "--json", *paths))
    return [image["top"][0]["class"] for image in found["images"]]
