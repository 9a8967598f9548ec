-- Saleor 3: one row per order line. Its keys are uuid and text, so a contract with these types lies beside this file.
-- A line has no updated_at: whatever changes a line saves its order as well, and order_order.updated_at has an index.
select
    l.id as order_id,
    -- The lines of a basket share the number that the customer reads.
    o.number::text as order_number,
    -- Guests have no account, only an e-mail address: its hash keeps a guest's orders together, and no address
    -- reaches the lake. When an account is deleted, Saleor empties user_id without a sign on the order: its orders
    -- keep the customer they had until they change again.
    coalesce(
        u.uuid::text, 'guest-' || md5(lower(nullif(trim(o.user_email), ''))), 'guest'
    ) as customer_id,
    -- The variant's id as Saleor's API and a storefront's clicks have it. A deleted variant leaves null in variant_id,
    -- and the line keeps this id; lines that are older than Saleor 3.1 may have neither.
    coalesce(
        encode(convert_to('ProductVariant:' || l.variant_id, 'UTF8'), 'base64'), l.product_variant_id, 'unknown'
    ) as product_id,
    -- Moments have a zone in Saleor; the day is the shop's: write the zone of SHOP_TIMEZONE.
    (o.created_at at time zone 'Europe/Berlin')::date as order_date,
    -- With tax, after discounts (total_price_net_amount is without tax). The column has three decimals; a third
    -- that is not zero would be refused, not rounded.
    l.total_price_gross_amount as amount,
    l.quantity,
    case o.status
        when 'unconfirmed' then 'pending'
        when 'unfulfilled' then 'processing'
        when 'partially fulfilled' then 'shipped'
        when 'fulfilled' then 'delivered'
        -- What came back was delivered once; the order's money stays as it was sold.
        when 'partially_returned' then 'delivered'
        when 'returned' then 'delivered'
        when 'canceled' then 'cancelled'
        when 'expired' then 'cancelled'
        -- A status of a later release is quarantined by its name.
        else o.status
    end as status,
    o.updated_at
from order_orderline as l
join order_order as o on o.id = l.order_id
left join account_user as u on u.id = o.user_id
where
    -- Drafts of the staff are no orders yet; an order that is completed changes its updated_at.
    o.status <> 'draft'
    -- Amounts of several currencies cannot be summed: write yours.
    and o.currency = 'EUR'
