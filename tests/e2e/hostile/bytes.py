"""Bytes that are no request, or are two at once, or never end."""

from __future__ import annotations

HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.1\r\n"
TARGET = b"X-Amz-Target: AWSGlue.ListWorkflows\r\n"
# Section 6.3: the chunks win, and nothing that follows on the connection is read as a request.
READ_AS_RFC_9112_SAYS = {"a length and chunks"}
NESTED = b'{"Name":' * 60


def json_bodies() -> dict[str, bytes]:
    """Bodies for CreateWorkflow that are no JSON, or none that is taken."""
    bodies = {
        "nothing but a brace": b"{",
        "cut in a text": b'{"Name":"w',
        "cut in an escape": b'{"Name":"\\u00',
        "two values": b'{"Name":"w"}{}',
        "a comma too many": b'{"Name":"w",}',
        "a comment": b'{"Name":"w"/* */}',
        "single quotes": b"{'Name':'w'}",
        "no quotes": b"{Name:1}",
        "not a number": b'{"Name":NaN}',
        "infinity": b'{"MaxConcurrentRuns":1e999,"Name":"w"}',
        "a leading zero": b'{"MaxConcurrentRuns":01,"Name":"w"}',
        "a plus": b'{"MaxConcurrentRuns":+1,"Name":"w"}',
        "a hexadecimal number": b'{"MaxConcurrentRuns":0x1,"Name":"w"}',
        "a byte order mark": b'\xef\xbb\xbf{"Name":"w"}',
        "UTF-16": '{"Name":"w"}'.encode("utf-16"),
        "not UTF-8": b'{"Name":"\xff"}',
        "an overlong slash": b'{"Name":"\xc0\xaf"}',
        "half a pair": b'{"Name":"\\ud800"}',
        "a raw line end": b'{"Name":"a\nb"}',
        "a raw NUL": b'{"Name":"a\0b"}',
        "a list": b"[]",
        "a text": b'"w"',
        "a number": b"1",
        "a truth": b"true",
        "a key twice": b'{"Name":"w","Name":"x"}',
        "a key twice, deep": b'{"Name":"w","Tags":{"a":"1","a":"2"}}',
        "deep lists": b"[" * 100_000,
        "deep lists, closed": b"[" * 100_000 + b"]" * 100_000,
        "deep maps": NESTED + b"1" + b"}" * 60,
        "deep, where nobody looks": b'{"Name":"w","Unknown":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        "only white space": b" " * 4_096 + b"x",
        "a huge number": b'{"MaxConcurrentRuns":' + b"9" * 100_000 + b',"Name":"w"}',
        "a huge key": b'{"' + b"k" * 1_000_000 + b'":1}',
        "a huge name": b'{"Name":"' + b"n" * 1_000_000 + b'"}',
        "a million brackets": b'{"Name":"w","Unknown":[' + b"[]," * 900_000 + b"[]]}",
        "a million keys": b'{"Name":"w","Unknown":{' + b",".join(b'"%d":0' % key for key in range(250_000)) + b"}}",
    }
    accepted = ("deep, where nobody looks", "a million brackets", "a million keys")
    return {what: body for what, body in bodies.items() if what not in accepted} | {
        f"{what}, and nothing else": body.replace(b'"Name":"w",', b"")
        for what, body in bodies.items()
        if what in accepted
    }


def streams() -> dict[str, bytes]:
    """What is written to the port, as it is."""
    padding = b"x" * 100_000
    requests = {
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
        "SSH": b"SSH-2.0-x\r\n",
        "random bytes": bytes(range(256)) * 16,
        "NULs": b"\0" * 4_096,
        "line ends": b"\r\n" * 10_000,
        "an endless line": padding,
        "an endless method": b"P" * 100_000 + b" / HTTP/1.1\r\n\r\n",
        "an endless path": b"POST /" + padding + b" HTTP/1.1\r\n\r\n",
        "HTTP/0.9": b"GET /\r\n",
        "HTTP/3.0": b"POST / HTTP/3.0\r\n\r\n",
        "no version": b"POST /\r\n\r\n",
        "a path with a space": b"POST /a b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "no host": b"POST / HTTP/1.1\r\nContent-Length: 2\r\n" + TARGET + b"\r\n{}",
        "two hosts": HEAD + b"Host: evil.example\r\nContent-Length: 2\r\n" + TARGET + b"\r\n{}",
        "a foreign host": b"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n" + TARGET + b"\r\n{}",
        "a foreign host in the path": b"POST http://evil.example/ HTTP/1.1\r\n"
        b"Host: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}",
        "a foreign origin": HEAD + b"Origin: https://evil.example\r\nContent-Length: 2\r\n" + TARGET + b"\r\n{}",
        "two targets": HEAD + TARGET + b"X-Amz-Target: AWSGlue.DeleteJob\r\nContent-Length: 2\r\n\r\n{}",
        "two lengths": HEAD + TARGET + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "a length and chunks": HEAD + TARGET + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a negative length": HEAD + TARGET + b"Content-Length: -1\r\n\r\n",
        "a length in words": HEAD + TARGET + b"Content-Length: two\r\n\r\n{}",
        "a length beyond 64 bits": HEAD + TARGET + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        "a length of a terabyte": HEAD + TARGET + b"Content-Length: 1099511627776\r\n\r\n{}",
        "chunks of a strange size": HEAD + TARGET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "a chunk beyond 64 bits": HEAD + TARGET + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n",
        "an unknown coding": HEAD + TARGET + b"Transfer-Encoding: xyz\r\n\r\n{}",
        "a packed body": HEAD + TARGET + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
        "a folded header": HEAD + TARGET + b"X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        "a bare carriage return": HEAD + TARGET + b"X-Bare: a\rb\r\nContent-Length: 2\r\n\r\n{}",
        "a NUL in a header": HEAD + TARGET + b"X-Nul: a\0b\r\nContent-Length: 2\r\n\r\n{}",
        "a header without a name": HEAD + TARGET + b": a\r\nContent-Length: 2\r\n\r\n{}",
        "a header without a colon": HEAD + TARGET + b"nothing\r\nContent-Length: 2\r\n\r\n{}",
        "a header with a space": HEAD + TARGET + b"X Space: a\r\nContent-Length: 2\r\n\r\n{}",
        "a huge header": HEAD + TARGET + b"X-Huge: " + padding * 8 + b"\r\nContent-Length: 2\r\n\r\n{}",
        "a thousand headers": HEAD + TARGET + b"".join(b"X-%d: 1\r\n" % n for n in range(1_000)) + b"\r\n",
        "a target that is no text": HEAD + b"X-Amz-Target: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        "a huge target": HEAD + b"X-Amz-Target: AWSGlue." + b"T" * 20_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
        "a form": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
        + TARGET
        + b"\r\n{}",
        "an upgrade": HEAD + TARGET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n{",
        "an impossible expectation": HEAD + TARGET + b"Expect: miracles\r\nContent-Length: 1\r\n\r\n{",
        "a proxy's request": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "a trace": b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    }
    methods = {
        f"the method {method}": f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        for method in ("PUT", "DELETE", "PATCH", "HEAD", "LINK", "post", "🙂")
    }
    paths = {
        f"the path {path[:20]}": f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode()
        for path in (
            "/..",
            "//",
            "/%00",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/.git/config",
            "/admin",
            "*",
            "/?" + "a=b&" * 5_000,
        )
    }
    return requests | methods | paths
