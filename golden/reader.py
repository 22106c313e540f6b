"""Plain values of FORMAT.md one after another: integers, text, bits."""

import struct

from rangecode import Fault, RangeCode


class Reader:
    """Plain values one after another."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise Fault(f"{n} bytes should follow at {self.at} of {len(self.data)}")
        self.at += n
        return self.data[self.at - n : self.at]

    def get(self, kind):
        return struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))[0]

    def byte(self, most=255):
        n = self.get("B")
        if n > most:
            raise Fault(f"{n} where at most {most} is known")
        return n

    def varint(self):
        n = shift = 0
        while True:
            byte = self.byte()
            n |= (byte & 127) << shift
            if byte < 128:
                if n >= 2**64 or (byte == 0 and shift):
                    raise Fault("an integer is longer than it can be")
                return n
            shift += 7

    def text(self):
        return self.take(self.varint())

    def floats(self, n):
        return [self.get("I") for _ in range(n)]

    def bits(self, width, n):
        data = int.from_bytes(self.take((width * n + 7) // 8), "little")
        values = [data >> (width * i) & ((1 << width) - 1) for i in range(n)]
        if data >> (width * n):
            raise Fault("bits are left over")
        return values

    def coded(self, read, *arguments):
        code = RangeCode(self.text())
        value = read(code, *arguments)
        code.finish()
        return value

    def finish(self):
        if self.at != len(self.data):
            raise Fault(f"{len(self.data) - self.at} bytes are left over")
