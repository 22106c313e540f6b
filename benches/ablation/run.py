"""What each method is worth on GoogLeNet: plain synapse pruning, grouping and quantization first, then one method more
with each row. All but the last are calibration only.

    python3 benches/ablation/run.py MODELS TRAIN VAL [ROW ...]

MODELS is a folder with `bvlc_googlenet` (deploy.prototxt and caffemodel), TRAIN and VAL are list files of images to
calibrate with and to measure on. ROWs pick by number, from 1, or `statistics`: the first row with statistics correction,
which the second has a re-solve in place of. All by default. Every row prunes 67.13% of the weights, groups to indices of
5 bits, and quantizes to weights and layer outputs of 8 bits. The report of a row goes to `benches/ablation/ROW.json`, with
its recipe in `benches/ablation/ROW.toml`; prints a table of what is there at the end.
"""

import copy
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
from compress import build, compress, loss

HERE = Path(__file__).parent

PLAIN = {
    "calibration": {"images": 1000, "augment": True},
    "prune": {"sparsity": 0.6713},
    "group": {"bits": 5, "init": "linear"},
    "quantize": {"conv_bits": 8, "fc_bits": 8, "output_bits": 8, "images": 64, "range": "largest"},
}

# Name, and what it changes: table, key, value.
STEPS = [
    ("std-ratio thresholds, k-means, largest range", []),
    ("+ survivors re-solved for the float outputs", [("prune", "resolve", {"images": 512})]),
    ("+ sparsity of each layer by measured sensitivity", [("prune", "sensitivity", {"images": 512})]),
    ("+ zeros chosen anew in 8 rounds of the re-solve", [("prune", "resolve", {"images": 512, "choose": 8})]),
    ("+ ranges of the least squared error", [("quantize", "range", "squared-error")]),
    ("+ optimal k-means", [("group", "init", "optimal")]),
    ("+ groups fitted to layer outputs", [("group", "fit", {"images": 512})]),
    (
        "+ blocks rebuilt, in the end through the integers",
        [("prune", "blocks", {"steps": 150}), ("quantize", "blocks", {"steps": 150, "learning_rate": 0.002})],
    ),
]


def toml(recipe):
    def value(v):
        if isinstance(v, dict):
            return "{ " + ", ".join(f"{k} = {value(x)}" for k, x in v.items()) + " }"
        if isinstance(v, bool):
            return str(v).lower()
        return json.dumps(v)

    lines = [f"name = {value(recipe['name'])}", 'rows = ["SP", "SP+SG+SQ"]']
    for table in ("calibration", "prune", "group", "quantize"):
        lines += ["", f"[{table}]"] + [f"{k} = {value(v)}" for k, v in recipe[table].items()]
    return "\n".join(lines) + "\n"


def recipes():
    """What each row is called and its recipe, in order."""
    recipe = copy.deepcopy(PLAIN)
    for number, (name, changes) in enumerate(STEPS, 1):
        for table, key, to in changes:
            recipe[table][key] = to
        yield str(number), {**copy.deepcopy(recipe), "name": name}
        if number == 1:
            aside = copy.deepcopy(recipe)
            aside["prune"]["correct"] = {"images": 128}
            yield "statistics", {**aside, "name": "the same, mean and variance of layer outputs corrected"}


def main():
    models, train, val, *rows = sys.argv[1:]
    build()
    for row, recipe in recipes():
        if rows and row not in rows:
            continue
        path = HERE / f"{row}.toml"
        path.write_text(toml(recipe))
        compress(Path(models) / "bvlc_googlenet", ["--recipe", path], train, val, HERE / f"{row}.json")
    print("| method | SP: loss of top-1 (95%) | SP+SG+SQ: loss of top-1 (95%) | agrees with float | KL | minutes | |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row, recipe in recipes():
        path = HERE / f"{row}.json"
        if not path.exists():
            continue
        pruned, last = json.loads(path.read_text())["rows"][1:]
        print(
            f"| {recipe['name']} | {loss(pruned)} | {loss(last)} | {last['agreement']:.1f}% | {last['divergence']:.3f} "
            f"| {last['seconds'] / 60:.1f} | {last['effort']} |"
        )


if __name__ == "__main__":
    main()
