"""Posting to a webhook: what each answer means, and that no failure holds the secret address."""

import socket
from collections.abc import Iterator

import pytest

from blocks.settings.failures import PermanentFailure, PipelineFailure, TransientFailure
from tasks.alerts import webhook as module
from tasks.alerts.webhook import post
from tests.support.receivers import Request, Webhook

SECRET = "T0000/B0000/hunter2secret"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def failure(url: str) -> PipelineFailure:
    """How posting to `url` fails."""
    with pytest.raises(PipelineFailure) as raised:
        post("Slack", url, {"text": "hello"})
    assert "hunter2secret" not in str(raised.value)
    return raised.value


def test_the_body_is_posted_as_json_and_the_answer_is_the_receipt(webhook: Webhook) -> None:
    assert post("Slack", f"{webhook.url}/services/{SECRET}", {"text": "ü & <b>"}) == "Slack answered 202 ok"
    assert webhook.requests == [Request(f"/services/{SECRET}", {"text": "ü & <b>"})]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(302, PermanentFailure, id="a redirect is not followed"),
        pytest.param(400, PermanentFailure, id="bad request"),
        pytest.param(403, PermanentFailure, id="forbidden"),
        pytest.param(404, PermanentFailure, id="no such webhook"),
        pytest.param(429, TransientFailure, id="too many requests"),
        pytest.param(500, TransientFailure, id="broken"),
        pytest.param(503, TransientFailure, id="unavailable"),
    ],
)
def test_what_a_refusal_means(webhook: Webhook, status: int, expected: type[PipelineFailure]) -> None:
    webhook.answers.append(status)
    failed = failure(f"{webhook.url}/services/{SECRET}")
    assert type(failed) is expected
    assert str(failed).startswith(f"Slack answered {status} Cannot POST /…")
    assert ("correct its address or key" in str(failed)) == (expected is PermanentFailure)
    assert len(webhook.requests) == 1


def test_a_refusal_without_a_path_is_repeated_as_it_is(webhook: Webhook) -> None:
    webhook.answers.append(500)
    assert str(failure(webhook.url)) == "Slack answered 500 Cannot POST /"


def test_nobody_listening_is_transient() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        failed = failure(f"http://127.0.0.1:{held.getsockname()[1]}/services/{SECRET}")
    assert isinstance(failed, TransientFailure)
    assert str(failed) == "Slack does not answer (ConnectError)"


def test_a_receiver_that_never_answers_is_transient(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.2)
    failed = failure(f"http://127.0.0.1:{silent_port}/services/{SECRET}")
    assert isinstance(failed, TransientFailure)
    assert str(failed) == "Slack does not answer (ReadTimeout)"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"hooks.slack.com/services/{SECRET}", id="no scheme"),
        pytest.param(f"ftp://hooks.slack.com/services/{SECRET}", id="another scheme"),
        pytest.param(f"https:///services/{SECRET}", id="no host"),
        pytest.param(f"https://hooks.slack.com:port/services/{SECRET}", id="a port that is no number"),
        pytest.param(f"https://{'a' * 70}.com/services/{SECRET}", id="a host that cannot be"),
        pytest.param(f"https://hooks.slack.com/services/{SECRET}\n", id="a line break"),
    ],
)
def test_an_address_that_is_none_is_permanent(url: str) -> None:
    failed = failure(url)
    assert isinstance(failed, PermanentFailure)
    assert str(failed) == "Slack's address is no URL; correct it"
