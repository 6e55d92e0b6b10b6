import pytest

from benchmarks.start_log import Import, StartFailed, by_package, imports, init_ms, is_reported

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


def test_a_start_took_what_the_emulator_reports():
    assert init_ms(["START RequestId: 1\n", READY, REPORT]) == 59.238


def test_a_start_has_ended_with_its_report():
    assert [is_reported(line) for line in (READY, REPORT)] == [False, True]


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_a_function_that_cannot_be_imported_is_no_fast_start(status):
    log = ["ModuleNotFoundError: no boto3\n", READY.replace("success", status), REPORT]
    with pytest.raises(StartFailed, match="no boto3"):
        init_ms(log)


def test_a_start_that_was_cut_off_is_none():
    with pytest.raises(StartFailed):
        init_ms([READY])


def test_imports_are_told_by_what_they_took_themselves():
    told = imports(PROFILE)

    assert told[:2] == [Import("botocore.session", 2.5, 9.0), Import("json", 1.2, 1.37)]
    assert [each.module for each in told[2:]] == ["botocore", "_io"]


def test_what_packages_took_is_added_up_with_pythons_own_modules_together():
    assert by_package(imports(PROFILE)) == {"botocore": 3.0, "Python": 1.4}
