"""Networks compressed to a size, calibration only but for those with blocks, which are rebuilt at the end: the loss of each, in integers, on images that nothing was fitted to.

    python3 benches/size/run.py MODELS TRAIN VAL [NAME ...]

MODELS is a folder with `bvlc_googlenet` and `squeezenet_v1.1` (deploy.prototxt and caffemodel of each), TRAIN and VAL
are list files of images to calibrate with and to measure on. NAMEs pick from the settings below, all by default. The
reports go to `benches/size/NAME.json`; prints a table of what is there at the end.
"""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent))
from compress import build, compress, loss

HERE = Path(__file__).parent
GOOGLENET, SQUEEZENET = "bvlc_googlenet", "squeezenet_v1.1"
BLOCKS = ["--blocks", 150, "--blocks-rate", 0.002]
SETTINGS = {
    "googlenet-12": (GOOGLENET, 12, []),
    "googlenet-16": (GOOGLENET, 16, []),
    "googlenet-20": (GOOGLENET, 20, []),
    "googlenet-20-blocks": (GOOGLENET, 20, BLOCKS),
    "squeezenet-7": (SQUEEZENET, 7, []),
    "squeezenet-10": (SQUEEZENET, 10, []),
}


def main():
    models, train, val, *names = sys.argv[1:]
    build()
    for name in names or SETTINGS:
        network, ratio, more = SETTINGS[name]
        compress(Path(models) / network, ["--ratio", ratio, *more], train, val, HERE / f"{name}.json")
    print(f"{'':20}{'ratio':>8}{'bytes':>10}{'loss of top-1':>24}{'agrees %':>10}{'KL':>8}{'zeros %':>9}{'minutes':>9}")
    for name in SETTINGS:
        path = HERE / f"{name}.json"
        if not path.exists():
            continue
        row = json.loads(path.read_text())["rows"][-1]
        agreement = f"{row['agreement']:.1f}" if row.get("agreement") is not None else ""
        divergence = f"{row['divergence']:.3f}" if row.get("divergence") is not None else ""
        print(
            f"{name:20}{row['ratio']:8.2f}{row['size_bytes']:10}{loss(row):>24}{agreement:>10}{divergence:>8}"
            f"{row['sparsity']:9.1f}{row['seconds'] / 60:9.1f}"
        )


if __name__ == "__main__":
    main()
