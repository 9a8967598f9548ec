"""The Tableau server that shows people the extracts: how to reach it, and what its refusals mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests

from blocks.settings.extras import check_extra
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import TableauFields
from blocks.system_block import SystemBlock

if TYPE_CHECKING:
    # Of the extra bi, which may be missing.
    from tableauserverclient import Server

# Between two bytes of an answer: a publish is answered when the server has taken the extract in.
TIMEOUT_SECONDS = 300


class TableauServer(TableauFields, SystemBlock):
    """A site, the project to publish to, and a personal access token that may publish there."""

    _block_type_name = "Tableau Server"

    def check(self) -> None:
        """Sign in and look for the project. Raises PipelineFailure."""
        with tableau_server(self) as server:
            project_id(server, self)


@contextmanager
def tableau_server(settings: TableauFields) -> Iterator["Server"]:
    """A server that is signed in to the site, and out of it at the end.

    Raises PermanentFailure if something is not set, or refused; TransientFailure if nobody answers. Neither
    message holds the token.
    """
    check_extra("bi")
    import tableauserverclient as tableau
    from tableauserverclient.server.endpoint import exceptions as refusals

    where = _check_given(settings)
    secret = settings.tableau_token.get_secret_value()
    token = tableau.PersonalAccessTokenAuth(settings.tableau_token_name, secret, settings.tableau_site)
    try:
        server = tableau.Server(where, use_server_version=True, http_options={"timeout": TIMEOUT_SECONDS})
        with server.auth.sign_in(token):
            yield server
    except refusals.FailedSignInError as error:
        raise PermanentFailure(
            f"Tableau at {where} refuses the token {settings.tableau_token_name} ({error.code}); correct "
            "TABLEAU_TOKEN_NAME, TABLEAU_TOKEN or TABLEAU_SITE"
        ) from None
    except (requests.ConnectionError, requests.Timeout, refusals.InternalServerError) as error:
        raise TransientFailure(
            f"Tableau does not answer at {where} ({type(error).__name__}); correct TABLEAU_SERVER_URL, or "
            "open the network"
        ) from None
    except refusals.TableauError as error:
        raise PermanentFailure(
            f"Tableau at {where} refuses: {_message(error)}; correct TABLEAU_SERVER_URL, TABLEAU_PROJECT or "
            "what this token may do"
        ) from None


def project_id(server: "Server", settings: TableauFields) -> str:
    """The id of the project to publish to. Raises PermanentFailure if the token sees none of its name."""
    found = [project.id for project in server.projects.filter(name=settings.tableau_project)]
    if not found or not found[0]:
        raise PermanentFailure(
            f"Tableau at {settings.tableau_server_url} shows this token no project "
            f"{settings.tableau_project!r}; make it, or correct TABLEAU_PROJECT"
        )
    return found[0]


def _check_given(settings: TableauFields) -> str:
    """The address, for messages. Raises PermanentFailure if something needed is not set."""
    given = {
        "TABLEAU_SERVER_URL": settings.tableau_server_url,
        "TABLEAU_TOKEN_NAME": settings.tableau_token_name,
        "TABLEAU_TOKEN": settings.tableau_token.get_secret_value(),
    }
    if missing := [name for name, value in given.items() if not value]:
        raise PermanentFailure(f"the Tableau server is not known: set {', '.join(missing)}")
    if not settings.tableau_server_url.startswith(("https://", "http://")):
        raise PermanentFailure("TABLEAU_SERVER_URL is no URL; write it as https://…")
    return settings.tableau_server_url


def _message(error: Exception) -> str:
    return f"{getattr(error, 'summary', '')} {getattr(error, 'detail', '')}".strip() or type(error).__name__
