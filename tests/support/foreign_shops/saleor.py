"""A shop on Saleor 3: uuid keys, guests, variants that go and leave null, drafts, hard deletes."""

import datetime as dt
import uuid
from base64 import b64encode
from decimal import Decimal
from typing import Any

from tests.support.foreign_shops.shop import CENT, ForeignShop

TAX = Decimal("0.19")
NEXT_STATUS = {
    "unconfirmed": "unfulfilled",
    "unfulfilled": "partially fulfilled",
    "partially fulfilled": "fulfilled",
    "fulfilled": "returned",
}
SHELVES = {"Audio": ("Speaker", "Headset"), "Juices": ("Apple juice",), None: ("Mystery box",)}


def global_id(variant: int) -> str:
    """The id of a variant in Saleor's API."""
    return b64encode(f"ProductVariant:{variant}".encode()).decode()


class SaleorShop(ForeignShop):
    """Writes the tables of Saleor as its mutations do: `updated_at` only where they save it."""

    kind = "saleor"

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def open(self) -> None:
        self.number = 1000
        self.channels = [
            self.insert("channel_channel", name=slug, slug=slug, currency_code=currency, is_active=True)
            for slug, currency in (("default-channel", "EUR"), ("channel-pln", "PLN"))
        ]
        for shelf, nouns in SHELVES.items():
            category = shelf and self.insert(
                "product_category", name=shelf, slug=shelf.lower(), updated_at=self.now()
            )
            for noun in nouns:
                at = self.now()
                product = self.insert(
                    "product_product",
                    name=noun,
                    slug=noun.lower(),
                    category_id=category,
                    created_at=at,
                    updated_at=at,
                )
                for name in ("", "XL", noun, "mini"):
                    self.add_variant(product, name)

    def add_variant(self, product: int, name: str) -> int:
        at = self.now()
        variant = self.insert(
            "product_productvariant", name=name, product_id=product, created_at=at, updated_at=at
        )
        for channel, currency in zip(self.channels, ("EUR", "PLN"), strict=True):
            self.insert(
                "product_productvariantchannellisting",
                variant_id=variant,
                channel_id=channel,
                currency=currency,
                price_amount=self.price(),
                cost_price_amount=None if name == "mini" else self.price(1, 20),
            )
        return variant

    def add_customer(self, at: dt.datetime) -> int:
        first, last = self.person()
        address = self.insert(
            "account_address", first_name=first, last_name=last, city="", country_area="",
            country=self.chance.choice(["DE", "PL", "US"]),
        )  # fmt: skip
        with_shipping, key = self.chance.random() < 0.7, self.new_uuid()
        return self.insert(
            "account_user",
            email=f"{key[:8]}@example.com",
            # Empty, not null: an account may have no name.
            first_name=self.chance.choice([first, first, ""]),
            last_name=self.chance.choice([last, ""]),
            is_staff=self.chance.random() < 0.2,
            is_active=True,
            date_joined=at,
            updated_at=at,
            default_shipping_address_id=address if with_shipping else None,
            default_billing_address_id=address if self.chance.random() < 0.5 else None,
            uuid=key,
            metadata=self.chance.choice([{"segment": "gold"}, {"segment": ""}, {}]),
        )

    def add_basket(
        self, at: dt.datetime, status: str = "unfulfilled", currency: str = "EUR", **order: Any
    ) -> str:
        self.number += 1
        users = self.some("select id from account_user order by id", 1)
        values = {
            "id": self.new_uuid(),
            "number": self.number,
            "status": status,
            "charge_status": "none",
            "user_id": users[0],
            "user_email": "as-of-then@example.com",
            "origin": "checkout",
            "currency": currency,
            "channel_id": self.channels[0 if currency == "EUR" else 1],
            "subtotal_net_amount": 0,
            "subtotal_gross_amount": 0,
            "lines_count": 0,
        } | order
        order_id = self.insert("order_order", **values, created_at=at, updated_at=at)
        for _ in range(self.chance.randint(1, 4)):
            self.add_line(order_id, at)
        self.save(order_id, at)
        return order_id

    def add_line(self, order_id: str, at: dt.datetime, **line: Any) -> str:
        variant = self.some("select id from product_productvariant order by id", 1)[0]
        quantity, net = self.chance.randint(1, 6), self.price()
        gross = (net * (1 + TAX)).quantize(CENT)
        values = {
            "id": self.new_uuid(),
            "variant_id": variant,
            "product_variant_id": global_id(variant),
            "product_name": "as it was called",
            "variant_name": "",
            "is_gift_card": False,
            "quantity": quantity,
            "quantity_fulfilled": 0,
            "currency": "EUR",
            "unit_price_net_amount": net,
            "unit_price_gross_amount": gross,
            "total_price_net_amount": net * quantity,
            "total_price_gross_amount": gross * quantity,
            "unit_discount_amount": 0,
            "tax_rate": TAX,
        } | line
        return self.insert("order_orderline", order_id=order_id, created_at=at, **values)

    def save(self, order_id: str, at: dt.datetime, **order: Any) -> None:
        """Save an order as Saleor does: with its totals and the time."""
        ((net, gross, count),) = self.rows(
            "select coalesce(sum(total_price_net_amount), 0), coalesce(sum(total_price_gross_amount), 0), count(*)"
            " from order_orderline where order_id = %s",
            (order_id,),
        )
        self.update(
            "order_order", order_id, subtotal_net_amount=net, subtotal_gross_amount=gross, lines_count=count,
            updated_at=at, **order,
        )  # fmt: skip

    def add_oddities(self) -> None:
        # A guest twice, in two spellings; an order of the staff without any address; lines that cost nothing.
        for email in ("Guest@Example.com", "guest@example.com ", ""):
            self.add_basket(self.now(), user_id=None, user_email=email)
        at = self.now()
        gift = self.add_basket(at)
        self.add_line(gift, at, total_price_net_amount=0, total_price_gross_amount=0)
        # A variant that was gone before Saleor wrote its global id into lines.
        self.add_line(gift, at, variant_id=None, product_variant_id=None)
        self.save(gift, at)
        self.add_basket(self.now(), status="draft", origin="draft")
        self.add_basket(self.now(), currency="PLN")
        self.add_basket(self.now(), status="unconfirmed")
        self.add_basket(self.now(), status="unconfirmed")

    def come_late(self, at: dt.datetime) -> None:
        newcomer = self.add_customer(at)
        self.add_basket(at, user_id=newcomer)
        quiet = "select id from order_order where status = 'unfulfilled' and updated_at < %s order by id"
        for order_id in self.some(quiet, 2, at):
            self.save(order_id, at, status="canceled")
        for user in self.some("select id from account_user where updated_at < %s order by id", 1, at):
            self.update("account_user", user, last_name="Late", updated_at=at)

    def rename(self) -> None:
        for user in self.some("select id from account_user order by id", 2):
            first, last = self.person()
            self.update("account_user", user, first_name=first, last_name=last, updated_at=self.now())
        for user, address in self.rows(
            "select id, default_shipping_address_id from account_user where default_shipping_address_id is not null"
            " order by id limit 1"
        ):
            self.update("account_address", address, country=self.chance.choice(["CZ", "FR", "NO"]))
            self.update("account_user", user, updated_at=self.now())

    def change_products(self) -> None:
        for product in self.some("select id from product_product order by id", 2):
            category = self.some("select id from product_category order by id", 1)[0]
            name = f"Better {product}"
            self.update("product_product", product, name=name, category_id=category, updated_at=self.now())
        for category in self.some("select id from product_category order by id", 1):
            self.update(
                "product_category",
                category,
                name=f"Shelf {self.chance.randint(1, 99)}",
                updated_at=self.now(),
            )
        for variant in self.some("select id from product_productvariant order by id", 2):
            self.rows(
                "update product_productvariantchannellisting set cost_price_amount = %s where variant_id = %s",
                (self.price(1, 20), variant),
            )
            self.update("product_productvariant", variant, updated_at=self.now())
        self.add_variant(self.some("select id from product_product order by id", 1)[0], "new")

    def lose_products(self) -> None:
        """A variant goes: its lines lose it, and no order's time moves."""
        for variant in self.some("select id from product_productvariant order by id", 1):
            self.rows(
                "insert into expected.lost_products select * from expected.products where product_id = %s",
                (global_id(variant),),
            )
            self.rows("update order_orderline set variant_id = null where variant_id = %s", (variant,))
            self.rows("delete from product_productvariantchannellisting where variant_id = %s", (variant,))
            self.rows("delete from product_productvariant where id = %s", (variant,))

    def change_orders(self) -> None:
        moving = "select id from order_order where status = any(%s) order by id"
        for order_id in self.some(moving, 8, list(NEXT_STATUS)):
            status = self.values("select status from order_order where id = %s", order_id)[0]
            self.save(order_id, self.now(), status=NEXT_STATUS[status])
        for order_id in self.some("select id from order_order where status = 'draft' order by id", 1):
            at = self.now()
            self.update("order_order", order_id, created_at=at)
            self.save(order_id, at, status="unfulfilled")
        open_lines = (
            "select l.id from order_orderline l join order_order o on o.id = l.order_id"
            " where o.status in ('unconfirmed', 'unfulfilled') and l.total_price_gross_amount > 0 order by l.id"
        )
        for line in self.some(open_lines, 3):
            ((order_id, net, gross),) = self.rows(
                "select order_id, unit_price_net_amount, unit_price_gross_amount from order_orderline where id = %s",
                (line,),
            )
            quantity = self.chance.randint(1, 9)
            self.update(
                "order_orderline", line, quantity=quantity, total_price_net_amount=net * quantity,
                total_price_gross_amount=gross * quantity,
            )  # fmt: skip
            self.save(order_id, self.now())
        for order_id in self.some("select id from order_order where status = 'unconfirmed' order by id", 1):
            self.add_line(order_id, self.now())
            self.save(order_id, self.now())

    def delete(self) -> None:
        """Saleor deletes expired orders, and lines of orders that nobody has confirmed."""
        expired = self.values("select id from order_order where status = 'expired' order by id")
        for order_id in expired:
            self.rows("delete from order_orderline where order_id = %s", (order_id,))
            self.rows("delete from order_order where id = %s", (order_id,))
        fresh = self.some(
            "select id from order_order where status in ('unconfirmed', 'unfulfilled') order by id", 2
        )
        self.save(fresh[0], self.now(), status="expired", expired_at=self.now())
        line = self.some("select id from order_orderline where order_id = %s order by id", 1, fresh[1])[0]
        self.rows("delete from order_orderline where id = %s", (line,))
        self.save(fresh[1], self.now())
