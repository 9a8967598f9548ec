"""The block of a Tableau server, against a stand-in written by hand (tests/support/fake_tableau.py)."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from blocks.settings.extras import PACKAGES
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.tableau_server import TableauServer
from tests.support.failing_checks import SECRET, failure
from tests.support.fake_tableau import FakeTableau, fields, open_tableau


@pytest.fixture
def tableau() -> Iterator[FakeTableau]:
    with open_tableau() as opened:
        yield opened


def test_a_check_signs_in_finds_the_project_and_publishes_nothing(tableau: FakeTableau) -> None:
    TableauServer(**fields(tableau).model_dump()).check()
    assert (tableau.signed_out, tableau.published) == (1, {})


def test_without_the_extra_a_check_says_what_to_install(
    tableau: FakeTableau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PACKAGES, "bi", ("not_installed",))
    failed = failure(TableauServer(**fields(tableau).model_dump()).check)
    assert isinstance(failed, PermanentFailure)
    assert str(failed).startswith("the extra bi is missing (not_installed); install it: `make bi`, or ")


@pytest.mark.parametrize(
    ("values", "kind", "sentence"),
    [
        pytest.param(
            {"tableau_token": SecretStr(SECRET)},
            PermanentFailure,
            "refuses the token pipeline (401001); correct TABLEAU_TOKEN_NAME, TABLEAU_TOKEN or TABLEAU_SITE",
            id="a wrong token",
        ),
        pytest.param(
            {"tableau_project": "Shpo"},
            PermanentFailure,
            "shows this token no project 'Shpo'; make it, or correct TABLEAU_PROJECT",
            id="no such project",
        ),
        pytest.param(
            {"tableau_token": SecretStr(""), "tableau_token_name": ""},
            PermanentFailure,
            "set TABLEAU_TOKEN_NAME, TABLEAU_TOKEN",
            id="no token",
        ),
        pytest.param(
            {"tableau_server_url": "tableau"}, PermanentFailure, "TABLEAU_SERVER_URL is no URL", id="no URL"
        ),
        pytest.param(
            {"tableau_server_url": "http://127.0.0.1:9"},
            TransientFailure,
            "Tableau does not answer at http://127.0.0.1:9 (ConnectionError)",
            id="nobody there",
        ),
    ],
)
def test_a_server_that_refuses_is_a_sentence_without_the_token(
    tableau: FakeTableau, values: dict[str, Any], kind: type, sentence: str
) -> None:
    failed = failure(TableauServer(**fields(tableau, **values).model_dump()).check)
    assert isinstance(failed, kind)
    assert sentence in str(failed)
