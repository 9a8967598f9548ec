"""JSON posted to a webhook. No error holds the address: it is a secret."""

from typing import Any

import httpx

from blocks.alert_channels import NO_URL, TIMEOUT_SECONDS
from blocks.settings.failures import PermanentFailure, TransientFailure

LONGEST_ANSWER = 200


def post(receiver: str, url: str, body: dict[str, Any]) -> str:
    """POST `body`; returns the receiver's answer.

    Raises TransientFailure if it does not answer, is busy (429) or broken (5xx), PermanentFailure if it
    refuses.
    """
    try:
        answer = httpx.post(url, json=body, timeout=TIMEOUT_SECONDS)
    except NO_URL:
        raise PermanentFailure(f"{receiver}'s address is no URL; correct it") from None
    except httpx.HTTPError as error:
        raise TransientFailure(f"{receiver} does not answer ({type(error).__name__})") from None
    # Some servers repeat the address in a refusal.
    secret = answer.request.url.path.strip("/")
    text = answer.text.replace(secret, "…") if secret else answer.text
    receipt = f"{receiver} answered {answer.status_code} {text[:LONGEST_ANSWER]}".strip()
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        raise TransientFailure(receipt)
    if not answer.is_success:
        raise PermanentFailure(f"{receipt}; correct its address or key")
    return receipt
