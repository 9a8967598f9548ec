"""Which alert goes which way, unless the environment says otherwise."""

from typing import Literal

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
Channel = Literal["slack", "email", "pagerduty"]
Severity = Literal["info", "warning", "error", "critical"]
# Per severity a list of chains: each chain is tried in its order until one channel has delivered.
ROUTES: dict[Severity, list[list[Channel]]] = {
    "info": [],
    "warning": [["slack", "email"]],
    "error": [["slack", "email"]],
    "critical": [["slack", "email"], ["pagerduty", "email"]],
}
