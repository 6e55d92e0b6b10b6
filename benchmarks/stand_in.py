"""`python -m benchmarks.stand_in S3_MS DYNAMODB_MS BYTES`: S3 and DynamoDB as far as time goes.

Each request is answered after the time of its service, all of them side by side: a GET with an
object of that many bytes, anything else as written. The embedded AWS behind a proxy takes longer
for the requests of a batch than the time that is to be measured. Prints its port.
"""

import asyncio
import sys

_HEADERS = (
    "HTTP/1.1 {status}\r\n"
    "Date: Wed, 25 Nov 2026 12:00:00 GMT\r\n"
    "Last-Modified: Wed, 25 Nov 2026 12:00:00 GMT\r\n"
    'ETag: "fba9dede5f27731c9771645a39863328"\r\n'
    "x-amz-request-id: 656c76696e6727732072657175657374\r\n"
    "x-amz-version-id: 3HL4kqtJvjVBH40Nrjfkd\r\n"
    "Content-Range: bytes 0-{last}/{size}\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)


class StandIn(asyncio.Protocol):
    """Of a connection, whose requests come one after another."""

    def __init__(self, s3_seconds: float, dynamodb_seconds: float, size: int) -> None:
        self._seconds = {"GET": s3_seconds, "POST": dynamodb_seconds}
        self._size = size
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ends, body = self._received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (it.partition(": ") for it in lines)}
        if ends and len(body) >= int(headers.get("content-length", 0)):
            self._received = b""
            method = lines[0].partition(" ")[0]
            answer = self._object(headers.get("range")) if method == "GET" else _written()
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds[method], self._transport.write, answer)

    def _object(self, limit: str | None) -> bytes:
        length = min(self._size, int(limit.rpartition("-")[2]) + 1) if limit else self._size
        status = "206 Partial Content" if limit else "200 OK"
        head = _HEADERS.format(status=status, last=length - 1, size=self._size, length=length)
        return head.encode() + b"0" * length


def _written() -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: application/x-amz-json-1.0\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )


async def serve(s3_seconds: float, dynamodb_seconds: float, size: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: StandIn(s3_seconds, dynamodb_seconds, size), "127.0.0.1"
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    s3_ms, dynamodb_ms, size = map(int, sys.argv[1:])
    asyncio.run(serve(s3_ms / 1000, dynamodb_ms / 1000, size))
