"""The BigQuery project that holds the warehouse: how to reach it, and what its refusals mean."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import google.auth
from google.api_core import exceptions as refusals
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.bigquery import Client, QueryJobConfig
from google.cloud.bigquery.retry import DEFAULT_RETRY
from google.oauth2 import service_account
from requests.exceptions import RequestException

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import BigQueryFields
from blocks.system_block import SystemBlock

SCOPES = ["https://www.googleapis.com/auth/bigquery"]
UNREACHABLE = (
    refusals.ServerError,
    refusals.TooManyRequests,
    refusals.RetryError,
    RequestException,
    TransportError,
)
REQUEST_TIMEOUT_SECONDS = 60
# Google's own limit, for a server that does not answer, is ten minutes.
RETRY = DEFAULT_RETRY.with_timeout(REQUEST_TIMEOUT_SECONDS)
# What the bill and the job history know us by.
LABELS = {"pipeline": "ecommerce"}


class BigQueryProject(BigQueryFields, SystemBlock):
    """A project for this pipeline alone, since its datasets are named silver, gold and so on."""

    _block_type_name = "BigQuery Project"

    def check(self) -> None:
        """List the datasets. Raises PipelineFailure."""
        with bigquery_client(self) as client:
            list(client.list_datasets(max_results=1, retry=RETRY, timeout=REQUEST_TIMEOUT_SECONDS))


@contextmanager
def bigquery_client(settings: BigQueryFields) -> Iterator[Client]:
    """A client of the project, closed at the end.

    Raises PermanentFailure if something is not set, or refused; TransientFailure if nobody answers. Neither
    message holds a credential.
    """
    if not settings.bigquery_project:
        raise PermanentFailure("BIGQUERY_PROJECT is not set: name the project that is to hold the warehouse")
    where = settings.bigquery_api_endpoint or f"project {settings.bigquery_project}"
    client = Client(
        project=settings.bigquery_project,
        credentials=_credentials(settings),
        location=settings.bigquery_location,
        client_options=ClientOptions(api_endpoint=settings.bigquery_api_endpoint or None),
        default_query_job_config=QueryJobConfig(
            maximum_bytes_billed=settings.bigquery_maximum_bytes_billed, labels=LABELS
        ),
    )
    try:
        yield client
    except UNREACHABLE as error:
        raise TransientFailure(f"BigQuery does not answer for {where} ({type(error).__name__})") from None
    except GoogleAuthError as error:
        raise PermanentFailure(
            f"Google refuses our credentials for {where} ({type(error).__name__}); correct "
            "GOOGLE_APPLICATION_CREDENTIALS or the worker's identity"
        ) from None
    except refusals.ClientError as error:
        raise PermanentFailure(
            f"BigQuery refuses a request in {where}: {str(error.message).splitlines()[0]}; correct "
            "BIGQUERY_PROJECT, BIGQUERY_LOCATION or what our account may do (docs/warehouses.md)"
        ) from error
    finally:
        client.close()


def key_content(settings: BigQueryFields) -> dict[str, str] | None:
    """The service account's key, if the settings hold it instead of the path of its file.

    Raises PermanentFailure if it is no JSON object; the message holds nothing of it.
    """
    key = settings.google_application_credentials.get_secret_value().strip()
    if not key.startswith("{"):
        return None
    try:
        return json.loads(key)
    except ValueError:
        raise PermanentFailure(
            "GOOGLE_APPLICATION_CREDENTIALS begins like a key and is no JSON; correct it"
        ) from None


def _credentials(settings: BigQueryFields) -> Credentials:
    if settings.bigquery_api_endpoint:
        return AnonymousCredentials()
    key, file = key_content(settings), settings.google_application_credentials.get_secret_value()
    try:
        if key:
            return service_account.Credentials.from_service_account_info(key, scopes=SCOPES)
        if file:
            return google.auth.load_credentials_from_file(file, scopes=SCOPES)[0]
        return google.auth.default(scopes=SCOPES)[0]
    except (GoogleAuthError, OSError, ValueError) as error:
        where = "the key" if key else f"the file {file}" if file else "this machine"
        # Not its message: of a broken key it would show a piece.
        raise PermanentFailure(
            f"no Google credentials: {where} gives none ({type(error).__name__}); correct "
            "GOOGLE_APPLICATION_CREDENTIALS"
        ) from None
