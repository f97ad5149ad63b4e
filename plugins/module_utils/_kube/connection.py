# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""How a module says which API server it means, under the names that kubernetes.core users know."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback


def argument_spec() -> dict[str, dict[str, Any]]:
    """The connection part of a module's argument spec."""
    return {
        "kubeconfig": {"type": "path", "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"])},
        "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
        "host": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_HOST"])},
        "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_API_KEY"])},
        "username": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_USERNAME"])},
        "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_PASSWORD"])},
        "ca_cert": {
            "type": "path",
            "aliases": ["ssl_ca_cert"],
            "fallback": (env_fallback, ["K8S_AUTH_SSL_CA_CERT"]),
        },
        "client_cert": {"type": "path", "aliases": ["cert_file"], "fallback": (env_fallback, ["K8S_AUTH_CERT_FILE"])},
        "client_key": {
            "type": "path",
            "no_log": True,
            "aliases": ["key_file"],
            "fallback": (env_fallback, ["K8S_AUTH_KEY_FILE"]),
        },
        "validate_certs": {
            "type": "bool",
            "aliases": ["verify_ssl"],
            "fallback": (env_fallback, ["K8S_AUTH_VERIFY_SSL"]),
        },
        "proxy": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_PROXY"])},
        "tls_server_name": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_TLS_SERVER_NAME"])},
    }
