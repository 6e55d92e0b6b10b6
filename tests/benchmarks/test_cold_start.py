import pytest

from benchmarks.lambda_emulator import StartFailed, parse_init_ms

READY = "28 Nov 2026 16:04:23,254 [INFO] (rapid) INIT RTDONE(status: success)\n"
REPORT = "28 Nov 2026 16:04:23,254 [INFO] (rapid) INIT REPORT(durationMs: 59.238000)\n"


def test_the_duration_is_read_from_the_init_report():
    assert parse_init_ms(["START RequestId: 1\n", READY, REPORT]) == 59.238


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_an_import_error_or_timeout_fails_the_start(status):
    log = ["ModuleNotFoundError: no boto3\n", READY.replace("success", status), REPORT]
    with pytest.raises(StartFailed, match="no boto3"):
        parse_init_ms(log)


def test_a_log_without_a_report_fails_the_start():
    with pytest.raises(StartFailed):
        parse_init_ms([READY])
