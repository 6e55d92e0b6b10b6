"""MiniStack: AWS in one process, with TLS and IAM enforcement."""

import ssl
import urllib.request
from pathlib import Path

import certifi

from local.environment import ACCOUNT, REGION, ROOT, LocalFolder, host_environment
from local.processes import Processes

NAME = "ministack"


def start_embedded_aws(folder: LocalFolder, processes: Processes) -> None:
    """Start MiniStack on a free port unless it runs, and write a CA bundle that trusts it."""
    if processes.running(NAME):
        return
    # Other processes used an earlier emulator, whose state is gone.
    processes.stop_all()
    folder.choose_ports()
    ports = folder.ports()
    port = ports["aws"]
    temporary = folder.path / "tmp"
    temporary.mkdir(exist_ok=True)
    processes.start(
        NAME,
        [str(ROOT / ".venv-ministack" / "bin" / "ministack")],
        env=host_environment()
        | {
            "TMPDIR": str(temporary),
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            # Functions inherit this variable, so the API invokes the simulated endpoint.
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": f"http://127.0.0.1:{ports['simulated-endpoint']}",
            "AUTH": "true",
            # The policy of the bootstrap bucket requires TLS, and AUTH enforces it.
            "USE_SSL": "1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        },
        is_up=lambda: _healthy(port, folder.certificate),
    )
    folder.ca_bundle.write_text(_system_authorities() + folder.certificate.read_text())


def _healthy(port: int, certificate: Path) -> bool:
    try:
        trusting = ssl.create_default_context(cafile=certificate)
        url = f"https://127.0.0.1:{port}/_ministack/health"
        with urllib.request.urlopen(url, context=trusting, timeout=2):
            return True
    except OSError:  # no certificate yet, no connection, or an error response (URLError)
        return False


def _system_authorities() -> str:
    return Path(ssl.get_default_verify_paths().cafile or certifi.where()).read_text()
