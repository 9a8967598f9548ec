"""The Snowflake account that holds the warehouse: how to reach it, and what its refusals mean."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.failures import PermanentFailure, TransientFailure

with warnings.catch_warnings():
    # Of a copy of requests inside the connector, which warns of the packages it finds beside it.
    warnings.simplefilter("ignore")
    from snowflake.connector import SnowflakeConnection as SnowflakeConnection
    from snowflake.connector import connect
    from snowflake.connector import errors as refusals

LOGIN_TIMEOUT_SECONDS = 20
# One answer over the network, not a statement: those may take as long as STATEMENT_TIMEOUT_SECONDS.
NETWORK_TIMEOUT_SECONDS = 120
STATEMENT_TIMEOUT_SECONDS = 3600
# What the query history, and so the bill, knows us by.
QUERY_TAG = "ecommerce-pipeline"
# The connector wraps an account that does not answer, or does not exist, as 250001 and 290404.
UNREACHABLE = (refusals.OperationalError, refusals.HttpError, refusals.InterfaceError)


class SnowflakeAccount(Block):
    """Account, user, and what the user works with; docs/warehouses.md says what to grant."""

    _block_type_name = "Snowflake Account"

    snowflake_account: str = Field(title="Account", description="The account identifier: ORG-ACCOUNT.")
    snowflake_user: str = Field(title="User", description="Of type SERVICE, for this pipeline alone.")
    snowflake_password: SecretStr = Field(default=SecretStr(""), title="Password, unless a key is given")
    snowflake_private_key: SecretStr = Field(
        default=SecretStr(""),
        title="Private key",
        description="PKCS#8 without a password, DER in base64.",
    )
    snowflake_role: str = Field(default="", title="Role; empty for the user's default")
    snowflake_warehouse: str = Field(default="", title="Virtual warehouse; empty for the user's default")
    snowflake_database: str = Field(default="ecommerce", title="Database")
    snowflake_host: str = Field(default="", title="Host; empty for the account's own")
    snowflake_port: int = Field(default=443, title="Port")
    snowflake_protocol: Literal["https", "http"] = Field(default="https", title="Protocol")

    def check(self) -> None:
        """Log in and make the schema `ops`, if it is not there. Raises PipelineFailure."""
        with snowflake_connection(self) as connection:
            connection.cursor().execute("create schema if not exists ops")


@contextmanager
def snowflake_connection(settings: Any) -> Iterator[SnowflakeConnection]:
    """A connection to the database, closed at the end; `settings` has SnowflakeAccount's fields.

    Raises PermanentFailure if something is not set, or refused; TransientFailure if nobody answers. Neither
    message holds the password or the key.
    """
    where = _check_given(settings)
    try:
        connection = connect(**_options(settings))
    except UNREACHABLE as error:
        raise TransientFailure(
            f"Snowflake does not answer at {where} ({type(error).__name__} {error.errno}); correct "
            "SNOWFLAKE_ACCOUNT, or open the network"
        ) from None
    except refusals.Error as error:
        raise PermanentFailure(
            f"Snowflake at {where} refuses user {settings.snowflake_user} ({_words(error)}); correct "
            "SNOWFLAKE_USER, SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY"
        ) from None
    try:
        yield connection
    except UNREACHABLE as error:
        raise TransientFailure(f"Snowflake at {where} broke off: {_words(error)}") from None
    except refusals.ProgrammingError as error:
        raise PermanentFailure(
            f"Snowflake at {where} refuses a statement: {_words(error)}; correct SNOWFLAKE_ROLE, "
            "SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE or what this role may do (docs/warehouses.md)"
        ) from error
    finally:
        connection.close()


def _check_given(settings: Any) -> str:
    """The address, for messages. Raises PermanentFailure if something needed is not set."""
    missing = [
        name.upper()
        for name in ("snowflake_account", "snowflake_user", "snowflake_database")
        if not getattr(settings, name)
    ]
    secrets = (settings.snowflake_password, settings.snowflake_private_key)
    if not any(secret.get_secret_value() for secret in secrets):
        missing.append("SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY")
    if missing:
        raise PermanentFailure(f"the Snowflake account is not known: set {', '.join(missing)}")
    return settings.snowflake_host or settings.snowflake_account


def _options(settings: Any) -> dict[str, Any]:
    options = {
        "account": settings.snowflake_account,
        "user": settings.snowflake_user,
        "role": settings.snowflake_role,
        "warehouse": settings.snowflake_warehouse,
        "database": settings.snowflake_database,
        "host": settings.snowflake_host,
        "password": settings.snowflake_password.get_secret_value(),
        "private_key": settings.snowflake_private_key.get_secret_value(),
    }
    return {name: value for name, value in options.items() if value} | {
        "port": settings.snowflake_port,
        "protocol": settings.snowflake_protocol,
        "login_timeout": LOGIN_TIMEOUT_SECONDS,
        "network_timeout": NETWORK_TIMEOUT_SECONDS,
        # Money must not become a binary fraction on its way.
        "arrow_number_to_decimal": True,
        "session_parameters": {
            "QUERY_TAG": QUERY_TAG,
            "TIMEZONE": "UTC",
            "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_TIMEOUT_SECONDS,
        },
    }


def _words(error: refusals.Error) -> str:
    return str(error.raw_msg or error.msg or type(error).__name__).strip().splitlines()[0]
