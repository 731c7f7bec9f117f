"""HTTP/2 and gRPC as no library would speak them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
# POST, http and / from the static table, and an authority.
REQUEST_HEAD = b"\x83\x86\x84\x41\x09127.0.0.1"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Gives a frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def http2() -> dict[str, bytes]:
    """What is written to the gRPC port, as it is."""
    hello = PREFACE + frame(SETTINGS, 0, 0)
    ids = range(1, 8_001, 2)
    head = [frame(HEADERS, END_HEADERS, stream, REQUEST_HEAD) for stream in ids]
    resets = [frame(RESET, 0, stream, struct.pack(">I", 8)) for stream in ids]
    return {
        "no preface": b"x" * 64,
        "half a preface": PREFACE[:10],
        "HTTP/1.1": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "a frame that is too long": hello + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 100_000,
        "streams that are reset at once": hello
        + b"".join(pair for both in zip(head, resets, strict=True) for pair in both),
        "streams that never end": hello + b"".join(head),
        "headers that never end": hello
        + frame(HEADERS, 0, 1, REQUEST_HEAD)
        + frame(CONTINUATION, 0, 1, b"\x40\x01a\x01b" * 100) * 2_000,
        "a table that grows": hello + frame(HEADERS, END_HEADERS, 1, REQUEST_HEAD + b"\x3f\xe1\xff\xff\xff\x0f"),
        "an index that is not there": hello + frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\x0f"),
        "settings without end": hello + frame(SETTINGS, 0, 0) * 20_000,
        "pings without end": hello + frame(PING, 0, 0, b"12345678") * 20_000,
        "an empty window": hello + frame(SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x00") + b"".join(head[:100]),
        "a window that overflows": hello + frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 3,
        "data on no stream": hello + frame(DATA, END_STREAM, 0, b"x") + frame(DATA, END_STREAM, 99, b"x"),
        "a stream with an even number": hello + frame(HEADERS, END_HEADERS | END_STREAM, 2, REQUEST_HEAD),
        "a push": hello + frame(PUSH, END_HEADERS, 1, b"\0\0\0\2" + REQUEST_HEAD),
        "a farewell": hello + frame(GOAWAY, 0, 0, b"\0" * 8) + b"".join(head[:10]),
    }


def messages() -> Iterator[tuple[str, bytes]]:
    """Bytes that are no message of the contract, or a strange one."""
    draw = random.Random(20261121)
    yield from {
        "a length beyond the end": b"\x0a\xff\xff\xff\xff\x07x",
        "an endless number": b"\x08" + b"\xff" * 11,
        "a group that never ends": b"\x0b" * 10_000,
        "deep groups": b"\x0b" * 200 + b"\x0c" * 200,
        "a wrong end": b"\x0c",
        "field zero": b"\x02\x00",
        "an unknown wire type": b"\x0f\x00",
        "a number for a text": b"\x08\x01",
        "a fixed number for a text": b"\x0d\x00\x00\x00\x00",
        "a text that is not UTF-8": b"\x0a\x02\xff\xfe",
        "a name of a megabyte": b"\x0a\x80\x80\x40" + b"n" * (1 << 20),
        "a name with a NUL": b"\x0a\x03n\x00n",
        "an enum beyond all": b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        "a million empty items": b"\x32\x00" * 1_000_000,
        "only unknown members": b"\xfa\xff\xff\xff\x0f\x00",
    }.items()
    for number in range(60):
        yield f"noise {number}", draw.randbytes(draw.randrange(1, 200))
