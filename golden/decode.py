"""A second decoder of `.syn` files, written from FORMAT.md alone, that prints what it finds as text:

    python3 golden/decode.py FILE.syn

The example `dump` of crates/code prints the same of the first decoder, so that `.ci/golden` can compare the two bit for
bit. Floats are printed as the hexadecimal digits of their bits, text with `%XX` for what is no letter or digit.
"""

import struct
import sys
import zlib
from math import prod

from lists import codebook, coded_floats, coded_integers, coded_text
from rangecode import Fault
from reader import Reader
from schemes import SCHEMES


def chunks(data):
    if data[:12] != b"\x93SYN\r\n\x1a\n\x02\0\0\0":
        raise Fault("this is no .syn file of version 2")
    reader = Reader(data[12:])
    while True:
        start = reader.at
        tag, body = reader.take(4), reader.text()
        whole = reader.data[start : reader.at]
        if reader.get("I") != zlib.crc32(whole):
            raise Fault(f"the checksum of {tag} does not match")
        if tag == b"TAIL":
            if body != struct.pack("<Q", start + 12):
                raise Fault("the file has another length")
            return reader.finish()
        yield tag, Reader(body)


def fixed(reader):
    return f"{reader.byte()}:{reader.get('b')}:{reader.byte(1)}"


def ranks(entries):
    """From levels to places in the codebook, and the values by level of positive and of negative ones."""
    key = lambda i: (-entries[i][1] if entries[i][0] else entries[i][1], i)
    places = range(1, len(entries))
    positive = sorted((i for i in places if not entries[i][0]), key=key)
    negative = sorted((i for i in places if entries[i][0]), key=key, reverse=True)
    index = {0: 0, **{j + 1: i for j, i in enumerate(positive)}, **{-j - 1: i for j, i in enumerate(negative)}}
    return index, positive, negative


def number(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def name(text):
    """Text of bytes that are letters, digits, `.`, `_` or `/`; others as `%XX`."""
    return "".join(chr(c) if chr(c).isalnum() and c < 128 or chr(c) in "._/" else f"%{c:02x}" for c in text)


def digits(values):
    return "".join(f" {v:08x}" for v in values)


def plain(values):
    return "".join(f" {v}" for v in values)


def attributes(reader):
    fields = []
    for _ in range(reader.varint()):
        field = name(reader.text())
        fields.append(f"{field}={name(reader.text())}" if reader.byte(1) == 0 else f"{field}{attributes(reader)}")
    return "{" + " ".join(fields) + "}"


FILLERS = [("constant", 1), ("uniform", 2), ("normal", 2), ("xavier", 0), ("msra", 0)]


def learning(reader):
    if reader.byte(1) == 0:
        return "default"
    out = digits(reader.floats(4))
    for _ in range(2):
        filler, count = FILLERS[reader.byte(4)]
        out += f" {filler}{digits(reader.floats(count))}"
    return out.strip()


def graph(reader):
    print("name", name(reader.text()))
    for node in range(reader.varint()):
        title, kind = name(reader.text()), name(reader.text())
        inputs = plain(reader.varint() for _ in range(reader.varint()))
        print(f"node {node} {title} {kind} inputs{inputs} {attributes(reader)} learning {learning(reader)}")


def about(reader):
    if reader.byte(1):
        resize, crop, channels = reader.varint(), reader.varint(), reader.byte(1)
        print(f"preprocess {resize} {crop} {channels}{digits(reader.floats(4))}")
    for list_ in ("label", "history"):
        for _ in range(reader.varint()):
            print(list_, name(reader.text()))


def weights(reader):
    node, dims, form = reader.varint(), [reader.varint() for _ in range(4)], reader.byte(3)
    print(f"weights {node}{plain(dims)} form {form}", *([fixed(reader)] if form > 1 else []))
    index, sides = None, None
    if form in (1, 2):
        entries = reader.coded(codebook, reader.varint())
        if form == 1:
            print("codebook" + digits(negative << 31 | m for negative, m in entries))
            values = [number(m) for _, m in entries]
        else:
            values = [m for _, m in entries]
            print("codebook" + plain(-m if negative else m for negative, m in entries))
        index, *sides = ranks(entries)
        sides = [[values[i] for i in side] for side in sides]
    kind = reader.byte(2)
    if kind == 1:
        print("bias" + digits(reader.coded(coded_floats, reader.varint())))
    if kind == 2:
        count, frac = reader.varint(), reader.get("b")
        print(f"bias * 2^-{frac}" + plain(reader.coded(coded_integers, count)))
    nonzero, most, rows, taps = reader.varint(), reader.varint(), dims[0], prod(dims[1:])
    found = []
    while rows and taps:
        scheme, tile = SCHEMES[reader.byte(len(SCHEMES) - 1)], Reader(reader.text())
        found += scheme(tile, min(rows, most) * taps, dims[1:], sides)
        tile.finish()
        rows -= min(rows, most)
    if nonzero != sum((v & 0x7FFFFFFF if form == 0 else v) != 0 for v in found):
        raise Fault("another number of weights is not zero")
    print(digits(found) if form == 0 else plain(index[level] if index else level for level in found))


def integers(reader):
    for node in range(reader.varint()):
        print(f"output {node} {fixed(reader)}{plain(reader.get('h') for _ in range(reader.varint()))}")


def extra(reader):
    print("extra", name(reader.text()), reader.take(len(reader.data) - reader.at).hex())


READERS = {b"WGHT": weights, b"INTG": integers, b"xtra": extra}


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    for tag, body in chunks(data):
        if tag in (b"GRPH", b"ABUT"):
            coded = body.byte(1)
            text = Reader(body.coded(coded_text, body.varint()) if coded else body.take(len(body.data) - 1))
            body.finish()
            (graph if tag == b"GRPH" else about)(text)
            text.finish()
        elif tag in READERS:
            READERS[tag](body)
            body.finish()
        elif not tag[:1].islower():
            raise Fault(f"the chunk {tag} is not known")


try:
    main()
except Fault as fault:
    sys.exit(f"{sys.argv[1]}: {fault}")
