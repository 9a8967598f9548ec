"""The shop's PostgreSQL: how to reach it, directly, on a read replica or through a pooler."""

from blocks.settings.fields import ShopFields
from blocks.shop.connection import shop_transaction
from blocks.system_block import SystemBlock


class ShopDatabase(ShopFields, SystemBlock):
    """The shop's PostgreSQL and the time zone its business days are counted in."""

    _block_type_name = "Shop Database"

    def check(self) -> None:
        """Begin one transaction. Raises PipelineFailure that says what is wrong."""
        with shop_transaction(self):
            pass
