"""The folders of the platform: the clickstream that comes in, the lake, the warehouse."""

import re

import pyarrow.fs as pafs

from blocks.settings.failures import PermanentFailure, PipelineFailure, TransientFailure, is_store_outage
from blocks.settings.fields import LakeFields
from blocks.system_block import SystemBlock


class LakeStorage(LakeFields, SystemBlock):
    """The folders of the platform; the lake's and the warehouse's are its own, and it alone writes there."""

    _block_type_name = "Lake Storage"

    def check(self) -> None:
        """Write and delete a file where the platform writes. Raises PipelineFailure."""
        check_writable("LAKE_URI", self.lake_uri)
        if self.warehouse == "duckdb":
            check_writable("DUCKDB_PATH", self.duckdb_path.resolve().parent.as_uri())


def check_writable(variable: str, uri: str) -> None:
    """Write and delete an empty file below `uri`; raises PipelineFailure if that does not work."""
    try:
        filesystem, root = pafs.FileSystem.from_uri(uri)
        filesystem.create_dir(root)
        probe = f"{root.rstrip('/')}/.writable"
        filesystem.open_output_stream(probe).close()
        filesystem.delete_file(probe)
    except (OSError, ValueError) as error:
        # Arrow takes S3 credentials as s3://key:secret@bucket, and repeats the URI in its errors.
        where = re.sub(r"(?<=://)[^/]*@|\?.*", "", uri)
        reason = one_line(error).replace(uri, where)
        raise store_failure(
            f"{variable}: cannot write below {where} ({reason}); correct it or its rights", error
        ) from None


def store_failure(message: str, error: Exception) -> PipelineFailure:
    """The failure of a store: transient if another try may help, else permanent."""
    return (TransientFailure if is_store_outage(error) else PermanentFailure)(message)


def one_line(error: Exception) -> str:
    """An error's message as one line: delta-rs draws its own over several, in colour."""
    return " ".join(re.sub(r"\x1b\[\d+m\u21b3?", " ", str(error)).replace("\u21b3", " ").split())
