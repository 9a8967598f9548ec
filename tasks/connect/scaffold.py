"""The scaffold: a first `<table>.sql` for each source table, guessed from what is in the shop's database.

Where a key is a uuid or a text, times have no zone, or nothing says when a row changed, a `<table>.yaml` lies
beside it: the repository's contract, changed there. No file is ever overwritten.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from blocks.settings.environment import DATA, REPOSITORY
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import EnvironmentSettings
from blocks.shop.connection import shop_transaction
from lake.catalog import shop_tables
from lake.source_table import SourceTable
from tasks.connect.guess import Guess, guess_table
from tasks.connect.query_text import Query, query_text
from tasks.connect.questions import NotKnown, Questions
from tasks.connect.shop_contract import changed_contract
from tasks.connect.shop_schema import read_schema
from tasks.shop.relation import SQL, find_relation

SAMPLED_VALUES = 10_000
MOST_VALUES = 50


@dataclass
class Written:
    """What a scaffold has done, a sentence each."""

    sentences: list[str] = field(default_factory=list)
    is_whole: bool = True
    """False if there is a table that nothing in the shop looks like."""


def scaffold(settings: EnvironmentSettings, folder: Path | None) -> Written:
    """Write the files that are missing in `folder`, else in SHOP_QUERIES, else in data/queries.

    Raises PipelineFailure if the shop's database lets nobody in, or the folder cannot be written.
    """
    where = folder or Path(settings.shop_queries or DATA / "queries")
    written = Written()
    with shop_transaction(settings) as connection:
        questions = Questions(connection)
        try:
            schema = questions.ask(read_schema)
        except NotKnown as reason:
            raise PermanentFailure(f"the shop's tables cannot be listed: {reason}") from None
        tables = shop_tables()
        keys = {table.key for table in tables.values()}
        made = 0
        for table in tables.values():
            if (where / f"{table.name}.sql").exists():
                written.sentences.append(
                    f"{table.name}: {_shown(where / f'{table.name}.sql')} is there already"
                )
            elif _fits(questions, table):
                written.sentences.append(f"{table.name}: the shop's table of that name fits as it is")
            elif guess := guess_table(table, schema, keys):
                words = _words(questions, table, guess)
                query = query_text(connection, table, guess, words, settings.shop_timezone.key)
                written.sentences.append(_write(where, table, guess, query))
                made += 1
            else:
                written.is_whole = False
                written.sentences.append(
                    f"{table.name}: no table of the shop looks like it, or may be read; write "
                    f"{_shown(where / f'{table.name}.sql')} with the columns {', '.join(table.schema.names)}"
                )
    if made:
        # Relative to the repository, as .env is read from there.
        written.sentences.append(
            f"Next: read them, set SHOP_QUERIES={_shown(where)} in .env, and run python -m flows.connect"
        )
    return written


def _fits(questions: Questions, table: SourceTable) -> bool:
    try:
        return not questions.ask(lambda connection: find_relation(connection, table, "")).broken
    except (PermanentFailure, NotKnown, psycopg2.Error):
        return False


def _words(questions: Questions, table: SourceTable, guess: Guess) -> dict[str, list[str]]:
    """Of columns with valid values, the words that the shop has for them."""
    words = {}
    for column in table.columns:
        match = guess.matches.get(column.name)
        if match is None or not column.valid_values:
            continue
        source = match.via.table if match.via else guess.table
        query = SQL(
            "select distinct {0}::text from (select {0} from {1} limit {2}) as sampled order by 1"
        ).format(sql.Identifier(match.column), source.identifier, SQL(str(SAMPLED_VALUES)))
        try:
            found = questions.ask(partial(_texts, query=query))
        except (NotKnown, psycopg2.Error):
            found = []
        words[column.name] = found[:MOST_VALUES]
    return words


def _write(folder: Path, table: SourceTable, guess: Guess, query: Query) -> str:
    files = {f"{table.name}.sql": query.text}
    contract = changed_contract(table, query)
    if contract and not (folder / f"{table.name}.yaml").exists():
        files[f"{table.name}.yaml"] = contract
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise PermanentFailure(
            f"{folder} cannot be written ({error.strerror}); choose another folder"
        ) from error
    left = f"; {query.todos} TODO to settle in it" if query.todos else ""
    names = " and ".join(str(_shown(folder / name)) for name in files)
    return f"{table.name}: wrote {names} from {guess.table.schema}.{guess.table.name}{left}"


def _shown(path: Path) -> Path:
    absolute = path.absolute()
    return absolute.relative_to(REPOSITORY) if absolute.is_relative_to(REPOSITORY) else absolute


def _texts(connection: Connection, query: sql.Composable) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [text for (text,) in cursor.fetchall() if text is not None]
