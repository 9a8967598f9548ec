-- The tables of Medusa 2 (read in 2.0.0) that a shop's orders live in: names, types, nullability, defaults and
-- indexes as its migrations make them. Keys are texts, moments have a zone, deletes are soft, a number has its exact
-- value once more in a raw_ column of JSON.
create type order_status_enum as enum ('pending', 'completed', 'draft', 'archived', 'canceled', 'requires_action');
create table customer (
    id text primary key,
    company_name text,
    first_name text,
    last_name text,
    email text,
    phone text,
    has_account boolean not null default false,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    created_by text
);
create unique index "IDX_customer_email_has_account_unique" on customer (email, has_account) where deleted_at is null;
create table customer_address (
    id text primary key,
    customer_id text not null references customer on delete cascade,
    is_default_shipping boolean not null default false,
    is_default_billing boolean not null default false,
    city text,
    country_code text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index "IDX_customer_address_customer_id" on customer_address (customer_id);
create table customer_group (
    id text primary key,
    name text not null,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create table customer_group_customer (
    id text primary key,
    customer_id text not null references customer on delete cascade,
    customer_group_id text not null references customer_group on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create table product_type (
    id text primary key,
    value text not null,
    metadata json,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create table product (
    id text primary key,
    title text not null,
    handle text not null,
    status text not null check (status in ('draft', 'proposed', 'published', 'rejected')),
    type_id text references product_type on delete set null,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create table product_variant (
    id text primary key,
    title text not null,
    sku text,
    product_id text references product on delete cascade,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create table "order" (
    id text primary key,
    region_id text,
    display_id serial,
    customer_id text,
    version integer not null default 1,
    sales_channel_id text,
    status order_status_enum not null default 'pending',
    is_draft_order boolean not null default false,
    email text,
    currency_code text not null,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    canceled_at timestamptz
);
create index "IDX_order_customer_id" on "order" (customer_id) where deleted_at is null;
create table order_summary (
    id text primary key,
    order_id text not null references "order" on delete cascade,
    version integer not null default 1,
    totals jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create table order_line_item (
    id text primary key,
    title text not null,
    variant_id text,
    product_id text,
    product_title text,
    variant_title text,
    requires_shipping boolean not null,
    is_discountable boolean not null,
    is_tax_inclusive boolean not null,
    unit_price numeric,
    raw_unit_price jsonb not null,
    is_custom_price boolean not null default false,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create table order_item (
    id text primary key,
    order_id text not null references "order" on delete cascade,
    version integer not null,
    item_id text not null references order_line_item on delete cascade,
    unit_price numeric,
    raw_unit_price jsonb,
    quantity numeric not null,
    raw_quantity jsonb not null,
    fulfilled_quantity numeric not null,
    shipped_quantity numeric not null,
    delivered_quantity numeric not null default 0,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index "IDX_order_item_order_id_version" on order_item (order_id, version) where deleted_at is null;
create index "IDX_order_item_item_id" on order_item (item_id) where deleted_at is null;
create table order_line_item_adjustment (
    id text primary key,
    item_id text not null references order_line_item on delete cascade,
    code text,
    amount numeric not null,
    raw_amount jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index "IDX_order_line_item_adjustment_item_id" on order_line_item_adjustment (item_id) where deleted_at is null;
create table order_line_item_tax_line (
    id text primary key,
    item_id text references order_line_item on delete cascade,
    code text not null,
    rate numeric not null,
    raw_rate jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index "IDX_order_line_item_tax_line_item_id" on order_line_item_tax_line (item_id) where deleted_at is null;
