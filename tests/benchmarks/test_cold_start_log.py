import pytest

from benchmarks.cold_start_log import (
    Import,
    StartFailed,
    by_package,
    imports,
    init_ms,
    is_init_report,
)

READY = "28 Nov 2026 16:04:23,254 [INFO] (rapid) INIT RTDONE(status: success)\n"
REPORT = "28 Nov 2026 16:04:23,254 [INFO] (rapid) INIT REPORT(durationMs: 59.238000)\n"
PROFILE = [
    "import time: self [us] | cumulative | imported package\n",
    "import time:       170 |        170 |   _io\n",
    "import time:      1200 |       1370 | json\n",
    "import time:      2500 |       9000 |     botocore.session\n",
    "import time:       500 |       9500 |   botocore\n",
    READY,
    REPORT,
]


def test_the_duration_is_read_from_the_init_report():
    assert init_ms(["START RequestId: 1\n", READY, REPORT]) == 59.238


def test_only_the_init_report_ends_a_start():
    assert [is_init_report(line) for line in (READY, REPORT)] == [False, True]


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_an_import_error_or_timeout_fails_the_start(status):
    log = ["ModuleNotFoundError: no boto3\n", READY.replace("success", status), REPORT]
    with pytest.raises(StartFailed, match="no boto3"):
        init_ms(log)


def test_a_log_without_a_report_fails_the_start():
    with pytest.raises(StartFailed):
        init_ms([READY])


def test_imports_are_sorted_by_their_own_time():
    profile = imports(PROFILE)

    assert profile[:2] == [Import("botocore.session", 2.5, 9.0), Import("json", 1.2, 1.37)]
    assert [each.module for each in profile[2:]] == ["botocore", "_io"]


def test_import_times_are_summed_by_package_with_one_sum_for_the_standard_library():
    assert by_package(imports(PROFILE)) == {"botocore": 3.0, "Python": 1.4}
