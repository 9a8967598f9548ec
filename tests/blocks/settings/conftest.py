"""A function that saves blocks, for tests of what is read from them."""

from collections.abc import Callable, Iterator

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client

from blocks.settings.saved_blocks import saved_values


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is remembered of what other tests have read."""
    saved_values.cache_clear()
    yield
    saved_values.cache_clear()


@pytest.fixture
def save(prefect_server: None) -> Iterator[Callable[..., None]]:
    """A function (platform, *blocks) that saves blocks on the server, for this test only."""
    ids = []

    def saved(platform: str, *blocks: Block) -> None:
        ids.extend(block.save(platform, overwrite=True) for block in blocks)
        saved_values.cache_clear()

    yield saved
    with get_client(sync_client=True) as client:
        for block_id in set(ids):
            client.delete_block_document(block_id)
