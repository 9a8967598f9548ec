"""The check of the monitoring block, against a real gateway and a real PostgreSQL."""

import pytest
from pydantic import SecretStr

from blocks.monitoring import Monitoring
from blocks.settings.failures import PermanentFailure, PipelineFailure, TransientFailure
from spark_jobs.engine.local_server import free_port


def test_what_is_off_is_not_asked() -> None:
    Monitoring().check()


def test_what_is_there_is_well(pushgateway: str, database: str) -> None:
    Monitoring(pushgateway_url=SecretStr(pushgateway), ops_dsn=SecretStr(database)).check()


@pytest.mark.parametrize(
    ("field", "address", "failure", "words"),
    [
        (
            "pushgateway_url",
            "http://me:hunter2secret@127.0.0.1:{port}",
            TransientFailure,
            "127.0.0.1 does not answer",
        ),
        ("pushgateway_url", "gateway:hunter2secret", PermanentFailure, "PUSHGATEWAY_URL is no URL"),
        (
            "ops_dsn",
            "postgresql://me:hunter2secret@127.0.0.1:{port}/x",
            TransientFailure,
            "Connection refused",
        ),
        (
            "ops_dsn",
            "postgresql:/me:hunter2secret@127.0.0.1/x",
            PermanentFailure,
            "OPS_DSN: ProgrammingError",
        ),
    ],
)
def test_what_is_not_there_is_named_without_its_password(
    field: str, address: str, failure: type[PipelineFailure], words: str
) -> None:
    block = Monitoring(**{field: SecretStr(address.format(port=free_port()))})
    with pytest.raises(failure, match=words) as raised:
        block.check()
    assert "secret" not in str(raised.value)
