"""Bytes of NNCodec (Fraunhofer HHI's coder of the MPEG standard for neural networks, PyPI `nncodec`) for integers that the
example `coding` wrote: `nnc.py LEVELS`. At its best setting for integers: no dependent quantization, which is lossy,
optimized parameters of its contexts, row skipping, long unary codes. Checks that the integers come back.
"""

import sys
import tempfile
from math import prod
from pathlib import Path

import numpy
from nncodec.nnc import compression


def main():
    levels = numpy.fromfile(sys.argv[1] + ".i32", dtype="<i4")
    layers, at = {}, 0
    for i, line in enumerate(Path(sys.argv[1] + ".layers").read_text().splitlines()):
        dims = [int(n) for n in line.split()[:4]]
        # A matrix where kernels have one weight, as frameworks have it.
        shape = dims[:2] if dims[2:] == [1, 1] else dims
        layers[f"layer{i}.weight"] = levels[at : at + prod(dims)].reshape(shape).astype(numpy.int32)
        at += prod(dims)
    path = Path(tempfile.mkdtemp()) / "levels.nnc"
    best = {"use_dq": False, "param_opt": True, "row_skipping": True, "cabac_unary_length_minus1": 30}
    compression.compress(layers, bitstream_path=str(path), **best)
    back = compression.decompress(str(path))
    if any(not numpy.array_equal(layers[name], back[name]) for name in layers):
        sys.exit("NNCodec did not give the integers back")
    print(path.stat().st_size)


main()
