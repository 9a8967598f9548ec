"""Where alerts go: Slack, e-mail, PagerDuty. Credentials and connections only; tasks/ writes the messages."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import httpx
from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.failures import PermanentFailure, TransientFailure

TIMEOUT_SECONDS = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"


class AlertChannels(Block):
    """Every channel is optional; an empty one is off."""

    _block_type_name = "Alert Channels"

    slack_webhook_url: SecretStr = Field(default=SecretStr(""), title="Slack incoming webhook")
    pagerduty_routing_key: SecretStr = Field(default=SecretStr(""), title="PagerDuty routing key (Events v2)")
    pagerduty_url: str = Field(default=PAGERDUTY_URL, title="PagerDuty Events v2 address")
    smtp_url: SecretStr = Field(
        default=SecretStr(""),
        title="Mail server",
        description="smtp://user:password@host:587 (STARTTLS if offered) or smtps://…",
    )
    alert_email_from: str = Field(default="", title="Sender of e-mails")
    alert_email_to: str = Field(default="", title="Recipients of e-mails, separated by commas")

    def check(self) -> None:
        """Reach every channel that is on, without sending anything. Raises PipelineFailure.

        Whether Slack and PagerDuty accept the credentials, only a message can tell.
        """
        if self.smtp_url.get_secret_value():
            with mail_server(self.smtp_url.get_secret_value()) as server:
                server.noop()
        if url := self.slack_webhook_url.get_secret_value():
            check_answers("SLACK_WEBHOOK_URL", url)
        if self.pagerduty_routing_key.get_secret_value():
            check_answers("PAGERDUTY_URL", self.pagerduty_url)


def check_answers(variable: str, url: str) -> None:
    """Any answer will do. Raises TransientFailure that names the host, not the secret path."""
    try:
        httpx.head(url, timeout=TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransientFailure(
            f"{variable}: {urlsplit(url).hostname} does not answer ({type(error).__name__}); correct it"
        ) from None


@contextmanager
def mail_server(smtp_url: str) -> Iterator[smtplib.SMTP]:
    """A connection to the mail server, encrypted if it can be, logged in if the URL names a user.

    Raises PermanentFailure if the URL is wrong, the login is refused, or a password would travel in the
    clear; TransientFailure if the server does not answer. Neither message holds the password.
    """
    address = urlsplit(smtp_url)
    if address.scheme not in ("smtp", "smtps") or not address.hostname:
        raise PermanentFailure("SMTP_URL must look like smtp://user:password@host:587 or smtps://…")
    tls = ssl.create_default_context()
    try:
        if address.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                address.hostname, address.port or 465, timeout=TIMEOUT_SECONDS, context=tls
            )
        else:
            server = smtplib.SMTP(address.hostname, address.port or 587, timeout=TIMEOUT_SECONDS)
        with server:
            server.ehlo()
            is_encrypted = address.scheme == "smtps"
            if not is_encrypted and server.has_extn("starttls"):
                server.starttls(context=tls)
                is_encrypted = True
            if address.username:
                if not is_encrypted and address.hostname not in LOOPBACK:
                    raise PermanentFailure(
                        f"SMTP_URL: {address.hostname} offers no encryption, the password stays here; use smtps://"
                    )
                server.login(unquote(address.username), unquote(address.password or ""))
            yield server
    except smtplib.SMTPAuthenticationError as error:
        raise PermanentFailure(
            f"SMTP_URL: {address.hostname} refuses the login ({error.smtp_code}); correct user and password"
        ) from None
    except (socket.gaierror, ssl.SSLError, smtplib.SMTPException, OSError) as error:
        raise TransientFailure(
            f"SMTP_URL: {address.hostname} does not take mail ({type(error).__name__}: {error}); "
            "start it, or correct it"
        ) from None
