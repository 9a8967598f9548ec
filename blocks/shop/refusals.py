"""What PostgreSQL, or a pooler before it, says when it refuses or breaks off, and what that means for a run.

libpq gives no SQLSTATE for a connection that was refused, so those are told by their words; a server that
speaks another language has its refusals retried, which costs minutes and misleads nobody.
"""

import re

import psycopg2
from psycopg2 import errors

from blocks.settings.failures import PermanentFailure, TransientFailure

# What is said when trying again cannot help.
FINAL_REFUSALS = re.compile(
    "authentication failed|no password supplied|does not exist|no pg_hba.conf entry"
    "|not permitted to log in|is not currently accepting connections|permission denied"
    "|does not support SSL|certificate verify failed|does not match host name|invalid \\S+ value"
    "|unrecognized configuration parameter|invalid value for parameter|definition of service"
    # PgBouncer before 1.20, Supabase's pooler, Neon.
    "|no such user|no such database|Tenant or user not found|Endpoint ID is not specified"
)
NO_ROOM = re.compile("too many (clients|connections)|connection slots|no more connections allowed")
LIMITS = (
    "PgBouncer's idle_transaction_timeout, query_timeout or query_wait_timeout, a firewall's, "
    "or a read replica's max_standby_streaming_delay"
)
RECOVERY = (
    "the read replica had to follow its primary; set hot_standby_feedback = on there, raise its "
    "max_standby_streaming_delay, or extract when less is written"
)
THE_QUERY = "correct its query in SHOP_QUERIES, SHOP_DSN or the search_path of its user"
THE_OWNERS = "those who own the tables must mend it"
# By SQLSTATE, or its first two letters: what happened, and what to do (if it does not pass).
TRANSIENT = {
    "40": ("gave up a statement", RECOVERY),
    "53": ("has no resources left", "free its memory, disk or connections"),
    "55P03": ("waited in vain for a lock", "extract when no migration runs"),
    "57014": (
        "cancelled a statement",
        "see pg_stat_activity for what it waited for; a table that takes longer needs "
        "options=-cstatement_timeout%3D4h in SHOP_DSN",
    ),
}
PERMANENT = {
    "0A": ("refuses", THE_QUERY),
    "25P03": ("ended the session", "set idle_in_transaction_session_timeout = 0 for its user"),
    "25P04": ("ended the session", "set transaction_timeout = 0 for its user"),
    "3F": ("refuses", THE_QUERY),
    "42": ("refuses", THE_QUERY),
    "53400": ("refuses", "raise that limit for its user, temp_file_limit most likely"),
    "54": ("refuses", THE_QUERY),
    "55": ("refuses", THE_OWNERS),
    "57P05": ("ended the session", "set idle_session_timeout = 0 for its user"),
    "58": ("cannot read its own files", THE_OWNERS),
    "P0": ("refuses", THE_OWNERS),
    "XX": ("cannot read its own rows", THE_OWNERS),
}


class NoSession(psycopg2.OperationalError):
    """A pooler had no session for a transaction in time."""


def connection_refusal(where: str, message: str) -> PermanentFailure | TransientFailure:
    """What a failed attempt to connect to `where` means, from libpq's words."""
    # Lines that begin with a tab are libpq's guesses.
    reason = "; ".join(line for line in message.strip().splitlines() if not line.startswith("\t"))
    if "unsupported startup parameter" in message:
        return PermanentFailure(
            f"the pooler at {where} refuses the options in SHOP_DSN or PGOPTIONS ({reason}); set them for "
            "its user instead (alter role … set search_path = …), or give SHOP_DSN the server's own address"
        )
    if FINAL_REFUSALS.search(message):
        return PermanentFailure(
            f"the shop's database at {where} refuses the connection ({reason}); correct SHOP_DSN"
        )
    if NO_ROOM.search(message):
        return TransientFailure(
            f"the shop's database at {where} has no connection left ({reason}); close some or raise the limit"
        )
    return TransientFailure(
        f"the shop's database at {where} cannot be reached ({reason}); start it, or correct SHOP_DSN"
    )


def statement_refusal(
    where: str, error: psycopg2.Error, seconds: float
) -> PermanentFailure | TransientFailure | None:
    """What an error means that came `seconds` into a transaction.

    None for one that is about a row's value, or a mistake of ours: whoever made the statement knows more.
    """
    code, said = error.pgcode or "", " ".join(str(error).split())
    if isinstance(error, errors.InsufficientPrivilege):
        return PermanentFailure(f"the shop's database at {where} refuses: {said}; {_missing_right(said)}")
    for key in (code, code[:2]):
        for known, failure in ((TRANSIENT, TransientFailure), (PERMANENT, PermanentFailure)):
            if key in known:
                what, remedy = known[key]
                remedy = RECOVERY if "recovery" in said else remedy
                return failure(f"the shop's database at {where} {what}: {said}; {remedy}")
    if isinstance(error, NoSession):
        return TransientFailure(f"the pooler at {where} had {said}: all are in use; raise its pool_size")
    if not is_break(error):
        return None
    # What the server said last is lost in libpq once it has closed the socket; the age is all that is known.
    return TransientFailure(
        f"the shop's database at {where} broke off {seconds:.0f} s into a transaction: {said}. If it does so "
        f"each time, a time limit ends it ({LIMITS}): raise that, or give SHOP_DSN the server's own address. "
        "A pooler must be in session or transaction mode"
    )


def is_break(error: psycopg2.Error) -> bool:
    """Whether the connection was lost, rather than a statement refused."""
    # A COPY that is cut off may come as a bare DatabaseError, without a word from the server.
    lost_without_a_word = type(error) is psycopg2.DatabaseError and error.pgcode is None
    return lost_without_a_word or isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))


def _missing_right(said: str) -> str:
    if "row-level security" in said:
        return "give its user a policy that shows all rows, or BYPASSRLS, and no row_security = off"
    if "for schema" in said:
        return "grant USAGE on the schema to its user"
    if "for function" in said:
        return "grant EXECUTE on the function to its user"
    return "grant SELECT to its user"
