"""Names of the events that the pipeline sends to Prefect's server, as automations match them."""

DELIVERED_EVENT = "ecommerce-pipeline.alert.delivered"
LOW_QUALITY_EVENT = "ecommerce-pipeline.quality.low"


def quality_resource(platform: str) -> str:
    """The resource of a LOW_QUALITY_EVENT of a platform."""
    return f"ecommerce-pipeline.quality.{platform}"
