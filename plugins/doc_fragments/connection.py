# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    """How a module reaches the API server."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig. Without it and without O(host), C(~/.kube/config) is used.
      - The environment variable E(K8S_AUTH_KUBECONFIG) gives its default.
    type: path
  context:
    description: Context of the kubeconfig; its current context by default (E(K8S_AUTH_CONTEXT)).
    type: str
  host:
    description: URL of the API server, instead of a kubeconfig (E(K8S_AUTH_HOST)).
    type: str
  api_key:
    description: Bearer token (E(K8S_AUTH_API_KEY)).
    type: str
  username:
    description: User name, for a proxy in front of the API server that asks for one (E(K8S_AUTH_USERNAME)).
    type: str
  password:
    description: Password of O(username) (E(K8S_AUTH_PASSWORD)).
    type: str
  ca_cert:
    description: Path of the certificate authority that signed the server's certificate (E(K8S_AUTH_SSL_CA_CERT)).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description: Path of a client certificate (E(K8S_AUTH_CERT_FILE)).
    type: path
    aliases: [cert_file]
  client_key:
    description: Path of the client certificate's key (E(K8S_AUTH_KEY_FILE)).
    type: path
    aliases: [key_file]
  validate_certs:
    description: Whether the server's certificate is verified (E(K8S_AUTH_VERIFY_SSL)).
    type: bool
    aliases: [verify_ssl]
  proxy:
    description: URL of an HTTP proxy on the way to the server (E(K8S_AUTH_PROXY)).
    type: str
  tls_server_name:
    description:
      - Name that the server's certificate must bear, when it differs from the host.
      - The environment variable E(K8S_AUTH_TLS_SERVER_NAME) gives its default.
    type: str
requirements:
  - kubernetes >= 31.0.0 (Python, where the module runs)
"""
