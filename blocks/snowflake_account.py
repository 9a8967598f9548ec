"""The Snowflake account that holds the warehouse: how to reach it, and what its refusals mean."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import SnowflakeFields
from blocks.system_block import SystemBlock

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


class SnowflakeAccount(SnowflakeFields, SystemBlock):
    """Account, user, and what the user works with; docs/warehouses.md says what to grant."""

    _block_type_name = "Snowflake Account"

    def check(self) -> None:
        """Log in and make the schema `ops`, if it is not there. Raises PipelineFailure."""
        with snowflake_connection(self) as connection:
            connection.cursor().execute("create schema if not exists ops")


@contextmanager
def snowflake_connection(settings: SnowflakeFields) -> Iterator[SnowflakeConnection]:
    """A connection to the database, closed at the end.

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
            f"Snowflake at {where} refuses user {settings.snowflake_user} ({_message(error)}); correct "
            "SNOWFLAKE_USER, SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY"
        ) from None
    try:
        yield connection
    except UNREACHABLE as error:
        raise TransientFailure(f"Snowflake at {where} broke off: {_message(error)}") from None
    except refusals.ProgrammingError as error:
        raise PermanentFailure(
            f"Snowflake at {where} refuses a statement: {_message(error)}; correct SNOWFLAKE_ROLE, "
            "SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE or what this role may do (docs/warehouses.md)"
        ) from error
    finally:
        connection.close()


def _check_given(settings: SnowflakeFields) -> str:
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


def _options(settings: SnowflakeFields) -> dict[str, Any]:
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


def _message(error: refusals.Error) -> str:
    return str(error.raw_msg or error.msg or type(error).__name__).strip().splitlines()[0]
