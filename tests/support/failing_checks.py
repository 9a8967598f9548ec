"""A check that fails, and the secret that it must not show."""

from collections.abc import Callable

import pytest

from blocks.settings.failures import PipelineFailure

SECRET = "hunter2secret"


def failure(check: Callable[..., object], *arguments: object) -> PipelineFailure:
    """How a check fails, without showing the secret, or a piece of it."""
    with pytest.raises(PipelineFailure) as raised:
        check(*arguments)
    assert not any(piece in str(raised.value) for piece in ("hunter", "2secret"))
    return raised.value
