# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig read directly means what it means to the ``kubernetes`` library and to kubectl."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.access import (
    Access,
    AccessError,
    direct_access,
    pool_of,
    read_kubeconfig,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.client import UnreachableError, connect
from urllib3.exceptions import InsecureRequestWarning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def config(
    path: Path, cluster: dict[str, Any], user: dict[str, Any], name: str = "one", current: str | None = None
) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name if current is None else current,
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": user}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


SERVER = {"server": "https://192.0.2.1:6443"}
CHOSEN = "current-context: a, contexts: [{name: a, context: {cluster: b, user: c}}]"


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({}, ""),
        ({"token": "abc"}, "Bearer abc"),
        ({"tokenFile": "token"}, "Bearer from-a-file"),
        ({"tokenFile": "token", "token": "abc"}, "Bearer from-a-file"),
        ({"username": "me", "password": "secret"}, "Basic bWU6c2VjcmV0"),
    ],
)
def test_who_asks(tmp_path: Path, user: dict[str, Any], header: str) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    access = read_kubeconfig(config(tmp_path / "config", SERVER, user))
    assert access
    assert (access.server, access.authorization) == ("https://192.0.2.1:6443", header)


def test_files_are_found_beside_the_kubeconfig_and_content_wins(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("authority")
    (tmp_path / "cert.pem").write_text("certificate")
    encoded = base64.b64encode(b"other key").decode()
    user = {"client-certificate": "cert.pem", "client-key": "absent.pem", "client-key-data": encoded}
    cluster = {**SERVER, "certificate-authority": str(tmp_path / "ca.pem"), "tls-server-name": "kubernetes"}
    access = read_kubeconfig(config(tmp_path / "config", cluster, user))
    assert access
    assert (access.authority, access.certificate, access.key) == (b"authority", b"certificate", b"other key")
    assert access.server_name == "kubernetes"
    assert access.is_verified


def test_of_several_files_the_first_that_says_something_counts(tmp_path: Path) -> None:
    first = config(tmp_path / "first", SERVER, {"token": "first"}, current="")
    second = config(tmp_path / "second", {"server": "https://192.0.2.2"}, {"token": "second"})
    third = config(tmp_path / "third", {"server": "https://192.0.2.3"}, {"token": "third"}, name="other")
    files = ":".join([first, str(tmp_path / "absent"), second, third])
    access = direct_access({}, {"KUBECONFIG": files})
    assert access
    assert (access.server, access.authorization) == ("https://192.0.2.1:6443", "Bearer first")
    chosen = direct_access({"context": "other"}, {"KUBECONFIG": files})
    assert chosen
    assert chosen.server == "https://192.0.2.3"


def test_options_win(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("authority")
    options = {
        "kubeconfig": config(tmp_path / "config", SERVER, {"token": "abc"}),
        "ca_cert": str(tmp_path / "ca.pem"),
        "validate_certs": False,
        "api_key": "mine",
    }
    access = direct_access(options, {})
    assert access
    assert (access.authority, access.is_verified, access.authorization) == (b"authority", False, "Bearer mine")
    assert access.server == "https://192.0.2.1:6443"
    other = direct_access({**options, "host": "http://192.0.2.9", "username": "me", "api_key": None}, {})
    assert other
    assert (other.server, other.authorization) == ("http://192.0.2.9", "Basic bWU6")


@pytest.mark.parametrize(
    ("user", "cluster", "options", "environment"),
    [
        ({"exec": {"command": "aws"}}, {}, {}, {}),
        ({"auth-provider": {"name": "oidc"}, "token": "abc"}, {}, {}, {}),
        ({}, {"proxy-url": "socks5://192.0.2.8"}, {}, {}),
        ({}, {}, {"proxy": "http://192.0.2.8"}, {}),
        ({}, {}, {}, {"https_proxy": "http://192.0.2.8"}),
    ],
)
def test_what_needs_more_is_left_to_the_library(
    tmp_path: Path,
    user: dict[str, Any],
    cluster: dict[str, Any],
    options: dict[str, Any],
    environment: dict[str, str],
) -> None:
    file = config(tmp_path / "config", {**SERVER, **cluster}, user)
    assert direct_access({"kubeconfig": file, **options}, environment) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no kubeconfig; expected clusters, users and contexts"),
        ("[", "its YAML does not parse"),
        ("{}", "it names no current context; expected a kubeconfig with the wanted context"),
        ("current-context: a", "contexts has no 'a'; expected one of none"),
        ("{current-context: a, contexts: [{name: a, context: {cluster: b}}]}", "clusters has no 'b'"),
        (f"{{{CHOSEN}, clusters: [{{name: b, cluster: {{server: x}}}}]}}", "users has no 'c'; expected one of none"),
        (
            f"{{{CHOSEN}, clusters: [{{name: b, cluster: {{}}}}], users: [{{name: c, user: {{}}}}]}}",
            "cluster 'b' has no server; expected its URL",
        ),
        ("{clusters: [{cluster: {}}]}", "clusters has an entry without a name, or without a mapping 'cluster'"),
        ("{users: {a: b}}", "users has an entry without a name"),
    ],
)
def test_what_is_wrong_with_a_kubeconfig_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(UnreachableError) as refused:
        connect({"kubeconfig": str(file)})
    assert f"kubeconfig '{file}'" in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({"certificate-authority-data": "%%"}, {}, "certificate-authority-data is no base64"),
        ({"certificate-authority": "absent"}, {}, "absent' cannot be read: No such file or directory"),
        ({"certificate-authority-data": "YQ=="}, {}, "its certificate authority is no PEM"),
        ({}, {"client-certificate-data": "YQ==", "client-key-data": "YQ=="}, "PEM of a certificate and of its key"),
        ({}, {"tokenFile": "absent"}, "absent' cannot be read"),
    ],
)
def test_what_is_wrong_with_credentials_is_named(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    with pytest.raises((UnreachableError, AccessError)) as refused:
        connect({"kubeconfig": config(tmp_path / "config", {**SERVER, **cluster}, user)})
    assert message in str(refused.value)


def test_a_kubeconfig_in_a_closed_folder_cannot_be_read(closed: Path) -> None:
    with pytest.raises(AccessError, match=r"config' cannot be read: Permission denied\. Set kubeconfig"):
        read_kubeconfig(str(closed / "config"))


# ---- a real server that asks for certificates ----------------------------------------------------------------------


class Witness(BaseHTTPRequestHandler):
    """Tells whom it serves."""

    def do_GET(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        shown: Any = self.connection.getpeercert()
        name = "".join(value for [[key, value]] in shown["subject"] if key == "commonName") if shown else "nobody"
        text = f'{{"gitVersion": "{name} {self.headers.get("authorization", "")}"}}'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_unused: Any) -> None:
        """Nothing."""


def certificate(folder: Path, name: str, *extra: str) -> None:
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run([*command, *files, *extra], check=True, capture_output=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL of a server whose certificate bears the name ``kubernetes``, and the folder of everybody's certificates."""
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder, "kubernetes", "-addext", "subjectAltName=DNS:kubernetes")
    certificate(folder, "me")
    certificate(folder, "stranger")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "kubernetes.crt", folder / "kubernetes.key")
    context.load_verify_locations(folder / "me.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    with HTTPServer(("127.0.0.1", 0), Witness) as listening:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{listening.server_address[1]}", folder
        listening.shutdown()


def seen(server: tuple[str, Path], tmp_path: Path, user: dict[str, Any], **cluster: Any) -> str:
    authority = {"certificate-authority": str(server[1] / "kubernetes.crt"), "tls-server-name": "kubernetes"}
    file = config(tmp_path / "config", {"server": server[0], **authority, **cluster}, user)
    return connect({"kubeconfig": file}).server_version


def test_a_client_certificate_is_shown(server: tuple[str, Path], tmp_path: Path) -> None:
    folder = server[1]
    encoded = {f"client-{kind}-data": base64.b64encode((folder / file).read_bytes()).decode() for kind, file in PAIR}
    assert seen(server, tmp_path, encoded) == "me "
    assert seen(server, tmp_path, {f"client-{kind}": str(folder / file) for kind, file in PAIR}) == "me "
    assert seen(server, tmp_path, {"token": "abc"}) == "nobody Bearer abc"


def test_what_stands_beside_certificates_and_between_lines_is_passed_over(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    """As in the bundle of Enterprise Linux, with names of authorities, and in a kubeconfig with a block of lines."""
    folder = server[1]
    bundle = "# Főtanúsítvány\n".encode() + (folder / "kubernetes.crt").read_bytes()
    (tmp_path / "bundle.crt").write_bytes(bundle)
    assert seen(server, tmp_path, {}, **{"certificate-authority": str(tmp_path / "bundle.crt")}) == "nobody "
    lines = {
        f"client-{kind}-data": base64.encodebytes((folder / file).read_bytes()).decode().replace("\n", "\r\n")
        for kind, file in PAIR
    }
    block = base64.encodebytes(bundle).decode()
    assert seen(server, tmp_path, lines, **{"certificate-authority-data": block}) == "me "


PAIR = (("certificate", "me.crt"), ("key", "me.key"))


@pytest.mark.parametrize("cluster", [{"tls-server-name": ""}, {"certificate-authority": "stranger.crt"}])
def test_a_server_that_is_another_is_refused(server: tuple[str, Path], tmp_path: Path, cluster: dict[str, Any]) -> None:
    named = {key: str(server[1] / value) if value else "" for key, value in cluster.items()}
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        seen(server, tmp_path, {}, **named)
    with pytest.warns(InsecureRequestWarning):
        assert seen(server, tmp_path, {}, **named, **{"insecure-skip-tls-verify": True}) == "nobody "


def test_the_library_reaches_the_same_server(server: tuple[str, Path], tmp_path: Path) -> None:
    """By a program that hands out a token, which only the library runs."""
    answer = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "made"}}'
    program = tmp_path / "credentials"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o700)
    fetched = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    assert seen(server, tmp_path, {"exec": fetched}) == "nobody Bearer made"


class Proxy(BaseHTTPRequestHandler):
    """Answers for every server, with the line by which it was asked."""

    def do_GET(self) -> None:
        text = f'{{"gitVersion": "{self.path} for {self.headers["Host"]}"}}'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_unused: Any) -> None:
        """Nothing."""


def test_a_proxy_is_told_which_server_is_meant() -> None:
    with HTTPServer(("127.0.0.1", 0), Proxy) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        proxy = f"http://127.0.0.1:{listening.server_address[1]}"
        asked = connect({"host": "http://kubernetes.example.com/k8s", "proxy": proxy}).server_version
        listening.shutdown()
    assert asked == "http://kubernetes.example.com/k8s/version for kubernetes.example.com"


def test_a_server_below_a_path_is_asked_there() -> None:
    with HTTPServer(("127.0.0.1", 0), Proxy) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        server = f"http://127.0.0.1:{listening.server_address[1]}/k8s/clusters/one/"
        asked = connect({"host": server}).server_version
        listening.shutdown()
    assert asked.startswith("/k8s/clusters/one/version for 127.0.0.1")


def test_headers_and_body_are_sent_at_once() -> None:
    connection = pool_of(Access("http://127.0.0.1"), 1).ConnectionCls("127.0.0.1")
    first, broken, other = (socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _number in range(3))
    with first[0], first[1], broken[0], broken[1], other[0], other[1]:
        connection.sock = first[0]
        connection.request("PATCH", "/one", body=b"{}")
        [piece] = pieces(first[1])
        assert piece.startswith(b"PATCH /one HTTP/1.1\r\n")
        assert piece.endswith(b"\r\n\r\n{}")
        connection.close()
        connection.sock = broken[0]
        connection.putrequest("PUT", "/two")
        connection.putheader("Content-Length", "2")
        connection.endheaders()
        connection.close()
        assert pieces(broken[1]) == []
        connection.sock = other[0]
        connection.request("GET", "/three")
        [piece] = pieces(other[1])
        assert piece.startswith(b"GET /three HTTP/1.1\r\n")


def pieces(end: socket.socket) -> list[bytes]:
    """What has been sent so far, a piece for each call that sent one."""
    end.setblocking(False)
    received = []
    try:
        while piece := end.recv(65536):
            received.append(piece)
    except BlockingIOError:
        pass
    return received
