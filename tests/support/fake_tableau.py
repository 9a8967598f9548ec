"""A stand-in for Tableau's REST API, written by hand: sign in, look for a project, publish, sign out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

from pydantic import SecretStr

from blocks.settings.fields import TableauFields

NAMESPACE = "http://tableau.com/api"
SESSION, SITE, PROJECT = "session-1", "site-1", "project-1"


@dataclass
class FakeTableau:
    """What the server knows and was given: packages by the name of their data source, and who signed out."""

    url: str
    token: tuple[str, str] = ("pipeline", "right")
    projects: list[str] = field(default_factory=lambda: ["default", "Shop"])
    published: dict[str, bytes] = field(default_factory=dict)
    modes: list[str] = field(default_factory=list)
    signed_out: int = 0
    status: int = 200
    """What a publish is answered with, if not success."""


def fields(tableau: FakeTableau, **values: Any) -> TableauFields:
    """The settings of somebody who may publish there."""
    given = {
        "tableau_server_url": tableau.url,
        "tableau_token_name": "pipeline",
        "tableau_token": SecretStr("right"),
        "tableau_project": "Shop",
    }
    return TableauFields(**given | values)


@contextmanager
def open_tableau() -> Iterator[FakeTableau]:
    """A server on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path)
            if path.path.endswith("/serverInfo"):
                self.answer(
                    200,
                    "<serverInfo><productVersion build='1'>2023.3</productVersion>"
                    "<restApiVersion>3.21</restApiVersion></serverInfo>",
                )
            elif path.path.endswith(f"/sites/{SITE}/projects") and self.is_signed_in():
                wanted = parse_qs(path.query)["filter"][0].removeprefix("name:eq:")
                found = "".join(
                    f"<project id='{PROJECT}' name='{name}'/>" for name in tableau.projects if name == wanted
                )
                self.answer(
                    200,
                    f"<pagination pageNumber='1' pageSize='100' totalAvailable='{bool(found):d}'/>"
                    f"<projects>{found}</projects>",
                )
            else:
                self.refuse(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = urlsplit(self.path)
            if path.path.endswith("/auth/signin"):
                credentials = ET.fromstring(body).find("credentials")
                assert credentials is not None
                given = (
                    credentials.get("personalAccessTokenName"),
                    credentials.get("personalAccessTokenSecret"),
                )
                if given != tableau.token:
                    self.refuse(401)
                    return
                self.answer(
                    200,
                    f"<credentials token='{SESSION}'><site id='{SITE}' contentUrl=''/><user id='u'/></credentials>",
                )
            elif path.path.endswith("/auth/signout"):
                tableau.signed_out += 1
                self.answer(204, "")
            elif path.path.endswith(f"/sites/{SITE}/datasources") and self.is_signed_in():
                self.publish(body, path.query)
            else:
                self.refuse(404)

        def publish(self, body: bytes, mode: str) -> None:
            if tableau.status != 200:
                self.refuse(tableau.status)
                return
            message = message_from_bytes(
                b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
            )
            request, package = (part.get_payload(decode=True) for part in message.get_payload())
            source = ET.fromstring(request).find("datasource")
            assert source is not None
            assert source.find("project").get("id") == PROJECT
            tableau.published[source.get("name")] = package
            tableau.modes.append(mode)
            self.answer(201, f"<datasource id='d' name='{source.get('name')}' contentUrl='x' type='hyper'/>")

        def is_signed_in(self) -> bool:
            return self.headers["x-tableau-auth"] == SESSION

        def refuse(self, status: int) -> None:
            self.answer(
                status, f"<error code='{status}001'><summary>Refused</summary><detail>no</detail></error>"
            )

        def answer(self, status: int, content: str) -> None:
            body = f"<?xml version='1.0'?><tsResponse xmlns='{NAMESPACE}'>{content}</tsResponse>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tableau = FakeTableau(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield tableau
        server.shutdown()
        thread.join()
