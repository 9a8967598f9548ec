"""A fake of Snowflake: `fakesnow`'s server over HTTP, and by hand what dbt and our loads need beyond it.

python -m tests.support.fake_snowflake PORT

Nothing here says what Snowflake does; what it accepts, Snowflake may reject. docs/warehouses.md lists what was
run against it. Only the user and password of tests/support/emulators.py get in.
"""

import contextlib
import gzip
import json
import re
import sys
from typing import Any

import fakesnow.arrow
import fakesnow.cursor
import fakesnow.server
import fakesnow.transforms
import pyarrow as pa
import pyarrow.compute as pc
import snowflake.connector.errors
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.emulators import PASSWORD, USER

# Of no consequence to rows: rights, compute, tags, comments.
IGNORED = re.compile(
    r"\s*(grant|revoke|use\s+(warehouse|role)|alter\s+(session|warehouse)|comment\s+on|"
    r"alter\s+table\s+\S+\s+(resume|suspend)\s+recluster)\b",
    re.IGNORECASE,
)

parse_one = fakesnow.cursor.parse_one
execute = FakeSnowflakeCursor.execute
create_clone = fakesnow.transforms.create_clone
login_request = fakesnow.server.login_request
timestamp_to_sf_struct = fakesnow.arrow.timestamp_to_sf_struct


def parse(command: str) -> exp.Expression:
    """The statement as fakesnow can run it."""
    if IGNORED.match(command):
        command = "select 'Statement executed successfully.' as status"
    statement = parse_one(re.sub(r"\bcopy grants\s*$", "", command, flags=re.IGNORECASE))
    if isinstance(statement, exp.Create):
        without_temporary(statement)
    if isinstance(statement, exp.Merge):
        with_source_named(statement)
    return statement


def clone(statement: exp.Expression) -> exp.Expression:
    """CREATE OR REPLACE … CLONE, of which fakesnow forgets the second word."""
    made = create_clone(statement)
    if made is not statement:
        made.set("replace", statement.args.get("replace"))
    return made


def without_temporary(create: exp.Create) -> None:
    """DuckDB's temporary tables live in a schema of their own; here they live on under the name they got."""
    properties = create.args.get("properties")
    if properties and create.find(exp.Table).db:
        kept = [each for each in properties.expressions if not isinstance(each, exp.TemporaryProperty)]
        properties.set("expressions", kept)


def with_source_named(merge: exp.Merge) -> None:
    """Columns that MERGE inserts are the source's, as are those of a subquery without a prefix."""
    source = merge.args["using"].alias_or_name
    for when in merge.args["whens"].expressions:
        then = when.args.get("then")
        if isinstance(then, exp.Insert):
            for column in then.expression.find_all(exp.Column):
                if not column.table:
                    column.set("table", exp.to_identifier(source))


def execute_or_refuse(self: FakeSnowflakeCursor, command: str, *args: Any, **kwargs: Any) -> Any:
    """A statement that fails is undone and refused; as an HTTP 500 the connector would try it for ever."""
    try:
        cursor = execute(self, command, *args, **kwargs)
        if isinstance(self._last_transformed, exp.Merge):
            report_merged(self)
        return cursor
    except Exception as error:
        # Not every statement that fails was within a transaction.
        with contextlib.suppress(Exception):
            self._duck_conn.execute("rollback")
        if isinstance(error, snowflake.connector.errors.ProgrammingError):
            raise
        raise snowflake.connector.errors.ProgrammingError(
            msg=f"{type(error).__name__}: {error}", errno=1003, sqlstate="42000"
        ) from error


def report_merged(cursor: FakeSnowflakeCursor) -> None:
    """DuckDB's own MERGE counts all rows together; the connector adds up what Snowflake counts apart."""
    [count] = cursor._arrow_table.column(0).to_pylist()
    cursor._last_sql, cursor._last_params = f'select {count} as "number of rows inserted"', None
    cursor._arrow_table = cursor._duck_conn.execute(cursor._last_sql).to_arrow_table()


async def login_or_refuse(request: Request) -> JSONResponse:
    """Snowflake's own answer to a wrong password."""
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    data = json.loads(body)["data"]
    if (data.get("LOGIN_NAME"), data.get("PASSWORD")) != (USER, PASSWORD):
        return JSONResponse(
            {
                "data": {"nextAction": "RETRY_LOGIN"},
                "code": "390100",
                "message": "Incorrect username or password was specified.",
                "success": False,
            }
        )
    return await login_request(request)


def keep_nulls(times: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Without this, no time comes back as the first second of 1970."""
    if isinstance(times, pa.ChunkedArray):
        times = times.combine_chunks()
    known = timestamp_to_sf_struct(pc.fill_null(times, pa.scalar(0, times.type)))
    return pa.StructArray.from_arrays(known.flatten(), fields=list(known.type), mask=times.is_null())


def main() -> None:
    """Serve on 127.0.0.1 until killed."""
    fakesnow.cursor.parse_one = parse
    fakesnow.arrow.timestamp_to_sf_struct = keep_nulls
    fakesnow.transforms.create_clone = clone
    # Its MERGE in parts writes to a second database, which DuckDB cannot within a transaction.
    fakesnow.transforms.merge = lambda statement: [statement]
    # It sums money as binary fractions.
    fakesnow.transforms.numeric_agg_implicit_cast = lambda statement: statement
    FakeSnowflakeCursor.execute = execute_or_refuse  # type: ignore[method-assign]
    login = Route("/session/v1/login-request", login_or_refuse, methods=["POST"])
    # The first route that fits is taken.
    app = Starlette(routes=[login, *fakesnow.server.routes])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
