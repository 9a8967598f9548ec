"""Local servers that take alerts: a webhook that records what is posted, and a mailbox."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Request:
    """One POST: the path it went to, and its JSON."""

    path: str
    body: Any


@dataclass
class Webhook:
    """What has been posted to `url`; `answers` are the status codes to give in turn, 202 when there is none."""

    url: str
    requests: list[Request] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@contextmanager
def open_webhook() -> Iterator[Webhook]:
    """A webhook on a port of its own. Like many, it repeats in a refusal what could not be posted where."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.requests.append(Request(self.path, json.loads(body)))
            status = self.next_status()
            self.answer(status, "ok" if status < 300 else f"Cannot POST {self.path}")

        def do_GET(self) -> None:
            self.answer(self.next_status(), "{}")

        def do_HEAD(self) -> None:
            self.answer(405, "")

        def next_status(self) -> int:
            return webhook.answers.pop(0) if webhook.answers else 202

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        webhook = Webhook(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield webhook
        server.shutdown()
        thread.join()


@dataclass
class Mailbox:
    """The mails a server has taken, and who has logged in. `refused` recipients are answered 550."""

    url: str = ""
    messages: list[EmailMessage] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@contextmanager
def open_mailbox(
    login: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Mailbox]:
    """A mail server on a port of its own; it knows one login, or offers none; with `tls` it offers STARTTLS."""
    mailbox = Mailbox()

    class OnAnyPort(Controller):
        def _trigger_server(self) -> None:
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        if (data.login.decode(), data.password.decode()) != login:
            return AuthResult(success=False, handled=False)
        mailbox.users.append(data.login.decode())
        return AuthResult(success=True)

    controller = OnAnyPort(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        authenticator=authenticate,
        # Without encryption, this keeps the server from offering a login.
        auth_require_tls=login is None or tls is not None,
        tls_context=tls,
    )
    controller.start()
    mailbox.url = f"smtp://127.0.0.1:{controller.port}"
    yield mailbox
    controller.stop()


DRIP_SECONDS = 0.1


@contextmanager
def open_faulty_port(fault: Literal["cut", "silent", "slow"]) -> Iterator[int]:
    """A port that takes connections: and ends them, says nothing, or a letter now and then and never all."""
    is_over = Event()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            # A client that has given up.
            with suppress(OSError):
                while fault == "slow" and not is_over.wait(DRIP_SECONDS):
                    self.request.sendall(b"2")
            if fault == "silent":
                is_over.wait()

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server.server_address[1]
        is_over.set()
        server.shutdown()
        thread.join()
