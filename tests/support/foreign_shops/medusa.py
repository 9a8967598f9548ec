"""A shop on Medusa 2: text keys, a table called order, versions of orders, soft deletes, carts without a customer."""

import datetime as dt
from decimal import Decimal
from typing import Any

from psycopg2 import sql

from tests.support.foreign_shops.shop import ForeignShop

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SHELVES = {"Shirts": ("T-Shirt", "Hoodie"), "Merch": ("Mug",), None: ("Sticker",)}


def raw(value: Decimal) -> dict[str, Any]:
    """A number as Medusa keeps it beside itself, with all its digits."""
    return {"value": str(value), "precision": 20}


class MedusaShop(ForeignShop):
    """Writes the tables of Medusa as its modules do."""

    kind = "medusa"

    def key(self, prefix: str) -> str:
        return f"{prefix}_01{''.join(self.chance.choices(LETTERS, k=24))}"

    def put(self, table: str, prefix: str, at: dt.datetime, **row: Any) -> str:
        """Insert a row with a key and times of its own; returns the key."""
        return self.insert(table, **{"id": self.key(prefix), "created_at": at, "updated_at": at} | row)

    def touch(self, table: str, keys: list[str], **row: Any) -> None:
        for key in keys:
            self.update(table, key, updated_at=self.now(), **row)

    def open(self) -> None:
        self.group = self.put("customer_group", "cusgroup", self.now(), name="VIP")
        for shelf, nouns in SHELVES.items():
            type_id = shelf and self.put("product_type", "ptyp", self.now(), value=shelf)
            for noun in nouns:
                product = self.put(
                    "product",
                    "prod",
                    self.now(),
                    title=noun,
                    handle=noun.lower(),
                    status="published",
                    type_id=type_id,
                )
                # Costs in the metadata, as people typed them.
                for title, cost in (("Default variant", "4.20"), ("S", "3.1"), ("L", "3,10"), ("XL", None)):
                    metadata = None if cost is None else {"unit_cost": cost}
                    self.put(
                        "product_variant",
                        "variant",
                        self.now(),
                        title=title,
                        product_id=product,
                        metadata=metadata,
                    )

    def add_customer(self, at: dt.datetime) -> str:
        first, last = self.chance.choice([self.person(), (None, None)])
        customer = self.put(
            "customer", "cus", at, first_name=first, last_name=last, email=f"{self.key('m').lower()}@example.com",
            has_account=self.chance.random() < 0.6,
        )  # fmt: skip
        for is_default in self.chance.choice([(), (True,), (False, True)]):
            self.put(
                "customer_address", "cuaddr", at, customer_id=customer, is_default_shipping=is_default,
                country_code=self.chance.choice(["de", "dk", "fr"]),
            )  # fmt: skip
        if self.chance.random() < 0.3:
            self.put(
                "customer_group_customer", "cusgc", at, customer_id=customer, customer_group_id=self.group
            )
        return customer

    def add_basket(self, at: dt.datetime, **order: Any) -> str:
        customer = self.some("select id from customer where deleted_at is null order by id", 1)[0]
        values = {"customer_id": customer, "email": "buyer@example.com", "currency_code": "eur"} | order
        order_id = self.put("order", "order", at, **values)
        is_inclusive = self.chance.random() < 0.5
        for _ in range(self.chance.randint(1, 4)):
            self.add_line(order_id, at, is_tax_inclusive=is_inclusive)
        return order_id

    def add_line(self, order_id: str, at: dt.datetime, quantity: Decimal | None = None, **line: Any) -> str:
        variant, product = self.chance.choice(
            self.rows("select id, product_id from product_variant where deleted_at is null order by id")
        )
        price = self.price()
        values = {
            "title": "as it was called",
            "variant_id": variant,
            "product_id": product,
            "requires_shipping": True,
            "is_discountable": True,
            "is_tax_inclusive": False,
            "unit_price": price,
            "raw_unit_price": raw(price),
        } | line
        item = self.put("order_line_item", "ordli", at, **values)
        pieces = quantity or Decimal(self.chance.randint(1, 4))
        version = self.values('select version from "order" where id = %s', order_id)[0]
        self.put(
            "order_item", "orditem", at, order_id=order_id, item_id=item, version=version, quantity=pieces,
            raw_quantity=raw(pieces), fulfilled_quantity=0, shipped_quantity=0, delivered_quantity=0,
        )  # fmt: skip
        for code, rate in self.chance.choice(
            [(("vat", "19"),), (("vat", "7"),), (), (("state", "5.5"), ("city", "1"))]
        ):
            self.put(
                "order_line_item_tax_line", "ordlitxl", at, item_id=item, code=code, rate=Decimal(rate),
                raw_rate=raw(Decimal(rate)),
            )  # fmt: skip
        if values["unit_price"] and self.chance.random() < 0.3:
            discount = (values["unit_price"] / 4).quantize(Decimal("0.0001"))
            self.put(
                "order_line_item_adjustment", "ordliadj", at, item_id=item, code="SPRING", amount=discount,
                raw_amount=raw(discount),
            )  # fmt: skip
        return item

    def edit(self, order_id: str, remove: bool) -> None:
        """An order's next version: all its lines are written again, the removed one is not; one has a new price."""
        at = self.now()
        lines = self.rows(
            "select item_id, quantity, unit_price, fulfilled_quantity, shipped_quantity, delivered_quantity"
            ' from order_item where order_id = %s and version = (select version from "order" where id = %s)'
            " order by item_id",
            (order_id, order_id),
        )
        self.rows('update "order" set version = version + 1, updated_at = %s where id = %s', (at, order_id))
        version = self.values('select version from "order" where id = %s', order_id)[0]
        for number, (item, quantity, price, fulfilled, shipped, delivered) in enumerate(lines[int(remove) :]):
            new_price = self.price() if number == 0 and quantity == int(quantity) and not remove else price
            self.put(
                "order_item", "orditem", at, order_id=order_id, version=version, item_id=item, quantity=quantity,
                raw_quantity=raw(quantity), unit_price=new_price, fulfilled_quantity=fulfilled,
                shipped_quantity=shipped, delivered_quantity=delivered,
            )  # fmt: skip

    def add_oddities(self) -> None:
        for customer, email in ((None, "Guest@Example.com"), (None, "guest@example.com"), (None, None)):
            self.add_basket(
                self.now(), customer_id=customer, email=email, metadata={"source": "import", "tags": ["a"]}
            )
        at = self.now()
        odd = self.add_basket(at)
        # A custom line, half a piece, a gift, and a price of more decimals than a cent.
        self.add_line(odd, at, variant_id=None, product_id=None, is_custom_price=True)
        self.add_line(odd, at, quantity=Decimal("0.5"))
        self.add_line(odd, at, unit_price=Decimal(0), raw_unit_price=raw(Decimal(0)))
        self.add_line(odd, at, unit_price=Decimal("3.33335"), raw_unit_price=raw(Decimal("3.33335")))
        self.add_basket(self.now(), status="draft", is_draft_order=True)
        self.add_basket(self.now(), currency_code="usd")

    def come_late(self, at: dt.datetime) -> None:
        newcomer = self.add_customer(at)
        self.add_basket(at, customer_id=newcomer)
        for order_id in self.some('select id from "order" where updated_at < %s order by id', 2, at):
            self.update("order", order_id, status="canceled", canceled_at=at, updated_at=at)
        for customer in self.some("select id from customer where updated_at < %s order by id", 1, at):
            self.update("customer", customer, last_name="Late", updated_at=at)

    def rename(self) -> None:
        for customer in self.some("select id from customer order by id", 2):
            first, last = self.person()
            self.touch("customer", [customer], first_name=first, last_name=last)
        self.touch(
            "customer_address", self.some("select id from customer_address order by id", 2), country_code="se"
        )

    def change_products(self) -> None:
        self.touch(
            "product", self.some("select id from product order by id", 1), title=f"Better {self.number()}"
        )
        self.touch(
            "product_type",
            self.some("select id from product_type order by id", 1),
            value=f"Shelf {self.number()}",
        )
        variants = self.some("select id from product_variant order by id", 2)
        self.touch("product_variant", variants, metadata={"unit_cost": f"{self.price(1, 9)}"})
        product = self.some("select id from product order by id", 1)[0]
        self.put("product_variant", "variant", self.now(), title="new", product_id=product)

    def lose_products(self) -> None:
        gone = self.some("select id from product_variant where deleted_at is null order by id", 1)
        self.touch("product_variant", gone, deleted_at=self.clock)

    def number(self) -> int:
        return self.chance.randint(1, 99)

    def change_orders(self) -> None:
        living = """from order_item i join "order" o on o.id = i.order_id and o.version = i.version
            where o.canceled_at is null and i.quantity = trunc(i.quantity)"""
        for step in ("fulfilled_quantity", "shipped_quantity", "delivered_quantity"):
            for item in self.some(f"select i.id {living} order by i.id", 4):
                self.rows(
                    sql.SQL("update order_item set {} = quantity, updated_at = %s where id = %s").format(
                        sql.Identifier(step)
                    ),
                    (self.now(), item),
                )
        whole = """select o.id from "order" o where o.deleted_at is null and o.canceled_at is null
            and o.status <> 'draft' and (select count(*) from order_item i where i.order_id = o.id
            and i.version = o.version and i.deleted_at is null) > 1 order by o.id"""
        first, second, third = self.some(whole, 3)
        self.edit(first, remove=True)
        self.edit(second, remove=False)
        self.touch("order", [third], status="canceled", canceled_at=self.clock)
        drafts = self.some("select id from \"order\" where status = 'draft' order by id", 1)
        self.touch("order", drafts, status="pending", is_draft_order=False)
        # A discount that is taken away again, and a tax that is corrected.
        discounts = self.some(
            "select id from order_line_item_adjustment where deleted_at is null order by id", 2
        )
        self.touch("order_line_item_adjustment", discounts, deleted_at=self.clock)
        taxes = self.some("select id from order_line_item_tax_line where deleted_at is null order by id", 2)
        self.touch("order_line_item_tax_line", taxes, rate=Decimal(25), raw_rate=raw(Decimal(25)))

    def delete(self) -> None:
        """All deletes are soft, and some are taken back."""
        gone = self.values('select id from "order" where deleted_at is not null order by id')
        self.touch("order", gone[:1], deleted_at=None)
        orders = self.some('select id from "order" where deleted_at is null order by id', 2)
        self.touch("order", orders, deleted_at=self.clock)
        lines = self.some("select id from order_line_item where deleted_at is null order by id", 2)
        self.touch("order_line_item", lines, deleted_at=self.clock)
        self.touch("customer", self.some("select id from customer order by id", 1), deleted_at=self.clock)
