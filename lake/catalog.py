"""Every table of the lake that reaches the warehouse, with the facts that more than one room needs."""

KEYS = {
    "orders": "order_id",
    "customers": "customer_id",
    "products": "product_id",
    "clickstream": "event_id",
    "inventory": "event_id",
}
# Lineage of the lake that analysts have no use for.
LAKE_ONLY = {"clickstream": ["source_file", "line_number"], "inventory": ["topic", "partition", "offset"]}
# Events are never replaced by newer versions of themselves.
EVENTS = ("clickstream", "inventory")
