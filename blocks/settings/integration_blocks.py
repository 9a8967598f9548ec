"""Blocks of Prefect's own integrations, and the settings that each fills.

Their documents are read as the API has them, so none of these packages must be installed. What this pipeline
has no setting for is left aside: a role to assume, another authenticator than a password or a key.
"""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

Values = dict[str, Any]

AWS_CREDENTIALS = "aws-credentials"


def from_aws(data: Values) -> Values:
    """The settings of prefect-aws' AwsCredentials."""
    return {
        "aws_access_key_id": data.get("aws_access_key_id"),
        "aws_secret_access_key": data.get("aws_secret_access_key"),
        "aws_session_token": data.get("aws_session_token"),
        "aws_region": data.get("region_name"),
        "aws_endpoint_url": (data.get("aws_client_parameters") or {}).get("endpoint_url"),
    }


def from_snowflake(data: Values) -> Values:
    """The settings of prefect-snowflake's SnowflakeCredentials; its key, in PEM, may have a password."""
    pem, password = data.get("private_key"), data.get("password")
    if not pem and (path := data.get("private_key_path")):
        # A path of the machine that runs the pipeline: where one deploys, nothing may be there.
        with suppress(OSError):
            pem = Path(path).expanduser().read_text(encoding="utf-8")
    return {
        "snowflake_account": data.get("account"),
        "snowflake_user": data.get("user"),
        "snowflake_role": data.get("role"),
        "snowflake_password": None if pem else password,
        "snowflake_private_key": _as_der(pem, data.get("private_key_passphrase") or password)
        if pem
        else None,
    }


def from_gcp(data: Values) -> Values:
    """The settings of prefect-gcp's GcpCredentials: the project, and a key file's path or content."""
    key = data.get("service_account_info") or {}
    info: Values = json.loads(key) if isinstance(key, str) else key
    return {
        "bigquery_project": data.get("project") or info.get("project_id"),
        "google_application_credentials": json.dumps(info) if info else data.get("service_account_file"),
    }


def from_slack(data: Values) -> Values:
    """The settings of prefect-slack's SlackWebhook."""
    return {"slack_webhook_url": data.get("url")}


INTEGRATIONS: dict[str, Callable[[Values], Values]] = {
    AWS_CREDENTIALS: from_aws,
    "snowflake-credentials": from_snowflake,
    "gcp-credentials": from_gcp,
    "slack-incoming-webhook": from_slack,
}
# Settings of which our block says all or nothing: its user does not log in with another block's password.
LOGINS = ({"snowflake_user", "snowflake_password", "snowflake_private_key"},)


def _as_der(pem: str, password: str | None) -> str:
    """The key as Snowflake's clients take it; one that cannot be read as it is, for them to refuse."""
    try:
        key = load_pem_private_key(pem.strip().encode(), password.encode() if password else None)
    except TypeError:
        # A password for a key that has none: it was the user's.
        return _as_der(pem, None) if password else pem
    except (ValueError, UnsupportedAlgorithm):
        return pem
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(der).decode()
