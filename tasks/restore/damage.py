"""Damage to the lake: tables whose log cannot be read, or whose files are gone or no Parquet files."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from blocks.lake_storage import one_line
from blocks.settings.failures import is_store_outage
from lake.delta import Lake
from lake.new_files import as_uri
from lake.right import check_right

WORKERS = 16
# The layers that can be built from bronze.
DERIVED = ("silver", "quarantine", "gold")


def damaged_tables(lake: Lake) -> dict[str, str]:
    """What is wrong with each damaged table, by its name; reads the logs and the ends of the live files."""
    return {name: wrong for name in lake.folders() if (wrong := damage(lake, name))}


def damage(lake: Lake, name: str) -> str:
    """What is wrong with a table; empty if nothing is. Raises what a store that does not answer raises."""
    try:
        table = DeltaTable(lake.uri(name))
    except TableNotFoundError:
        return "its log is gone" if _holds_files(lake.uri(name)) else ""
    except (DeltaError, OSError) as error:
        if is_store_outage(error):
            raise
        return f"its log cannot be read ({one_line(error)[:200]})"
    with ThreadPoolExecutor(WORKERS) as pool:
        wrong = sorted(filter(None, pool.map(_damage_of, table.file_uris())))
    return f"{wrong[0]}{f', and {len(wrong) - 1} more files' if wrong[1:] else ''}" if wrong else ""


def drop(lake: Lake, name: str) -> None:
    """Delete a table with all of its history."""
    check_right()
    filesystem, path = pafs.FileSystem.from_uri(lake.uri(name))
    if filesystem.get_file_info(path).type == pafs.FileType.Directory:
        filesystem.delete_dir(path)


def remedies(lake: Lake) -> Iterator[str]:
    """A sentence per damaged table: what is wrong, and the command that mends it."""
    for name, wrong in damaged_tables(lake).items():
        layer = name.split(".")[0]
        if layer in DERIVED:
            remedy = f"python -m flows.restore {name} --from bronze"
        elif layer == "bronze":
            remedy = f"python -m flows.restore {name} --from copy (or --from source)"
        elif layer == "ops":
            remedy = f"python -m flows.restore {name} --from copy"
        else:
            remedy = f"delete the folder {lake.uri(name)}: a run makes it again"
        yield f"{name} is damaged: {wrong}; {remedy}"


def _holds_files(uri: str) -> bool:
    filesystem, path = pafs.FileSystem.from_uri(uri)
    entries = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return any(entry.base_name.endswith(".parquet") for entry in entries)


def _damage_of(file: str) -> str:
    filesystem, path = pafs.FileSystem.from_uri(as_uri(file))
    name = path.rpartition("/")[2]
    try:
        with filesystem.open_input_file(path) as opened:
            pq.read_metadata(opened)
    except FileNotFoundError:
        return f"{name} is gone"
    except (OSError, pa.ArrowInvalid) as error:
        if is_store_outage(error):
            raise
        return f"{name} cannot be read ({one_line(error)[:100]})"
    return ""
