"""Where the data lie: the clickstream that comes in, the lake, the warehouse."""

import re
from pathlib import Path

import pyarrow.fs as pafs
from prefect.blocks.core import Block
from pydantic import Field

from blocks.failures import PermanentFailure
from blocks.settings import WarehouseKind


class LakeStorage(Block):
    """The folders of the platform; the lake's and the warehouse's are its own, and it alone writes there."""

    _block_type_name = "Lake Storage"

    clickstream_uri: str = Field(
        title="Clickstream", description="Folder or URI with a folder YYYY-MM-DD of JSON lines per day."
    )
    lake_uri: str = Field(title="Lake", description="Root folder or URI of the Delta tables.")
    warehouse: WarehouseKind = Field(default="duckdb", title="Warehouse")
    duckdb_path: str = Field(
        title="Warehouse file", description="The DuckDB file that people read, if that is the warehouse."
    )

    def check(self) -> None:
        """Write and delete a file where the platform writes. Raises PermanentFailure."""
        check_writable("LAKE_URI", self.lake_uri)
        if self.warehouse == "duckdb":
            check_writable("DUCKDB_PATH", Path(self.duckdb_path).resolve().parent.as_uri())


def check_writable(variable: str, uri: str) -> None:
    """Write and delete an empty file below `uri`; raises PermanentFailure if that does not work."""
    try:
        filesystem, root = pafs.FileSystem.from_uri(uri)
        filesystem.create_dir(root)
        probe = f"{root.rstrip('/')}/.writable"
        filesystem.open_output_stream(probe).close()
        filesystem.delete_file(probe)
    except (OSError, ValueError) as error:
        # Arrow takes S3 credentials as s3://key:secret@bucket, and repeats the URI in its errors.
        where = re.sub(r"(?<=://)[^/]*@|\?.*", "", uri)
        reason = str(error).replace(uri, where).partition("\n")[0]
        raise PermanentFailure(
            f"{variable}: cannot write below {where} ({reason}); correct it or its rights"
        ) from None
