"""`python -m benchmarks.latency_stub S3_MS DYNAMODB_MS BYTES`: a stub with the latency of AWS.

It stands in for S3 and DynamoDB and handles requests concurrently. A GET returns an object of BYTES
bytes, anything else an empty success. The embedded AWS behind a proxy would take longer for a
batch's requests than the latency to simulate. Prints its port.
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
_EMPTY_SUCCESS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"
)


class StubConnection(asyncio.Protocol):
    """Serves one connection, whose requests arrive one after another."""

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
            response = self._object(headers.get("range")) if method == "GET" else _EMPTY_SUCCESS
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds[method], self._transport.write, response)

    def _object(self, byte_range: str | None) -> bytes:
        length = self._size
        if byte_range:
            length = min(length, int(byte_range.rpartition("-")[2]) + 1)
        status = "206 Partial Content" if byte_range else "200 OK"
        head = _HEADERS.format(status=status, last=length - 1, size=self._size, length=length)
        return head.encode() + b"0" * length


async def serve(s3_seconds: float, dynamodb_seconds: float, size: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: StubConnection(s3_seconds, dynamodb_seconds, size), "127.0.0.1"
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    s3_ms, dynamodb_ms, size = map(int, sys.argv[1:])
    asyncio.run(serve(s3_ms / 1000, dynamodb_ms / 1000, size))
