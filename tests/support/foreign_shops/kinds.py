"""The kinds of foreign shops, each with the tables of a published release."""

from tests.support.foreign_shops.medusa import MedusaShop
from tests.support.foreign_shops.odoo import OdooShop
from tests.support.foreign_shops.saleor import SaleorShop
from tests.support.foreign_shops.shop import ForeignShop

KINDS: list[type[ForeignShop]] = [OdooShop, SaleorShop, MedusaShop]
