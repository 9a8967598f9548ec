-- The tables of Saleor 3 (read in 3.24.0-a.0) that a shop's orders live in: names, types, nullability and indexes as
-- its Django models make them. Orders have uuid keys, the other tables serial ones.
create table channel_channel (
    id serial primary key,
    name varchar(250) not null,
    slug varchar(255) not null unique,
    currency_code varchar(3) not null,
    is_active boolean not null
);
create table account_address (
    id serial primary key,
    first_name varchar(256) not null,
    last_name varchar(256) not null,
    city varchar(256) not null,
    country varchar(2) not null,
    country_area varchar(128) not null
);
create table account_user (
    id serial primary key,
    email varchar(254) not null unique,
    first_name varchar(256) not null,
    last_name varchar(256) not null,
    is_staff boolean not null,
    is_active boolean not null,
    note text,
    date_joined timestamptz not null,
    updated_at timestamptz not null,
    default_shipping_address_id integer references account_address deferrable initially deferred,
    default_billing_address_id integer references account_address deferrable initially deferred,
    uuid uuid not null unique,
    metadata jsonb not null default '{}'
);
create index account_user_updated_at_idx on account_user (updated_at);
create table product_category (
    id serial primary key,
    name varchar(250) not null,
    slug varchar(255) not null unique,
    parent_id integer references product_category deferrable initially deferred,
    updated_at timestamptz
);
create index updated_at_idx on product_category (updated_at);
create table product_product (
    id serial primary key,
    name varchar(250) not null,
    slug varchar(255) not null unique,
    category_id integer references product_category deferrable initially deferred,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    metadata jsonb not null default '{}'
);
create index product_product_updated_at_idx on product_product (updated_at);
create table product_productvariant (
    id serial primary key,
    sku varchar(255) unique,
    name varchar(255) not null,
    product_id integer not null references product_product deferrable initially deferred,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    metadata jsonb not null default '{}'
);
create index product_productvariant_updated_at_idx on product_productvariant (updated_at);
create table product_productvariantchannellisting (
    id serial primary key,
    variant_id integer not null references product_productvariant deferrable initially deferred,
    channel_id integer not null references channel_channel deferrable initially deferred,
    currency varchar(3) not null,
    price_amount numeric(20, 3),
    cost_price_amount numeric(20, 3),
    unique (variant_id, channel_id)
);
create table order_order (
    id uuid primary key,
    number integer not null unique,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    expired_at timestamptz,
    status varchar(32) not null,
    charge_status varchar(32) not null,
    user_id integer references account_user deferrable initially deferred,
    user_email varchar(254) not null,
    original_id uuid references order_order deferrable initially deferred,
    origin varchar(32) not null,
    currency varchar(3) not null,
    channel_id integer not null references channel_channel deferrable initially deferred,
    subtotal_net_amount numeric(20, 3) not null,
    subtotal_gross_amount numeric(20, 3) not null,
    lines_count integer not null check (lines_count >= 0),
    metadata jsonb not null default '{}'
);
create index order_order_updated_at_idx on order_order (updated_at);
create index idx_order_created_at on order_order (created_at);
create index order_status_idx on order_order (status);
create table order_orderline (
    id uuid primary key,
    old_id integer unique,
    created_at timestamptz not null,
    order_id uuid not null references order_order deferrable initially deferred,
    variant_id integer references product_productvariant deferrable initially deferred,
    product_name varchar(386) not null,
    variant_name varchar(255) not null,
    product_sku varchar(255),
    product_variant_id varchar(255),
    is_gift_card boolean not null,
    quantity integer not null,
    quantity_fulfilled integer not null,
    currency varchar(3) not null,
    unit_price_net_amount numeric(20, 3) not null,
    unit_price_gross_amount numeric(20, 3) not null,
    total_price_net_amount numeric(20, 3) not null,
    total_price_gross_amount numeric(20, 3) not null,
    unit_discount_amount numeric(20, 3) not null,
    tax_rate numeric(5, 4),
    metadata jsonb not null default '{}'
);
create index order_orderline_order_id_idx on order_orderline (order_id);
create index order_orderline_variant_id_idx on order_orderline (variant_id);
