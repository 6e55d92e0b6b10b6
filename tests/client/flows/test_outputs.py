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


class Torn(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends too soon: in silence, or with an error."""

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
    """S3 with one object. `tears`: after how many bytes the next answers end."""

    content: bytes = CONTENT
    content_type: str = "binary/octet-stream"
    tears: list[int] = field(default_factory=list)
    tears_with: Exception | None = None
    refusals: list[httpx.Response] = field(default_factory=list)
    etags: list[str] = field(default_factory=list)
    knows_ranges: bool = True
    announces_size: bool = True
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request):
        self.requests.append(request)
        if self.refusals:
            return self.refusals.pop(0)
        start = 0
        if (asked := request.headers.get("range")) and self.knows_ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
        body = self.content[start:]
        headers = {
            "etag": self.etags.pop(0) if self.etags else '"one"',
            "content-type": self.content_type,
        }
        if self.announces_size:
            headers["content-length"] = str(len(body))
        if start:
            total = len(self.content)
            headers["content-range"] = f"bytes {start}-{total - 1}/{total}"
        if self.tears:
            body = body[: self.tears.pop(0)]
        stream = Torn(body, self.tears_with)
        self.tears_with = self.tears_with if self.tears else None
        return httpx.Response(206 if start else 200, headers=headers, stream=stream)


@pytest.fixture
def storage():
    return FakeStorage()


@pytest.fixture
def client(client_of, service, storage):
    service.invocations["one"] = Invocation("one")
    return client_of(service, storage)


def inline_output(content):
    return httpx.Response(200, headers={INLINE_OUTPUT_HEADER: "inline"}, content=content)


def record_has(service, **members):
    service.invocations["one"].members = members


def test_an_output_is_read_from_where_the_service_says_without_credentials(client, storage):
    assert client.output("one") == CONTENT
    (request,) = storage.requests
    assert str(request.url) == OUTPUT_URL
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers


def test_an_output_that_the_service_holds_needs_no_storage(client, service, storage):
    service.output = inline_output(b"small")
    assert client.output("one") == b"small"
    assert storage.requests == []


@pytest.mark.parametrize("answer", [{"text": "<html>Log in</html>"}, {"json": {"a": 1}}])
def test_a_page_of_another_server_is_not_taken_for_the_output(client, service, answer):
    service.output = httpx.Response(200, **answer)
    with pytest.raises(UnexpectedResponse):
        client.output("one")


def test_what_lets_one_read_an_output_is_neither_logged_nor_shown(
    client_of, service, storage, caplog
):
    caplog.set_level(logging.INFO)
    service.invocations["one"] = Invocation("one")
    service.output = httpx.Response(
        307, headers={"location": f"{OUTPUT_URL}?X-Amz-Signature=secret-signature"}
    )
    assert client_of(service, storage).output("one") == CONTENT
    assert storage.requests[0].url.params["X-Amz-Signature"] == "secret-signature"
    assert OUTPUT_URL in caplog.text
    assert "secret-signature" not in caplog.text
    assert "secret-signature" not in repr(OutputLink("https://a/?b=secret-signature"))
    assert "secret-signature" not in repr(
        Fetch("https://a/?b=secret-signature", Download("one", storage))
    )


def test_a_place_that_is_no_url_is_not_tried_again(client_of, service):
    def storage(request):
        raise httpx.UnsupportedProtocol(request.url.scheme)

    service.invocations["one"] = Invocation("one")
    service.output = httpx.Response(307, headers={"location": "ftp://storage.test/output"})
    with pytest.raises(UnexpectedResponse, match="no URL"):
        client_of(service, storage).output("one")
    assert len(service.requests) == 1


@pytest.mark.parametrize("tears_with", [None, httpx.ReadError("reset"), httpx.ReadTimeout("slow")])
@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_connection_is_taken_up_where_it_broke(
    client, service, storage, tears_with, knows_ranges
):
    storage.tears, storage.tears_with = [100, 200, 300], tears_with
    storage.knows_ranges = knows_ranges
    target = io.BytesIO()
    assert client.save_output("one", target) == len(CONTENT)
    assert target.getvalue() == CONTENT
    assert len(service.requests) == len(storage.requests) == 4
    assert [request.headers.get("range") for request in storage.requests][:2] == [
        None,
        "bytes=100-",
    ]


def test_connections_that_each_bring_something_yield_the_whole_in_the_end(client, storage):
    storage.tears = [100] * 10
    assert client.output("one") == CONTENT
    assert len(storage.requests) == 11


def test_a_cut_output_is_never_handed_out(client, storage, tmp_path):
    storage.tears = [100, 300, 0, 0, 0]
    with pytest.raises(ServiceUnavailable, match="400 of 1024"):
        client.output("one")
    storage.tears = [100, 0, 0, 0]
    with pytest.raises(ServiceUnavailable):
        client.save_output("one", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_was_replaced_in_the_middle_is_not_mixed_with_the_former(client, storage):
    storage.tears, storage.etags = [100], ['"one"', '"two"']
    with pytest.raises(OutputRemoved):
        client.output("one")


def test_an_output_beyond_the_limit_is_not_begun(client, storage):
    with pytest.raises(OutputTooLarge) as too_large:
        client.output("one", max_bytes=1023)
    assert too_large.value.size == 1024
    assert client.output("one", max_bytes=1024) == CONTENT


class Untouched(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that nobody may read."""

    def __iter__(self):
        raise AssertionError("the body was read")

    async def __aiter__(self):
        raise AssertionError("the body was read")
        yield


def test_an_output_of_a_gigabyte_is_refused_before_any_of_it_is_read(client, storage):
    announced = {"content-length": str(10**9)}
    storage.refusals = [httpx.Response(200, headers=announced, stream=Untouched())]
    with pytest.raises(OutputTooLarge, match="1000000000 bytes") as too_large:
        client.output("one")
    assert too_large.value.size == 10**9


def test_an_output_of_unknown_size_is_read_up_to_the_limit(client, storage):
    storage.announces_size = False
    assert client.output("one") == CONTENT
    with pytest.raises(OutputTooLarge) as too_large:
        client.output("one", max_bytes=1023)
    assert too_large.value.size is None


def test_an_inline_output_has_to_be_within_the_limit_too(client, service):
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
def test_a_refusal_of_the_storage_is_told(client, storage, status, code, error):
    body = f"<Error><Code>{code}</Code></Error>".encode()
    storage.refusals = [httpx.Response(status, content=body)]
    with pytest.raises(error) as refused:
        client.output("one")
    assert type(refused.value) is error
    assert refused.value.code in (code, "OutputRemoved")
    assert len(storage.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (400, "ExpiredToken")]
)
def test_what_may_pass_at_the_storage_is_tried_again_under_a_new_url(
    client, service, storage, status, code
):
    body = f"<Error><Code>{code}</Code></Error>".encode()
    storage.refusals = [httpx.Response(status, content=body) for _ in range(3)]
    assert client.output("one") == CONTENT
    assert len(service.requests) == 4


@pytest.mark.parametrize(
    ("status", "error"), [("Failed", InferenceFailed), ("Expired", InferenceExpired)]
)
def test_the_output_of_an_inference_that_failed_is_its_failure(client, service, status, error):
    service.invocations["one"].status = status
    record_has(service, failure={"code": "UNKNOWN", "retryable": False})
    with pytest.raises(error) as failed:
        client.output("one")
    assert failed.value.inference.status == status


@pytest.mark.parametrize("status", ["InProgress", "Preempted"])
def test_an_inference_without_an_output_says_its_status(client, service, status):
    service.invocations["one"].status = status
    with pytest.raises(NoOutput) as none:
        client.output("one")
    assert none.value.code == status


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (
            problem(Problem.OUTPUT_UNAVAILABLE, 404, code="AccessDenied"),
            OutputUnavailable,
            "AccessDenied",
        ),
        (problem(Problem.OUTPUT_REMOVED, 410), OutputRemoved, "OutputRemoved"),
    ],
)
def test_why_the_service_has_no_output_is_told(client, service, answer, error, code):
    service.output = answer
    with pytest.raises(error) as unavailable:
        client.output("one")
    assert unavailable.value.code == code


def test_a_saved_output_replaces_a_file_and_tells_its_progress(client, tmp_path):
    path = tmp_path / "out.bin"
    path.write_text("before")
    told = []
    size = client.save_output("one", str(path), progress=lambda *of: told.append(of))
    assert size == len(CONTENT)
    assert path.read_bytes() == CONTENT
    assert told[-1] == (1024, 1024)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_file_as_it_was(client, storage, tmp_path):
    path = tmp_path / "out.bin"
    path.write_text("before")
    storage.refusals = [httpx.Response(403)]
    with pytest.raises(OutputUnavailable):
        client.save_output("one", path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_progress_that_raises_leaves_no_part_behind(client, tmp_path):
    def stop(*_of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.save_output("one", tmp_path / "out.bin", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_saved_output_keeps_the_mode_of_the_file_that_it_replaces(client, tmp_path):
    path = tmp_path / "out.bin"
    path.touch(mode=0o600)
    modes = set()
    client.save_output(
        "one", path, progress=lambda *_of: modes.update(map(mode_of, tmp_path.iterdir()))
    )
    assert (path.read_bytes(), mode_of(path)) == (CONTENT, 0o600)
    assert modes == {0o600}


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("exists", [True, False])
def test_a_saved_output_leaves_a_link_and_replaces_what_it_names(client, tmp_path, exists):
    named = tmp_path / "elsewhere" / "out.bin"
    named.parent.mkdir()
    if exists:
        named.write_text("before")
    link = tmp_path / "link"
    link.symlink_to(named)
    client.save_output("one", link)
    assert link.is_symlink()
    assert named.read_bytes() == CONTENT
    assert list(named.parent.iterdir()) == [named]


def test_an_output_is_written_into_a_pipe(client, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        client.save_output("one", pipe)
        assert reader.read() == CONTENT
    assert list(tmp_path.iterdir()) == [pipe]
    assert pipe.is_fifo()


def test_a_folder_is_no_target(client, storage, tmp_path):
    with pytest.raises(IsADirectoryError):
        client.save_output("one", tmp_path)
    assert storage.requests == []


def test_an_empty_output_is_saved_as_an_empty_file(client, storage, tmp_path):
    storage.content = b""
    assert client.save_output("one", tmp_path / "out") == 0
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize(
    ("content_type", "content", "parsed"),
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
def test_an_output_is_parsed_by_the_type_that_the_model_named(
    client, service, storage, content_type, content, parsed
):
    record_has(service, output={"content_type": content_type})
    storage.content = content
    found = client.parsed_output("one")
    assert (found, type(found)) == (parsed, type(parsed))


def test_without_a_named_type_it_is_parsed_by_that_of_the_object(client, storage):
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
def test_an_output_that_is_not_what_its_type_says_is_handed_out_with_the_error(
    client, service, storage, content_type, content
):
    record_has(service, output={"content_type": content_type})
    storage.content = content
    with pytest.raises(OutputMalformed) as malformed:
        client.parsed_output("one")
    assert malformed.value.content == content
    assert isinstance(malformed.value, ValueError)


def test_an_output_inside_the_record_is_not_asked_for_again(client, service, storage):
    inline = {"encoding": "utf-8", "content": "[1]"}
    record_has(service, output={"content_type": "application/json", "inline": inline})
    assert client.parsed_output("one") == [1]
    assert len(service.requests) == 1
    assert storage.requests == []


def test_an_output_inside_the_record_in_an_unknown_encoding_is_asked_for(client, service, storage):
    inline = {"encoding": "zstd", "content": "KLUv"}
    record_has(service, output={"content_type": "application/json", "inline": inline})
    storage.content = b"[1]"
    assert client.parsed_output("one") == [1]


def test_the_output_of_an_invocation_is_waited_for(client, service, clock):
    service.invocations["one"].ends_at = 30
    response = {"InferenceId": "one", "OutputLocation": "s3://bucket/one.out"}
    assert client.get_output(response, 60) == CONTENT
    assert clock.now == 30


def test_an_invocation_that_fails_raises_rather_than_being_waited_for(client, service, clock):
    service.invocations["one"].ends_at = 30
    service.invocations["one"].status = "Failed"
    with pytest.raises(InferenceFailed):
        client.get_output({"InferenceId": "one"}, 60)
    assert clock.now == 30


def test_an_invocation_that_does_not_end_is_waited_for_until_the_timeout(client, service):
    service.invocations["one"].ends_at = 300
    with pytest.raises(WaitTimeout):
        client.get_output("s3://bucket/one.out", 60, inference_id="one")


def test_the_output_of_an_earlier_invocation_is_not_taken_for_this_ones(client, service, clock):
    """An id may be used again."""
    record_has(service, output={"location": "s3://bucket/earlier.out"})
    response = {"InferenceId": "one", "OutputLocation": "s3://bucket/one.out"}
    with pytest.raises(WaitTimeout, match="recorded of an earlier invocation only"):
        client.get_output(response, 60)
    assert clock.now == 60
    assert len(service.requests) < 12
    record_has(service, output={"location": "s3://bucket/one.out"})
    assert client.get_output(response, 60) == CONTENT


def test_a_location_that_is_none_is_refused(client, service):
    with pytest.raises(InvalidRequest, match="response: expected an OutputLocation in S3"):
        client.get_output({"InferenceId": "one", "OutputLocation": "elsewhere"}, 60)
    assert service.requests == []


@pytest.mark.parametrize(
    ("response", "told"),
    [
        ("s3://bucket/one.out", "inference_id: .*cannot tell failed from slow"),
        ({"OutputLocation": "s3://bucket/one.out"}, "response: .*InferenceId"),
    ],
)
def test_a_location_alone_is_refused_with_the_reason(client, service, response, told):
    with pytest.raises(InvalidRequest, match=told):
        client.get_output(response, 60)
    assert service.requests == []
