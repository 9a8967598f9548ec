"""A shop on Odoo 17: serial keys, moments in UTC without a zone, quotations and notes among the orders, hard deletes."""

import datetime as dt
from decimal import Decimal
from typing import Any

from tests.support.foreign_shops.shop import CENT, ForeignShop

TAX = Decimal("0.19")
DOLLAR_RATE = Decimal("1.0857")
COUNTRIES = {"DE": "Germany", "AT": "Austria", "CH": "Switzerland"}
SHELVES = {
    "All": ("Gift card",),
    "All / Saleable": ("Lamp", "Chair"),
    "All / Saleable / Garden": ("Spade", "Hose"),
}


def naive(at: dt.datetime) -> dt.datetime:
    """A moment as Odoo writes it."""
    return at.astimezone(dt.UTC).replace(tzinfo=None)


class OdooShop(ForeignShop):
    """Writes the tables of Odoo as its modules base, product and sale do."""

    kind = "odoo"

    def stamps(self, at: dt.datetime) -> dict[str, dt.datetime]:
        return {"create_date": naive(at), "write_date": naive(at)}

    def open(self) -> None:
        self.countries = [
            self.insert("res_country", code=code, name={"en_US": name}, **self.stamps(self.now()))
            for code, name in COUNTRIES.items()
        ]
        for shelf, nouns in SHELVES.items():
            category = self.insert(
                "product_category",
                name=shelf.split(" / ")[-1],
                complete_name=shelf,
                **self.stamps(self.now()),
            )
            for noun in nouns:
                names = {"en_US": noun} | ({"de_DE": f"{noun} (deutsch)"} if noun != "Lamp" else {})
                template = self.insert(
                    "product_template",
                    name=names,
                    categ_id=category,
                    detailed_type="product",
                    list_price=self.price(),
                    active=True,
                    **self.stamps(self.now()),
                )
                for code in (f"{noun[:2].upper()}-1", None):
                    self.add_variant(template, code)

    def add_variant(self, template: int, code: str | None) -> None:
        at = self.now()
        variant = self.insert(
            "product_product", product_tmpl_id=template, default_code=code, active=True, **self.stamps(at)
        )
        # A new product has no cost until somebody writes one.
        if code:
            self.set_cost(variant, at)

    def set_cost(self, variant: int, at: dt.datetime) -> None:
        self.insert(
            "ir_property",
            name="standard_price",
            res_id=f"product.product,{variant}",
            company_id=1,
            fields_id=4711,
            value_float=float(self.price(1, 40)),
            type="float",
            **self.stamps(at),
        )

    def add_customer(self, at: dt.datetime) -> int:
        first, last = self.person()
        is_company = self.chance.random() < 0.3
        return self.insert(
            "res_partner",
            name=f"{last} GmbH" if is_company else f"{first} {last}",
            country_id=self.chance.choice([*self.countries, None]),
            type="contact",
            is_company=is_company,
            active=True,
            **self.stamps(at),
        )

    def add_basket(self, at: dt.datetime, state: str = "sale", **order: Any) -> int:
        partner = order.pop("partner_id", None) or self.some("select id from res_partner order by id", 1)[0]
        order_id = self.insert(
            "sale_order",
            name="New",
            company_id=1,
            partner_id=partner,
            partner_invoice_id=partner,
            state=state,
            **{"date_order": naive(at), "currency_id": 1, "currency_rate": Decimal(1)} | order,
            **self.stamps(at),
        )
        self.update("sale_order", order_id, name=f"S{order_id:05}")
        for _ in range(self.chance.randint(1, 4)):
            self.add_line(order_id, at)
        self.sum_up(order_id, at)
        return order_id

    def add_line(self, order_id: int, at: dt.datetime, **line: Any) -> int:
        values = {
            "order_id": order_id,
            "product_id": self.some("select id from product_product order by id", 1)[0],
            "product_uom": 1,
            "product_uom_qty": Decimal(self.chance.randint(1, 5)),
            "qty_delivered": self.chance.choice([Decimal(0), None]),
            "name": "as the catalogue has it",
            "price_unit": self.price(),
            "discount": Decimal(self.chance.choice([0, 0, 10])),
            "customer_lead": 0.0,
        } | line
        line_id = self.insert("sale_order_line", **values, **self.stamps(at))
        self.reckon(line_id)
        return line_id

    def reckon(self, line_id: int) -> None:
        """A line's amounts from its price, as Odoo computes and stores them."""
        ((price, quantity, discount),) = self.rows(
            "select price_unit, product_uom_qty, coalesce(discount, 0) from sale_order_line where id = %s",
            (line_id,),
        )
        subtotal = (price * quantity * (1 - discount / 100)).quantize(CENT)
        tax = (subtotal * TAX).quantize(CENT)
        self.update(
            "sale_order_line",
            line_id,
            price_subtotal=subtotal,
            price_tax=float(tax),
            price_total=subtotal + tax,
        )

    def sum_up(self, order_id: int, at: dt.datetime) -> None:
        """The order's totals; Odoo writes the order whenever they change."""
        ((untaxed, total),) = self.rows(
            "select coalesce(sum(price_subtotal), 0), coalesce(sum(price_total), 0) from sale_order_line"
            " where order_id = %s",
            (order_id,),
        )
        self.update(
            "sale_order", order_id, amount_untaxed=untaxed, amount_total=total, amount_tax=total - untaxed,
            write_date=naive(at),
        )  # fmt: skip

    def add_oddities(self) -> None:
        nothing = {
            "product_id": None,
            "product_uom": None,
            "product_uom_qty": 0,
            "price_unit": 0,
            "discount": 0,
        }
        at = self.now()
        noted = self.add_basket(at)
        self.add_line(noted, at, display_type="line_note", **nothing)
        # Half a kilogram, a voucher of negative price, a gift, and more than a person buys.
        for line in (
            {"product_uom_qty": Decimal("0.5")},
            {"price_unit": Decimal("-5.00"), "product_uom_qty": Decimal(1)},
            {"price_unit": Decimal(0)},
            {"product_uom_qty": Decimal(101), "price_unit": Decimal(1)},
        ):
            self.add_line(noted, at, **line)
        self.sum_up(noted, at)
        dollars = self.add_basket(self.now(), currency_id=2, currency_rate=DOLLAR_RATE)
        self.add_line(dollars, self.now(), discount=None)
        self.sum_up(dollars, self.now())
        self.add_basket(self.now(), state="draft")
        self.add_basket(self.now(), state="sent")
        # Somebody typed a date of next month; and a row that a script wrote has no write_date.
        at = self.now()
        self.add_basket(at, date_order=naive(at + dt.timedelta(days=30)))
        scripted = self.add_basket(self.now())
        self.rows("update sale_order_line set write_date = null where order_id = %s", (scripted,))
        # An address without a name, which nevertheless ordered.
        address = self.insert(
            "res_partner", name=None, type="delivery", active=True, **self.stamps(self.now())
        )
        self.add_basket(self.now(), partner_id=address)

    def come_late(self, at: dt.datetime) -> None:
        newcomer = self.add_customer(at)
        self.add_basket(at, partner_id=newcomer)
        quiet = (
            "select id from sale_order o where state = 'sale' and greatest(o.write_date, (select max(l.write_date)"
            " from sale_order_line l where l.order_id = o.id)) < %s order by id"
        )
        for order_id in self.some(quiet, 1, naive(at)):
            self.update("sale_order", order_id, state="cancel", write_date=naive(at))
        for partner in self.some(
            "select id from res_partner where write_date < %s order by id", 1, naive(at)
        ):
            self.update("res_partner", partner, is_company=True, write_date=naive(at))

    def rename(self) -> None:
        for partner in self.some("select id from res_partner where type = 'contact' order by id", 2):
            self.update(
                "res_partner",
                partner,
                name=" ".join(self.person()),
                country_id=self.chance.choice(self.countries),
                write_date=naive(self.now()),
            )

    def change_products(self) -> None:
        for template in self.some("select id from product_template order by id", 1):
            at = naive(self.now())
            self.update("product_template", template, name={"en_US": f"Better {template}"}, write_date=at)
        for template in self.some("select id from product_template order by id", 1):
            category = self.some("select id from product_category order by id", 1)[0]
            self.update("product_template", template, categ_id=category, write_date=naive(self.now()))
        for category in self.some("select id from product_category order by id", 1):
            name = f"All / Shelf {self.chance.randint(1, 99)}"
            self.update("product_category", category, complete_name=name, write_date=naive(self.now()))
        for cost in self.some("select id from ir_property order by id", 2):
            # More decimals than a cent: Odoo keeps the double precision that a computation gave.
            value = float(self.price(1, 40)) + 0.00375
            self.update("ir_property", cost, value_float=value, write_date=naive(self.now()))
        self.add_variant(*self.some("select id from product_template order by id", 1), code="NEW")

    def change_orders(self) -> None:
        for line in self.some("select id from sale_order_line where display_type is null order by id", 6):
            share = self.chance.choice([Decimal("0.5"), Decimal(1)])
            self.rows(
                "update sale_order_line set qty_delivered = product_uom_qty * %s, write_date = %s where id = %s",
                (share, naive(self.now()), line),
            )
        sold = "select id from sale_order where state = 'sale' order by id"
        for order_id in self.some(sold, 5):
            self.update("sale_order", order_id, state="cancel", write_date=naive(self.now()))
        for order_id in self.some(
            "select id from sale_order where state in ('draft', 'sent') order by id", 2
        ):
            at = naive(self.now())
            self.update("sale_order", order_id, state="sale", date_order=at, write_date=at)
        plain = (
            "select l.id from sale_order_line l join sale_order o on o.id = l.order_id where o.state = 'sale'"
            " and l.price_total > 0 and l.product_uom_qty between 1 and 5 order by l.id"
        )
        for line in self.some(plain, 3):
            at = self.now()
            self.update(
                "sale_order_line",
                line,
                product_uom_qty=Decimal(self.chance.randint(1, 9)),
                write_date=naive(at),
            )
            self.reckon(line)
            self.sum_up(self.values("select order_id from sale_order_line where id = %s", line)[0], at)
        for order_id in self.some(sold, 1):
            at = self.now()
            self.add_line(order_id, at)
            self.sum_up(order_id, at)

    def delete(self) -> None:
        """Odoo deletes cancelled orders, and lines of orders that were made quotations again."""
        first, second, third = self.some("select id from sale_order where state = 'cancel' order by id", 3)
        self.rows("delete from sale_order where id = %s", (first,))
        self.update("sale_order", second, state="draft", write_date=naive(self.now()))
        line = self.some("select id from sale_order_line where order_id = %s order by id", 1, third)[0]
        self.rows("delete from sale_order_line where id = %s", (line,))
        self.sum_up(third, self.now())
        self.update("sale_order", third, state="sale", write_date=naive(self.now()))
