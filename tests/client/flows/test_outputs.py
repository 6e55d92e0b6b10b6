import io
import logging
import os
import re
import stat
from dataclasses import dataclass, field

import httpx
import pytest

from inference_results.client import (
    InferenceExpired,
    InferenceFailed,
    InvalidRequest,
    NoOutput,
    OutputMalformed,
    OutputRemoved,
    OutputTooLarge,
    OutputUnavailable,
    ServiceUnavailable,
    UnexpectedResponse,
    WaitTimeout,
)
from inference_results.client.flows.download import Download
from inference_results.client.flows.requests import OutputLink
from inference_results.client.flows.steps import Fetch
from inference_results.contract import INLINE_OUTPUT_HEADER, Problem
from tests.client.service import OUTPUT_URL, Invocation, problem

CONTENT = bytes(range(256)) * 4


class BrokenBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends too early, silently or with an error."""

    def __init__(self, body, error=None):
        self._body = body
        self._error = error

    def __iter__(self):
        yield self._body
        if self._error:
            raise self._error

    async def __aiter__(self):
        for chunk in self:
            yield chunk


@dataclass
class FakeStorage:
    """S3 with one object.

    `breaks` holds the numbers of bytes after which the next responses end, `break_error` the error
    that ends them. `errors` are responses for the next requests.
    """

    content: bytes = CONTENT
    content_type: str = "binary/octet-stream"
    breaks: list[int] = field(default_factory=list)
    break_error: Exception | None = None
    errors: list[httpx.Response] = field(default_factory=list)
    etags: list[str] = field(default_factory=list)
    supports_ranges: bool = True
    sends_size: bool = True
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request):
        self.requests.append(request)
        if self.errors:
            return self.errors.pop(0)
        start = 0
        if (requested := request.headers.get("range")) and self.supports_ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", requested)[1])
        body = self.content[start:]
        headers = {
            "etag": self.etags.pop(0) if self.etags else '"one"',
            "content-type": self.content_type,
        }
        if self.sends_size:
            headers["content-length"] = str(len(body))
        if start:
            total = len(self.content)
            headers["content-range"] = f"bytes {start}-{total - 1}/{total}"
        if self.breaks:
            body = body[: self.breaks.pop(0)]
        stream = BrokenBody(body, self.break_error)
        self.break_error = self.break_error if self.breaks else None
        return httpx.Response(206 if start else 200, headers=headers, stream=stream)


@pytest.fixture
def storage():
    return FakeStorage()


@pytest.fixture
def client(make_client, service, storage):
    service.invocations["one"] = Invocation("one")
    return make_client(service, storage)


def inline_output(content):
    return httpx.Response(200, headers={INLINE_OUTPUT_HEADER: "inline"}, content=content)


def set_record(service, **members):
    service.invocations["one"].members = members


def test_output_follows_the_link_without_credentials(client, storage):
    assert client.output("one") == CONTENT
    (request,) = storage.requests
    assert str(request.url) == OUTPUT_URL
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers


def test_an_inline_output_needs_no_storage(client, service, storage):
    service.output = inline_output(b"small")
    assert client.output("one") == b"small"
    assert storage.requests == []


@pytest.mark.parametrize("response", [{"text": "<html>Log in</html>"}, {"json": {"a": 1}}])
def test_a_page_of_another_server_is_not_an_output(client, service, response):
    service.output = httpx.Response(200, **response)
    with pytest.raises(UnexpectedResponse):
        client.output("one")


def test_presigned_urls_are_hidden_in_logs_and_reprs(make_client, service, storage, caplog):
    caplog.set_level(logging.INFO)
    service.invocations["one"] = Invocation("one")
    service.output = httpx.Response(
        307, headers={"location": f"{OUTPUT_URL}?X-Amz-Signature=secret-signature"}
    )
    assert make_client(service, storage).output("one") == CONTENT
    assert storage.requests[0].url.params["X-Amz-Signature"] == "secret-signature"
    assert OUTPUT_URL in caplog.text
    assert "secret-signature" not in caplog.text
    assert "secret-signature" not in repr(OutputLink("https://a/?b=secret-signature"))
    assert "secret-signature" not in repr(
        Fetch("https://a/?b=secret-signature", Download("one", storage))
    )


def test_an_invalid_output_url_is_not_retried(make_client, service):
    def storage(request):
        raise httpx.UnsupportedProtocol(request.url.scheme)

    service.invocations["one"] = Invocation("one")
    service.output = httpx.Response(307, headers={"location": "ftp://storage.test/output"})
    with pytest.raises(UnexpectedResponse, match="invalid output URL"):
        make_client(service, storage).output("one")
    assert len(service.requests) == 1


@pytest.mark.parametrize("error", [None, httpx.ReadError("reset"), httpx.ReadTimeout("slow")])
@pytest.mark.parametrize("supports_ranges", [True, False])
def test_a_broken_download_is_resumed(client, service, storage, error, supports_ranges):
    storage.breaks, storage.break_error = [100, 200, 300], error
    storage.supports_ranges = supports_ranges
    target = io.BytesIO()
    assert client.save_output("one", target) == len(CONTENT)
    assert target.getvalue() == CONTENT
    assert len(service.requests) == len(storage.requests) == 4
    assert [request.headers.get("range") for request in storage.requests][:2] == [
        None,
        "bytes=100-",
    ]


def test_a_download_is_resumed_while_each_connection_makes_progress(client, storage):
    storage.breaks = [100] * 10
    assert client.output("one") == CONTENT
    assert len(storage.requests) == 11


def test_a_partial_output_is_never_returned(client, storage, tmp_path):
    storage.breaks = [100, 300, 0, 0, 0]
    with pytest.raises(ServiceUnavailable, match="400 of 1024"):
        client.output("one")
    storage.breaks = [100, 0, 0, 0]
    with pytest.raises(ServiceUnavailable):
        client.save_output("one", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_is_replaced_during_a_download_is_not_mixed_with_the_old_one(
    client, storage
):
    storage.breaks, storage.etags = [100], ['"one"', '"two"']
    with pytest.raises(OutputRemoved):
        client.output("one")


def test_an_output_above_the_limit_is_not_downloaded(client, storage):
    with pytest.raises(OutputTooLarge) as too_large:
        client.output("one", max_bytes=1023)
    assert too_large.value.size == 1024
    assert client.output("one", max_bytes=1024) == CONTENT


class UnreadableBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that fails the test when it is read."""

    def __iter__(self):
        raise AssertionError("the body was read")

    async def __aiter__(self):
        raise AssertionError("the body was read")
        yield


def test_an_output_of_a_gigabyte_is_rejected_before_it_is_read(client, storage):
    headers = {"content-length": str(10**9)}
    storage.errors = [httpx.Response(200, headers=headers, stream=UnreadableBody())]
    with pytest.raises(OutputTooLarge, match="1000000000 bytes") as too_large:
        client.output("one")
    assert too_large.value.size == 10**9


def test_an_output_of_unknown_size_is_read_up_to_the_limit(client, storage):
    storage.sends_size = False
    assert client.output("one") == CONTENT
    with pytest.raises(OutputTooLarge) as too_large:
        client.output("one", max_bytes=1023)
    assert too_large.value.size is None


def test_the_limit_applies_to_an_inline_output(client, service):
    service.output = inline_output(b"small")
    with pytest.raises(OutputTooLarge):
        client.output("one", max_bytes=4)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "NoSuchKey", OutputRemoved),
        (404, "NoSuchVersion", OutputRemoved),
        (405, "MethodNotAllowed", OutputRemoved),
        (403, "AccessDenied", OutputUnavailable),
        (307, "TemporaryRedirect", OutputUnavailable),
    ],
)
def test_an_error_of_s3_is_raised(client, storage, status, code, error):
    body = f"<Error><Code>{code}</Code></Error>".encode()
    storage.errors = [httpx.Response(status, content=body)]
    with pytest.raises(error) as raised:
        client.output("one")
    assert type(raised.value) is error
    assert raised.value.code in (code, "OutputRemoved")
    assert len(storage.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (400, "ExpiredToken")]
)
def test_a_transient_error_of_s3_is_retried_with_a_new_url(client, service, storage, status, code):
    body = f"<Error><Code>{code}</Code></Error>".encode()
    storage.errors = [httpx.Response(status, content=body) for _ in range(3)]
    assert client.output("one") == CONTENT
    assert len(service.requests) == 4


@pytest.mark.parametrize(
    ("status", "error"), [("Failed", InferenceFailed), ("Expired", InferenceExpired)]
)
def test_output_of_a_failed_inference_raises_its_failure(client, service, status, error):
    service.invocations["one"].status = status
    set_record(service, failure={"code": "UNKNOWN", "retryable": False})
    with pytest.raises(error) as failed:
        client.output("one")
    assert failed.value.inference.status == status


@pytest.mark.parametrize("status", ["InProgress", "Preempted"])
def test_no_output_gives_the_status(client, service, status):
    service.invocations["one"].status = status
    with pytest.raises(NoOutput) as raised:
        client.output("one")
    assert raised.value.code == status


@pytest.mark.parametrize(
    ("response", "error", "code"),
    [
        (
            problem(Problem.OUTPUT_UNAVAILABLE, 404, code="AccessDenied"),
            OutputUnavailable,
            "AccessDenied",
        ),
        (problem(Problem.OUTPUT_REMOVED, 410), OutputRemoved, "OutputRemoved"),
    ],
)
def test_a_problem_with_an_output_is_raised(client, service, response, error, code):
    service.output = response
    with pytest.raises(error) as unavailable:
        client.output("one")
    assert unavailable.value.code == code


def test_save_output_replaces_a_file_and_reports_progress(client, tmp_path):
    path = tmp_path / "out.bin"
    path.write_text("before")
    reported = []
    size = client.save_output("one", str(path), progress=lambda *numbers: reported.append(numbers))
    assert size == len(CONTENT)
    assert path.read_bytes() == CONTENT
    assert reported[-1] == (1024, 1024)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_download_leaves_the_file_unchanged(client, storage, tmp_path):
    path = tmp_path / "out.bin"
    path.write_text("before")
    storage.errors = [httpx.Response(403)]
    with pytest.raises(OutputUnavailable):
        client.save_output("one", path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_progress_leaves_no_partial_file(client, tmp_path):
    def stop(*_numbers):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.save_output("one", tmp_path / "out.bin", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_save_output_keeps_the_mode_of_the_replaced_file(client, tmp_path):
    path = tmp_path / "out.bin"
    path.touch(mode=0o600)
    modes = set()
    client.save_output(
        "one", path, progress=lambda *_: modes.update(map(mode_of, tmp_path.iterdir()))
    )
    assert (path.read_bytes(), mode_of(path)) == (CONTENT, 0o600)
    assert modes == {0o600}


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("exists", [True, False])
def test_save_output_keeps_a_symlink_and_replaces_its_target(client, tmp_path, exists):
    target = tmp_path / "elsewhere" / "out.bin"
    target.parent.mkdir()
    if exists:
        target.write_text("before")
    link = tmp_path / "link"
    link.symlink_to(target)
    client.save_output("one", link)
    assert link.is_symlink()
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_save_output_writes_to_a_pipe(client, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        client.save_output("one", pipe)
        assert reader.read() == CONTENT
    assert list(tmp_path.iterdir()) == [pipe]
    assert pipe.is_fifo()


def test_save_output_rejects_a_directory(client, storage, tmp_path):
    with pytest.raises(IsADirectoryError):
        client.save_output("one", tmp_path)
    assert storage.requests == []


def test_save_output_writes_an_empty_file(client, storage, tmp_path):
    storage.content = b""
    assert client.save_output("one", tmp_path / "out") == 0
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        ("application/json", b'{"a": [1]}', {"a": [1]}),
        ("application/json", b"\xef\xbb\xbf[1]", [1]),
        ("application/x-ndjson; charset=UTF8", b"\xef\xbb\xbf1\n2", [1, 2]),
        ("text/csv", b"\xef\xbb\xbfa,b", [["a", "b"]]),
        ("application/json; charset=latin-1", b'"\xe9"', "é"),
        ("Application/GeoJSON+json", b"[]", []),
        ("application/jsonlines", b'{"a": 1}\n\n"\xe2\x80\xa8"\r\n', [{"a": 1}, "\u2028"]),
        ("text/csv", b'a,"b\r\nc"\r\n1,2\r\n', [["a", "b\r\nc"], ["1", "2"]]),
        ("text/plain; charset=utf-8", "é".encode(), "é"),
        ("application/octet-stream", b"\xff", b"\xff"),
        ("nonsense", b"\xff", b"\xff"),
    ],
)
def test_parsed_output_uses_the_content_type_of_the_model(
    client, service, storage, content_type, content, expected
):
    set_record(service, output={"content_type": content_type})
    storage.content = content
    parsed = client.parsed_output("one")
    assert (parsed, type(parsed)) == (expected, type(expected))


def test_parsed_output_falls_back_to_the_content_type_of_the_object(client, storage):
    storage.content, storage.content_type = b"[1]", "application/json"
    assert client.parsed_output("one") == [1]


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/json", b"{"),
        ("application/json", b"[" * 100_000),
        ("application/x-ndjson", b"1\n{"),
        ("text/plain", b"\xff"),
        ("text/plain; charset=nonsense", b"a"),
        ("text/csv", b"a" * 200_000),
    ],
)
def test_output_malformed_holds_the_content(client, service, storage, content_type, content):
    set_record(service, output={"content_type": content_type})
    storage.content = content
    with pytest.raises(OutputMalformed) as malformed:
        client.parsed_output("one")
    assert malformed.value.content == content
    assert isinstance(malformed.value, ValueError)


def test_an_output_inside_the_record_is_not_requested_again(client, service, storage):
    inline = {"encoding": "utf-8", "content": "[1]"}
    set_record(service, output={"content_type": "application/json", "inline": inline})
    assert client.parsed_output("one") == [1]
    assert len(service.requests) == 1
    assert storage.requests == []


def test_an_output_in_an_unknown_encoding_is_requested(client, service, storage):
    inline = {"encoding": "zstd", "content": "KLUv"}
    set_record(service, output={"content_type": "application/json", "inline": inline})
    storage.content = b"[1]"
    assert client.parsed_output("one") == [1]


def test_get_output_waits_for_the_output(client, service, clock):
    service.invocations["one"].ends_at = 30
    response = {"InferenceId": "one", "OutputLocation": "s3://bucket/one.out"}
    assert client.get_output(response, 60) == CONTENT
    assert clock.now == 30


def test_get_output_raises_when_the_inference_fails(client, service, clock):
    service.invocations["one"].ends_at = 30
    service.invocations["one"].status = "Failed"
    with pytest.raises(InferenceFailed):
        client.get_output({"InferenceId": "one"}, 60)
    assert clock.now == 30


def test_get_output_times_out(client, service):
    service.invocations["one"].ends_at = 300
    with pytest.raises(WaitTimeout):
        client.get_output("s3://bucket/one.out", 60, inference_id="one")


def test_get_output_ignores_the_output_of_an_earlier_invocation(client, service, clock):
    set_record(service, output={"location": "s3://bucket/earlier.out"})
    response = {"InferenceId": "one", "OutputLocation": "s3://bucket/one.out"}
    with pytest.raises(WaitTimeout, match="the record is that of an earlier invocation"):
        client.get_output(response, 60)
    assert clock.now == 60
    assert len(service.requests) < 12
    set_record(service, output={"location": "s3://bucket/one.out"})
    assert client.get_output(response, 60) == CONTENT


def test_get_output_rejects_an_invalid_location(client, service):
    with pytest.raises(InvalidRequest, match="response: expected an OutputLocation in S3"):
        client.get_output({"InferenceId": "one", "OutputLocation": "elsewhere"}, 60)
    assert service.requests == []


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("s3://bucket/one.out", "inference_id: .*cannot distinguish failed from slow"),
        ({"OutputLocation": "s3://bucket/one.out"}, "response: .*InferenceId"),
    ],
)
def test_get_output_rejects_a_location_without_an_id(client, service, response, message):
    with pytest.raises(InvalidRequest, match=message):
        client.get_output(response, 60)
    assert service.requests == []
