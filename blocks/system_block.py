"""The base of this pipeline's Prefect blocks, and the list of them."""

from abc import ABC, abstractmethod
from importlib import import_module
from typing import Self

from prefect.blocks.core import Block

from blocks.settings.fields import SYSTEMS, AllFields, SystemFields


class SystemBlock(SystemFields, Block, ABC):
    """A saved block whose fields are the settings of the same names (blocks/settings/fields.py)."""

    @classmethod
    def filled_from(cls, settings: AllFields) -> Self:
        """The block with what the settings say."""
        return cls(**{name: getattr(settings, name) for name in cls.model_fields})

    @abstractmethod
    def check(self) -> None:
        """Try to reach the system. Raises PipelineFailure that names what to correct."""


def system_blocks() -> list[type[SystemBlock]]:
    """The block of every system: the class that the module named like the block's type brings."""
    for system in SYSTEMS:
        import_module(f"blocks.{system.block_type.replace('-', '_')}")
    blocks: list[type[SystemBlock]] = SystemBlock.__subclasses__()
    by_type = {block.block_type: block for block in blocks}
    return [by_type[system.block_type] for system in SYSTEMS]
