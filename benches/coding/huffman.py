"""Bytes of the layout of Deep Compression (Han et al. 2016) for integers that the example `coding` wrote: for each
weight that is not zero how many zeros come before it and which centroid or code it is; a gap too long for its width takes
fillers. Once with fixed widths, as files were released, once with Huffman codes for both.
"""

import heapq
from array import array
from collections import Counter
from math import prod
from pathlib import Path

WIDTHS = range(3, 9)


def huffman(symbols):
    """Bits under a Huffman code, and a byte for each symbol's length."""
    counts = [n for n in Counter(symbols).values()]
    bits = 8 * len(counts)
    if len(counts) == 1:
        return bits + counts[0]
    heapq.heapify(counts)
    while len(counts) > 1:
        merged = heapq.heappop(counts) + heapq.heappop(counts)
        bits += merged
        heapq.heappush(counts, merged)
    return bits


def layer(levels):
    """Bits of one layer: fixed widths, Huffman codes; each with the width of gaps that suits it best."""
    places = [i for i, level in enumerate(levels) if level]
    values = [levels[i] for i in places]
    gaps = [b - a - 1 for a, b in zip([-1] + places, places)]
    width = max(1, (max(values, default=0) - min(values, default=0)).bit_length())
    fixed, coded = [], []
    for bits in WIDTHS:
        longest = (1 << bits) - 1
        entries, fillers = [], 0
        for gap in gaps:
            more, gap = divmod(gap, longest + 1)
            fillers += more
            entries.append(gap)
        fixed.append((bits + width) * (len(entries) + fillers))
        coded.append(huffman(entries + [longest] * fillers) + huffman(values + [0] * fillers) if entries else 0)
    return min(fixed), min(coded)


def sizes(levels):
    """Bytes of all layers that lie in LEVELS.i32 and LEVELS.layers."""
    data, at, fixed, coded = array("i"), 0, 0, 0
    data.frombytes(Path(f"{levels}.i32").read_bytes())
    for line in Path(f"{levels}.layers").read_text().splitlines():
        size = prod(int(n) for n in line.split()[:4])
        a, b = layer(data[at : at + size])
        fixed, coded, at = fixed + (a + 7) // 8, coded + (b + 7) // 8, at + size
    return fixed, coded
