"""The names of the events that this platform sends to Prefect's server, as automations match them."""

DELIVERED_EVENT = "ecommerce-pipeline.alert.delivered"
LOW_QUALITY_EVENT = "ecommerce-pipeline.quality.low"


def quality_resource(platform: str) -> str:
    """What the event is about, as automations match it."""
    return f"ecommerce-pipeline.quality.{platform}"
