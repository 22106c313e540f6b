"""The coding schemes of FORMAT.md: from the bytes of a tile to its levels, or to the bits of its floats."""

from levels import Levels, Mixed
from rangecode import Fault, RangeCode
from reader import Reader


def level_header(reader):
    flags = reader.byte(7)
    header = {"ranked": flags & 1, "least": reader.varint(), "L": reader.varint(), "H": reader.varint(), "top": 124}
    header["M"] = [18, 6, 4, 6, 14, 2, 2, 2, 2, 6, 10, 14, 10, 6, 4]
    header["even"], header["N"] = -16, [40, 40, -10, 4, -4, -4, 8, 4, 8, 4]
    code = RangeCode(reader.take(len(reader.data) - reader.at))
    header["slopes"] = [2 * code.plain(6), 2 * code.plain(6)] if flags & 4 else None
    if flags & 2:
        header["top"], header["M"] = code.plain(8), [small(code) for _ in range(15)]
        header["even"], header["N"] = 0, [0] * 10
        if header["L"] and header["H"] and code.plain(1):
            header["even"], header["N"] = 8 * (code.plain(5) - 16), [small(code) for _ in range(10)]
    return header, code


def small(code):
    bits = code.plain(3)
    if bits == 0:
        return 0
    negative, below = code.plain(1), min(bits, 4) - 1
    n = (1 << below | code.plain(below)) << (bits - 1 - below)
    return -n if negative else n


def modelled(model):
    def decode(reader, n, row, sides):
        header, code = level_header(reader)
        levels = model(code, header, row, sides)
        out = [levels.level() for _ in range(n)]
        code.finish()
        return out

    return decode


def raw(reader, n, *_):
    return reader.floats(n)


def bitmap(reader, n, *_):
    return [reader.get("I") if there else 0 for there in reader.bits(1, n)]


def gap(reader, n, *_):
    L, H, g = reader.varint(), reader.varint(), reader.varint()
    v = max((L + H).bit_length(), 0 if g else 1)
    size = len(reader.data) - reader.at
    data, at, out = int.from_bytes(reader.take(size), "little"), 0, []
    while len(out) < n:
        zeros, value = data >> at & ((1 << g) - 1), data >> (at + g) & ((1 << v) - 1)
        at += g + v
        out += [0] * zeros + [value if value <= H else H - value]
    if len(out) != n or data >> at or (at + 7) // 8 != size:
        raise Fault("entries do not end with the tile")
    return out


def split(reader, n, row, _):
    levels = Reader(reader.text())
    out = []
    for level in modelled(Levels)(levels, n, row, None):
        low = int.from_bytes(reader.take(3), "little") if level else 0
        out.append((low >> 23) << 31 | max(level - 1, 0) << 23 | low & 0x7FFFFF)
    return out


SCHEMES = [raw, bitmap, gap, split, modelled(Levels), modelled(Mixed)]
