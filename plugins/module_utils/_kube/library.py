# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""The ``kubernetes`` library, for what is not read directly: programs that hand out credentials, proxies, and exec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ansible_collections.netops.kubernetes.plugins.module_utils._kube.access import REMEDY, AccessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def library_configuration(params: Mapping[str, Any]) -> Any:
    """The library's own configuration of a session.

    :param params: a module's options; see ``argument_spec`` in ``connection``.
    :raises AccessError: the library is missing, or cannot use the kubeconfig.
    """
    try:
        import kubernetes.client
        import kubernetes.config
    except ImportError as error:
        raise AccessError(
            "Python library kubernetes",
            f"it cannot be imported: {error}",
            remedy="Install it for the Python that runs this module: pip install kubernetes",
        ) from error
    configuration = kubernetes.client.Configuration()
    if not params.get("host"):
        _load_kubeconfig(kubernetes.config, configuration, params)
    for option, attribute in (
        ("host", "host"),
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("validate_certs", "verify_ssl"),
        ("proxy", "proxy"),
        ("username", "username"),
        ("password", "password"),
        ("tls_server_name", "tls_server_name"),
    ):
        if params.get(option) is not None:
            setattr(configuration, attribute, params[option])
    return configuration


def library_pool(configuration: Any, connections: int) -> Any:
    """What sends requests for the library's own client: a pool of connections of urllib3.

    :param connections: how many are kept open.
    """
    import kubernetes.client

    configuration.connection_pool_maxsize = connections
    return kubernetes.client.ApiClient(configuration).rest_client.pool_manager.connection_from_url(configuration.host)


def library_websocket(configuration: Any, url: str, headers: Sequence[str], timeout: float) -> Any:
    """An open websocket to the server, with the library's configuration and by the library that it brings along.

    Not by ``kubernetes.stream``, which lets nobody limit how long connection, TLS and handshake take.

    :param url: with ``http`` or ``https``.
    :param timeout: seconds for each of them, and for what is received, until its ``settimeout`` says otherwise.
    :raises OSError: or ``WebSocketException``: it cannot be opened.
    """
    import ssl

    from websocket import create_connection

    tls: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE}
    if not configuration.verify_ssl:
        tls["check_hostname"] = False
    said = {
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    tls |= {option: value for option, value in said.items() if value}
    options: dict[str, Any] = {}
    if configuration.proxy:
        proxy = urlsplit(configuration.proxy)
        options = {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port, "http_proxy_timeout": timeout}
        if proxy.username:
            options["http_proxy_auth"] = (unquote(proxy.username), unquote(proxy.password or ""))
        if configuration.no_proxy:
            options["http_no_proxy"] = configuration.no_proxy.split(",")
    # http becomes ws, and https wss.
    return create_connection("ws" + url[len("http") :], timeout=timeout, sslopt=tls, header=list(headers), **options)


def _load_kubeconfig(config: Any, configuration: Any, params: Mapping[str, Any]) -> None:
    file = params.get("kubeconfig")
    try:
        config.load_kube_config(
            config_file=file, context=params.get("context"), client_configuration=configuration, persist_config=False
        )
    except (config.ConfigException, OSError, TypeError, ValueError) as error:
        raise AccessError(
            f"kubeconfig {file or '~/.kube/config'!r}", str(error), "a kubeconfig with the wanted context", REMEDY
        ) from error
