"""The image's health check: by the container's own command, whether what it serves answers."""

import pytest

from deployments.docker import health
from tests.support.fake_apis import open_api

SERVER = "/opt/venv/bin/python\0/opt/venv/bin/prefect\0server\0start\0--host\x000.0.0.0\0"
WORKER = "prefect\0worker\0start\0--pool\0process\0--with-healthcheck\0"


@pytest.mark.parametrize(
    ("command", "answers", "healthy"),
    [
        pytest.param(SERVER, {"/api/health": True, ":/": True}, True, id="a server"),
        pytest.param(SERVER, {"/api/health": True}, False, id="a server without its page"),
        pytest.param(SERVER, {":/": True}, False, id="a page without its server"),
        pytest.param(WORKER, {"/health": True}, True, id="a worker"),
        pytest.param(WORKER, {}, False, id="a worker that has not been asking for runs"),
        pytest.param(WORKER.replace("--with-healthcheck", ""), {}, True, id="a worker that serves nothing"),
        pytest.param("prefect\0flow-run\0execute\0", {}, True, id="a run"),
    ],
)
def test_health(
    monkeypatch: pytest.MonkeyPatch, command: str, answers: dict[str, bool], healthy: bool
) -> None:
    with open_api({end.removeprefix(":"): it for end, it in answers.items()}, refused=503) as address:
        served = {
            word: tuple(
                url.replace("127.0.0.1:4200", address).replace("127.0.0.1:8080", address) for url in urls
            )
            for word, urls in health.SERVED.items()
        }
        monkeypatch.setattr(health, "SERVED", served)
        if healthy:
            health.check(command)
        else:
            with pytest.raises(OSError, match="503"):
                health.check(command)
