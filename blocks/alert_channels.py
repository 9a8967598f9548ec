"""The channels of alerts: Slack, e-mail, PagerDuty. Connections only; tasks/alerts/ writes the messages."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import AlertFields
from blocks.system_block import SystemBlock

TIMEOUT_SECONDS = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What httpx raises for an address that is none.
NO_URL = (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError)


class AlertChannels(AlertFields, SystemBlock):
    """Every channel is optional; an empty one is off."""

    _block_type_name = "Alert Channels"

    def check(self) -> None:
        """Reach every channel that is on, without sending anything. Raises PipelineFailure.

        Whether Slack and PagerDuty accept the credentials, only a message can show.
        """
        if self.smtp_url.get_secret_value():
            with mail_server(self.smtp_url.get_secret_value()) as server:
                server.noop()
        for variable, url in self.webhooks().values():
            check_answers(variable, url)


def check_answers(variable: str, url: str) -> None:
    """Reach a web server; any answer will do. Raises PipelineFailure, without the secret path."""
    try:
        httpx.head(url, timeout=TIMEOUT_SECONDS)
    except NO_URL:
        raise PermanentFailure(f"{variable} is no URL; correct it") from None
    except httpx.HTTPError as error:
        raise TransientFailure(
            f"{variable}: {httpx.URL(url).host} does not answer ({type(error).__name__}); correct it"
        ) from None


@contextmanager
def mail_server(smtp_url: str) -> Iterator[smtplib.SMTP]:
    """A connection to the mail server, encrypted if it can be, logged in if the URL names a user.

    Raises PermanentFailure if the URL is wrong, the login or the mail is refused, or a password would travel
    in the clear; TransientFailure if the server does not answer. Neither message holds the password.
    """
    address, host = _address(smtp_url)
    tls = ssl.create_default_context()
    try:
        if address.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, address.port or 465, timeout=TIMEOUT_SECONDS, context=tls
            )
        else:
            server = smtplib.SMTP(host, address.port or 587, timeout=TIMEOUT_SECONDS)
        with server:
            server.ehlo()
            is_encrypted = address.scheme == "smtps"
            if not is_encrypted and server.has_extn("starttls"):
                server.starttls(context=tls)
                is_encrypted = True
            if address.username:
                if not is_encrypted and host not in LOOPBACK:
                    raise PermanentFailure(
                        f"SMTP_URL: {host} offers no encryption, the password stays here; use smtps://"
                    )
                server.login(unquote(address.username), unquote(address.password or ""))
            yield server
    except smtplib.SMTPAuthenticationError as error:
        raise PermanentFailure(
            f"SMTP_URL: {host} refuses the login ({error.smtp_code}); correct user and password"
        ) from None
    except UnicodeError:
        # Its message would show a letter of the password.
        raise PermanentFailure("SMTP_URL: host, user and password must be ASCII; correct it") from None
    except OSError as error:
        failure = PermanentFailure if _is_final(error) else TransientFailure
        raise failure(
            f"SMTP_URL: {host} does not take mail ({type(error).__name__}: {error}); start it, or correct it"
        ) from None


def _address(smtp_url: str) -> tuple[SplitResult, str]:
    """The parts of the URL and its host. Raises PermanentFailure if they may hold a piece of the password."""
    try:
        address = urlsplit(smtp_url)
        has_port = address.port is None or address.port > 0
    except ValueError:
        has_port = False
    if (
        not has_port
        or address.scheme not in ("smtp", "smtps")
        or not address.hostname
        or address.path.strip("/")
        or address.query
        or address.fragment
    ):
        raise PermanentFailure(
            "SMTP_URL must look like smtp://user:password@host:587 or smtps://…, with / ? # [ ] in the "
            "password as %2F %3F %23 %5B %5D"
        )
    return address, address.hostname


def _is_final(error: OSError) -> bool:
    """Whether the server refuses for good, rather than fails."""
    codes = []
    if isinstance(error, smtplib.SMTPResponseException):
        codes = [error.smtp_code]
    elif isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    return isinstance(error, smtplib.SMTPNotSupportedError) or any(code >= 500 for code in codes)
