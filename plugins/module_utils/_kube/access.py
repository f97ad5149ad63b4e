# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How an API server is reached directly, from a module's options and a kubeconfig.

The ``kubernetes`` library can do this too, and a process of half a second spends most of it on importing that library.
So what nearly every kubeconfig says is read here, by the rules of kubectl (k8s.io/client-go, tools/clientcmd); what
needs more, such as a program that hands out credentials or a proxy, is left to the library.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.documents import parse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

DEFAULT_FILE = "~/.kube/config"
LINE_ENDS = str.maketrans("", "", "\r\n")
SECTIONS = ("clusters", "users", "contexts")
# Fields of a user that say how credentials are fetched.
FETCHED = {"exec", "auth-provider"}
REMEDY = "Set kubeconfig (or K8S_AUTH_KUBECONFIG) to a file that kubectl accepts, and context to one in it"


class AccessError(NetopsError):
    """Options or a kubeconfig by which no API server can be reached."""


@dataclass(frozen=True)
class Access:
    """Where the API server is, and who asks.

    :param server: its URL.
    :param authority: PEM of the authorities that may have signed its certificate; empty: those of the machine.
    :param certificate: PEM of the client's certificate, and of its key.
    :param server_name: the name that the server's certificate must bear, when it differs from the host.
    :param authorization: the header of this name; empty without one.
    """

    server: str
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    is_verified: bool = True
    server_name: str = ""
    authorization: str = ""


def direct_access(params: Mapping[str, Any], environment: Optional[Mapping[str, str]] = None) -> Optional[Access]:
    """How the server is reached without the library; nothing when the library has to find out.

    :param params: a module's options; see ``argument_spec`` in ``connection``.
    :param environment: this process' own, unless another is given.
    :raises AccessError: a file that is named cannot be read, or does not say what it should.
    """
    environment = os.environ if environment is None else environment
    proxied = any(name.lower() in {"http_proxy", "https_proxy", "all_proxy"} for name in environment)
    if params.get("proxy") or proxied:
        return None
    access: Optional[Access] = Access("")
    if not params.get("host"):
        access = read_kubeconfig(params.get("kubeconfig") or environment.get("KUBECONFIG", ""), params.get("context"))
    return access and _with_options(access, params)


def _with_options(access: Access, params: Mapping[str, Any]) -> Access:
    """What the options say wins."""
    said: dict[str, Any] = {}
    for option, field in (("host", "server"), ("validate_certs", "is_verified"), ("tls_server_name", "server_name")):
        if params.get(option) is not None:
            said[field] = params[option]
    for option, field in (("ca_cert", "authority"), ("client_cert", "certificate"), ("client_key", "key")):
        if params.get(option):
            said[field] = _read(Path(params[option]), option)
    if params.get("username"):
        said["authorization"] = _basic(params["username"], params.get("password") or "")
    if params.get("api_key"):
        said["authorization"] = f"Bearer {params['api_key']}"
    return replace(access, **said)


def read_kubeconfig(files: str, context: Optional[str] = None) -> Optional[Access]:
    """What a kubeconfig says; nothing when it says to fetch credentials, or names a proxy.

    :param files: one path or, as in KUBECONFIG, several; of what several say, the first counts. Empty: kubectl's own.
    :param context: the context's name; by default the current one.
    :raises AccessError: there is no such file, or no such context, cluster or user in it.
    """
    subject = f"kubeconfig {files or DEFAULT_FILE!r}"
    config = _merged(files or DEFAULT_FILE, subject)
    name = context or config["current-context"]
    if not name:
        raise AccessError(subject, "it names no current context", "a kubeconfig with the wanted context", REMEDY)
    chosen = _named(config, "contexts", name, subject)[0]
    cluster, place = _named(config, "clusters", chosen.get("cluster"), subject)
    user, home = _named(config, "users", chosen["user"], subject) if chosen.get("user") else ({}, place)
    if FETCHED & user.keys() or cluster.get("proxy-url"):
        return None
    if not cluster.get("server"):
        raise AccessError(subject, f"cluster {chosen['cluster']!r} has no server", "its URL", REMEDY)
    return Access(
        str(cluster["server"]),
        _content(cluster, "certificate-authority", place, subject),
        _content(user, "client-certificate", home, subject),
        _content(user, "client-key", home, subject),
        not cluster.get("insecure-skip-tls-verify"),
        str(cluster.get("tls-server-name") or ""),
        _authorization(user, home, subject),
    )


def elsewhere(text: str, server: str, subject: str) -> str:
    """A kubeconfig whose server is reached by another URL; its certificate must still bear the name that it has.

    :param text: the kubeconfig.
    :raises AccessError: it has no server.
    """
    try:
        [config] = parse(text, subject)
        clusters = [entry["cluster"] for entry in config["clusters"]]
        hosts = [urlsplit(cluster["server"]).hostname for cluster in clusters]
    except (KeyError, TypeError, ValueError) as error:
        raise AccessError(f"kubeconfig {subject!r}", "no server is named in it", "a kubeconfig of kubeadm") from error
    for cluster, host in zip(clusters, hosts):
        cluster.setdefault("tls-server-name", host)
        cluster["server"] = server
    return json.dumps(config)


def _merged(files: str, subject: str) -> dict[str, Any]:
    """The sections by name, each entry with its file's folder, and the current context."""
    config: dict[str, Any] = {section: {} for section in SECTIONS}
    config["current-context"] = ""
    paths = [Path(name).expanduser() for name in files.split(os.pathsep) if name]
    there = [path for path in paths if _is_there(path, subject)]
    if not there:
        raise AccessError(subject, "there is no such file", "a kubeconfig with the wanted context", REMEDY)
    for path in there:
        said = next(iter(parse(_read(path, subject).decode("utf-8", "replace"), subject)), None)
        if not isinstance(said, dict):
            raise AccessError(subject, f"{str(path)!r} is no kubeconfig", "clusters, users and contexts", REMEDY)
        config["current-context"] = config["current-context"] or said.get("current-context") or ""
        for section in SECTIONS:
            _add(config[section], said.get(section) or [], section, path, subject)
    return config


def _add(known: dict[str, Any], entries: Any, section: str, path: Path, subject: str) -> None:
    for entry in entries if isinstance(entries, list) else [entries]:
        # An entry of section "users" holds its content below "user", and so on.
        content = (entry.get(section[:-1]) or {}) if isinstance(entry, dict) else None
        if not isinstance(content, dict) or not entry.get("name"):
            raise AccessError(
                subject, f"{section} has an entry without a name, or without a mapping {section[:-1]!r}", remedy=REMEDY
            )
        known.setdefault(entry["name"], (content, path.parent))


def _named(config: Mapping[str, Any], section: str, name: Any, subject: str) -> tuple[dict[str, Any], Path]:
    if name not in config[section]:
        known = ", ".join(map(repr, config[section])) or "none"
        raise AccessError(subject, f"{section} has no {name!r}", f"one of {known}", REMEDY)
    found: tuple[dict[str, Any], Path] = config[section][name]
    return found


def _content(entry: Mapping[str, Any], field: str, folder: Path, subject: str) -> bytes:
    """What stands in the field NAME-data, in base64, or in the file that the field names; empty without either."""
    encoded = entry.get(f"{field}-data")
    if encoded:
        try:
            # Go's decoder passes over the ends of lines (encoding/base64), so a block of YAML may hold it.
            return base64.b64decode(str(encoded).translate(LINE_ENDS), validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise AccessError(subject, f"{field}-data is no base64: {error}", remedy=REMEDY) from error
    return _read(folder / entry[field], subject) if entry.get(field) else b""


def _is_there(path: Path, subject: str) -> bool:
    try:
        return path.exists()
    except OSError as error:
        # Below a folder that this user may not enter.
        raise _unreadable(path, subject, error) from error


def _read(path: Path, subject: str) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise _unreadable(path, subject, error) from error


def _unreadable(path: Path, subject: str, error: OSError) -> AccessError:
    return AccessError(subject, f"{str(path)!r} cannot be read: {error.strerror}", remedy=REMEDY)


def _authorization(user: Mapping[str, Any], folder: Path, subject: str) -> str:
    if user.get("tokenFile"):
        return f"Bearer {_read(folder / user['tokenFile'], subject).decode().strip()}"
    if user.get("token"):
        return f"Bearer {user['token']}"
    return _basic(user["username"], user.get("password") or "") if user.get("username") else ""


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def pool_of(access: Access, connections: int) -> Any:
    """What sends requests: a pool of connections of urllib3, as the library's own client has one.

    :param connections: how many are kept open.
    :raises AccessError: the certificates are none.
    """
    import urllib3

    options: dict[str, Any] = {"maxsize": connections}
    if access.server.startswith("https"):
        options["ssl_context"] = _context(access)
        options["cert_reqs"] = "CERT_REQUIRED" if access.is_verified else "CERT_NONE"
        if access.server_name:
            options |= {"server_hostname": access.server_name, "assert_hostname": access.server_name}
    pool = urllib3.PoolManager(**options).connection_from_url(access.server)
    pool.ConnectionCls = type("Connection", (InOnePiece, pool.ConnectionCls), {})
    return pool


class InOnePiece(HTTPConnection):
    """Sends a request's headers and its body at once.

    In two pieces, as the standard library sends them, they wake both sides twice: 500 objects took a tenth longer.
    """

    _has_body = False
    _head = b""

    def putrequest(self, *request: Any, **options: Any) -> None:
        # What a request that broke off has left is no part of this one.
        self._has_body, self._head = False, b""
        super().putrequest(*request, **options)

    def putheader(self, header: Any, *values: Any) -> None:
        self._has_body |= str(header).lower() == "content-length" and int(values[0]) > 0
        super().putheader(header, *values)

    def send(self, data: Any) -> None:
        if self._has_body:
            self._has_body, self._head = False, data
            return
        head, self._head = self._head, b""
        super().send(head + data if head else data)


def _context(access: Access) -> ssl.SSLContext:
    """One for all connections: certificates are read once."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not access.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if access.authority:
            # PEM is ASCII, and what stands around it is a comment; distributions write names of authorities there.
            context.load_verify_locations(cadata=access.authority.decode("ascii", "ignore"))
        elif access.is_verified:
            context.load_default_certs()
    except (ssl.SSLError, ValueError) as error:
        raise AccessError(
            f"API server {access.server}", f"its certificate authority is no PEM: {error}", remedy=REMEDY
        ) from error
    if access.certificate:
        _load_certificate(context, access)
    return context


def _load_certificate(context: ssl.SSLContext, access: Access) -> None:
    # The ssl module reads keys from files only; this one is the user's alone, and gone at once.
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder, "pair.pem")
        pair.touch(mode=0o600)
        pair.write_bytes(access.certificate + b"\n" + access.key)
        try:
            # Without a password it would ask the terminal for one.
            context.load_cert_chain(pair, password="")
        except OSError as error:
            raise AccessError(
                f"API server {access.server}",
                f"the client's certificate or key cannot be used: {error}",
                "PEM of a certificate and of its key without a passphrase",
                REMEDY,
            ) from error
