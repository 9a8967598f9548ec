-- The tables of Odoo 17 (modules base, product, sale) that a shop's orders live in: names, types, nullability and
-- indexes as its models make them in PostgreSQL (sale's read in release 17, ir_property's in an older one). Moments are UTC without a zone; write_date has no index.
create table res_country (
    id serial primary key,
    name jsonb not null,
    code varchar(2) not null unique,
    create_date timestamp,
    write_date timestamp
);
create table res_partner (
    id serial primary key,
    name varchar,
    complete_name varchar,
    parent_id integer references res_partner on delete set null,
    country_id integer references res_country on delete restrict,
    type varchar,
    email varchar,
    is_company boolean,
    active boolean,
    create_date timestamp,
    write_date timestamp,
    constraint res_partner_check_name
    check ((type = 'contact' and name is not null) or type <> 'contact')
);
create table product_category (
    id serial primary key,
    name varchar not null,
    complete_name varchar,
    parent_id integer references product_category on delete cascade,
    create_date timestamp,
    write_date timestamp
);
create table product_template (
    id serial primary key,
    name jsonb not null,
    categ_id integer not null references product_category on delete restrict,
    detailed_type varchar not null,
    list_price numeric,
    active boolean,
    create_date timestamp,
    write_date timestamp
);
create table product_product (
    id serial primary key,
    product_tmpl_id integer not null references product_template on delete cascade,
    default_code varchar,
    active boolean,
    create_date timestamp,
    write_date timestamp
);
create index product_product_product_tmpl_id_index on product_product (product_tmpl_id);
create table ir_property (
    id serial primary key,
    name varchar,
    res_id varchar,
    company_id integer,
    fields_id integer not null,
    value_float double precision,
    type varchar not null,
    create_date timestamp,
    write_date timestamp
);
create index ir_property_res_id_index on ir_property (res_id);
create table sale_order (
    id serial primary key,
    name varchar not null,
    company_id integer not null,
    partner_id integer not null references res_partner on delete restrict,
    partner_invoice_id integer not null references res_partner on delete restrict,
    state varchar,
    locked boolean,
    date_order timestamp not null,
    currency_id integer,
    currency_rate numeric,
    amount_untaxed numeric,
    amount_tax numeric,
    amount_total numeric,
    note text,
    create_date timestamp,
    write_date timestamp,
    constraint sale_order_date_order_conditional_required
    check ((state = 'sale' and date_order is not null) or state <> 'sale')
);
create index sale_order_create_date_index on sale_order (create_date);
create index sale_order_date_order_id_idx on sale_order (date_order desc, id desc);
create index sale_order_partner_id_index on sale_order (partner_id);
create index sale_order_state_index on sale_order (state);
create table sale_order_line (
    id serial primary key,
    order_id integer not null references sale_order on delete cascade,
    sequence integer,
    order_partner_id integer,
    state varchar,
    display_type varchar,
    is_downpayment boolean,
    product_id integer references product_product on delete restrict,
    product_uom integer,
    product_uom_qty numeric not null,
    qty_delivered numeric,
    name text not null,
    price_unit numeric not null,
    discount numeric,
    price_subtotal numeric,
    price_tax double precision,
    price_total numeric,
    customer_lead double precision not null,
    create_date timestamp,
    write_date timestamp,
    constraint sale_order_line_accountable_required_fields
    check (display_type is not null or (product_id is not null and product_uom is not null)),
    constraint sale_order_line_non_accountable_null_fields
    check (
        display_type is null
        or (
            product_id is null and price_unit = 0 and product_uom_qty = 0 and product_uom is null and customer_lead = 0
        )
    )
);
create index sale_order_line_order_id_index on sale_order_line (order_id);
create index sale_order_line_product_id_index on sale_order_line (product_id) where product_id is not null;
