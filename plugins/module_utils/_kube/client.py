# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change in any release; use the modules and filters instead.
"""One session to the API server: the only place that talks to it."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlencode, urlsplit

from ansible_collections.netops.kubernetes.plugins.module_utils._errors import NetopsError
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.access import direct_access, pool_of
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.library import (
    library_configuration,
    library_pool,
    library_websocket,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._kube.objects import (
    MANAGER,
    Object,
    ObjectRef,
    ref_of,
)
from ansible_collections.netops.kubernetes.plugins.module_utils._progress import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# As many as threads use at once.
CONNECTIONS = 8
# How long an answer may take.
ANSWER_SECONDS = 60.0
PAGE = 500
# Every API server serves these, so none is asked: resource, and whether its objects live in namespaces.
BUILT_IN = {
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "Namespace"): ("namespaces", False),
    ("v1", "Node"): ("nodes", False),
    ("v1", "Pod"): ("pods", True),
    ("v1", "Service"): ("services", True),
    ("apps/v1", "DaemonSet"): ("daemonsets", True),
    ("discovery.k8s.io/v1", "EndpointSlice"): ("endpointslices", True),
}
# How long a server that is too busy is asked again.
PATIENCE_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 8.0
CONFLICTS_SHOWN = 20
# The status of a request that RBAC does not let through.
FORBIDDEN = 403
# Channels of a program in a container (k8s.io/apimachinery, remotecommand).
STDOUT, STDERR, STATUS = 1, 2, 3
# Names without contents (k8s.io/apimachinery, meta/v1): a page of these is small.
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
CONTENT_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    # JSON is YAML; the server has no JSON form of this one before 1.34.
    "apply": "application/apply-patch+yaml",
}


class KubeError(NetopsError):
    """The API server refused something.

    :param status: the HTTP status, 0 when there was no answer.
    """

    status = 0


class ConflictError(KubeError):
    """409: somebody else changed or owns what was to be written."""

    status = 409


class UnreachableError(KubeError):
    """No API server could be asked."""


class UnknownKindError(KubeError):
    """The API server does not serve this kind (yet)."""

    status = 404


@dataclass(frozen=True)
class Executed:
    """How a program in a container ended, and what it printed."""

    code: int
    output: str


class KubeClient:
    """A session. Safe to use from several threads.

    :param pool: what sends requests to the server: a pool of connections of urllib3.
    :param server: the API server's URL.
    :param headers: sent with every request: who we are.
    :param configured: makes the ``kubernetes`` library's own configuration, for what is no single request and answer.
    :param proxied: whether a proxy reads the requests, which then name the server.
    """

    def __init__(
        self,
        pool: Any,
        server: str,
        headers: Mapping[str, str],
        configured: Callable[[], Any],
        *,
        proxied: bool = False,
    ) -> None:
        self._pool = pool
        self._prefix = server.rstrip("/") if proxied else urlsplit(server).path.rstrip("/")
        self._configured = configured
        self._server = server.rstrip("/")
        self._headers = dict(headers)
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}
        self._lock = threading.Lock()
        self._version = ""
        self.requests = 0
        self.patience = PATIENCE_SECONDS

    # ---- transport ------------------------------------------------------------------------------------------

    def raw(
        self,
        method: str,
        path: str,
        *,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float = ANSWER_SECONDS,
        busy: bool = True,
    ) -> Any:
        """One request; its answer parsed when it is JSON, else as text.

        A server that is too busy (429 of API Priority and Fairness) is asked again, later each time.

        :param timeout: seconds for the answer.
        :param busy: whether 429 means that; an eviction gets it from a PodDisruptionBudget too.
        :raises KubeError: the server refused; a subclass says more.
        """
        target = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {**self._headers, "Accept": accept, "Content-Type": content_type}
        payload = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + self.patience
        wait = 0.0
        while True:
            status, answer, said = self._send(method, target, payload, headers, timeout)
            if status != 429 or not busy:
                break
            wait = min(LONGEST_WAIT_SECONDS, max(_seconds(said.get("Retry-After")), 2 * wait))
            if time.monotonic() + wait > deadline:
                raise self._busy(method, path, said)
            tell(f"the API server is too busy; asking again in {wait:.0f} s")
            # Not all threads again at the same moment.
            time.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - it spreads requests, it keeps no secret
        if status >= 300:
            raise self._refusal(method, path, status, answer)
        try:
            return json.loads(answer)
        except ValueError:
            return answer

    def _busy(self, method: str, path: str, headers: Mapping[str, str]) -> KubeError:
        """API Priority and Fairness names its objects by their uid (kubernetes.io, flow-control)."""
        flow = headers.get("X-Kubernetes-PF-FlowSchema-UID", "unknown")
        level = headers.get("X-Kubernetes-PF-PriorityLevel-UID", "unknown")
        error = KubeError(
            f"{method} {path} at {self._server}",
            f"too many requests for {self.patience:.0f} s (uid of FlowSchema {flow}, of its priority level {level})",
            "room for this client's requests",
            "Find out what else floods the API server, or give this client a priority level with more shares",
        )
        return _with_status(error, 429)

    def _send(
        self, method: str, target: str, payload: Optional[bytes], headers: dict[str, str], timeout: float
    ) -> tuple[int, str, Mapping[str, str]]:
        import urllib3

        with self._lock:
            self.requests += 1
        try:
            # Not by a pool of pools, which takes as long for each request as all the rest of it.
            answer = self._pool.request(
                method,
                target,
                body=payload,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(connect=10.0, read=timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(
                f"API server {self._server}",
                str(error),
                "an answer",
                "Check that it runs, that this host may reach it, and that kubeconfig, host and ca_cert are right",
            ) from error
        return answer.status, answer.data.decode("utf-8", "replace"), answer.headers

    def _refusal(self, method: str, path: str, status: int, answer: str) -> KubeError:
        content = _status_of(answer)
        said = content.get("message") or answer
        subject = f"{method} {path} at {self._server}"
        if status == 429:
            # Which PodDisruptionBudget it was is said in the causes (k8s.io/kubernetes, pod/storage/eviction.go).
            causes = (content.get("details") or {}).get("causes") or []
            said = " ".join([said, *(one["message"] for one in causes if one.get("message"))])
        if status == 409:
            return ConflictError(subject, conflicts_of(content) or said)
        if status == 401:
            return _with_status(
                KubeError(subject, said, "known credentials", "Check kubeconfig, context or api_key"), 401
            )
        if status == FORBIDDEN:
            return _with_status(
                KubeError(subject, said, "permission", "Grant it; the documentation lists the RBAC rules"), status
            )
        return _with_status(KubeError(subject, f"{said} (HTTP {status})"), status)

    def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str], timeout: float = 30.0
    ) -> Executed:
        """Run a program in a container.

        It reaches the pod through its kubelet, so no network policy is in its way.

        :param timeout: seconds until the program has ended, of which the connection is a part.
        :raises NetopsError: it cannot be run, or does not end in time, or the library for it is missing.
        """
        configuration = self._configured()
        from websocket import WebSocketBadStatusException, WebSocketException, WebSocketTimeoutException

        path = self.path("v1", "Pod", namespace, pod) + "/exec"
        query = [("command", word) for word in command]
        query += [("container", container), ("stdout", "true"), ("stderr", "true")]
        subject = f"{command[0]} in pod '{namespace}/{pod}'"
        with self._lock:
            self.requests += 1
        deadline = time.monotonic() + timeout
        url = f"{self._server}{path}?{urlencode(query)}"
        # With the older protocol the API server hands the stream on as it is, whatever its version and the kubelet's.
        headers = ["sec-websocket-protocol: v4.channel.k8s.io"]
        headers += [f"{name}: {value}" for name, value in self._headers.items()]
        try:
            stream = library_websocket(configuration, url, headers, timeout)
            try:
                channels = _received(stream, deadline)
            finally:
                # Its close would wait for the server once more.
                stream.shutdown()
        except WebSocketBadStatusException as error:
            # websocket-client before 1.6 drops it.
            answer = (getattr(error, "resp_body", None) or b"").decode("utf-8", "replace")
            said = _status_of(answer).get("message") or answer or f"HTTP {error.status_code}"
            refused = KubeError(
                subject,
                f"it cannot be run: {' '.join(said.split())[:300]}",
                "a running container, and permission",
                "Grant get and create on pods/exec, or look at the pod and its node's kubelet",
            )
            raise _with_status(refused, error.status_code) from error
        except (TimeoutError, WebSocketTimeoutException) as error:
            raise KubeError(
                subject,
                f"it did not end within {timeout:.0f} s",
                "an exit code",
                "Look at the pod and its node's kubelet",
            ) from error
        except (OSError, WebSocketException) as error:
            raise KubeError(subject, f"the connection broke: {error}") from error
        status = channels[STATUS]
        code = exit_code(status)
        if code is None:
            seen = status.strip() or "nobody said how it ended"
            raise KubeError(subject, seen, "an exit code", "Look at the pod and its node's kubelet")
        return Executed(code, channels[STDOUT] + channels[STDERR])

    # ---- discovery ------------------------------------------------------------------------------------------

    @property
    def server_version(self) -> str:
        """The API server's version, such as ``v1.36.3``."""
        if not self._version:
            self._version = str(self.raw("GET", "/version")["gitVersion"])
        return self._version

    def forget_kinds(self, api_version: str) -> None:
        """Ask again what the group serves: a CRD has been added."""
        self._kinds.pop(api_version, None)

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The URL path of a kind's collection, or of one object.

        :raises UnknownKindError: the server does not serve the kind.
        """
        root = _root(api_version)
        plural, namespaced = self._kind(api_version, kind)
        scope = f"/namespaces/{namespace or 'default'}" if namespaced and (namespace or name) else ""
        return f"{root}{scope}/{plural}" + (f"/{name}" if name else "")

    def _kind(self, api_version: str, kind: str) -> tuple[str, bool]:
        if (api_version, kind) in BUILT_IN:
            return BUILT_IN[api_version, kind]
        # Another thread may forget the group at any moment; what was read here stays.
        kinds = self._kinds.get(api_version)
        if kinds is None:
            kinds = self._served_kinds(api_version)
            self._kinds[api_version] = kinds
        if kind not in kinds:
            raise UnknownKindError(
                f"kind {kind} of {api_version}",
                "this API server does not serve it",
                remedy="Install its CustomResourceDefinition, or correct apiVersion",
            )
        return kinds[kind]

    def _served_kinds(self, api_version: str) -> dict[str, tuple[str, bool]]:
        """The kinds that a group's version has; none, when the server does not know it (yet)."""
        try:
            listed = self.raw("GET", _root(api_version))
        except KubeError as error:
            if error.status != 404:
                raise
            return {}
        return {
            resource["kind"]: (resource["name"], resource["namespaced"])
            for resource in listed["resources"]
            if "/" not in resource["name"]
        }

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the server knows a kind."""
        try:
            self._kind(api_version, kind)
        except UnknownKindError:
            return False
        return True

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Whether objects of a kind live in namespaces; no, when the server does not serve it (yet)."""
        return self.serves(api_version, kind) and self._kind(api_version, kind)[1]

    def _path_of(self, ref: ObjectRef) -> str:
        return self.path(ref.api_version, ref.kind, ref.namespace, ref.name)

    # ---- objects --------------------------------------------------------------------------------------------

    def names(self, api_version: str, kind: str, namespace: str) -> Optional[set[str]]:
        """The names of all objects of a kind in a place; nothing when they are more than one page."""
        page = self.raw("GET", self.path(api_version, kind, namespace), query={"limit": str(PAGE)}, accept=NAMES_ONLY)
        if page["metadata"].get("continue"):
            return None
        # An empty page of names has no list at all.
        return {item["metadata"]["name"] for item in page["items"] or []}

    def get(self, ref: ObjectRef) -> Optional[Object]:
        """Read an object; nothing when it, its kind or its namespace is not there."""
        try:
            answer: Object = self.raw("GET", self._path_of(ref))
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return answer

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        *,
        page: int = PAGE,
        accept: str = "application/json",
    ) -> Iterator[Object]:
        """The objects of a kind, page by page; of all namespaces unless one is named.

        :param page: how many are in memory at once, if the caller keeps none.
        :param accept: NAMES_ONLY: nothing of each but its metadata.
        """
        path = self.path(api_version, kind, namespace)
        query = {"limit": str(page)}
        query.update({"labelSelector": label_selector} if label_selector else {})
        query.update({"fieldSelector": field_selector} if field_selector else {})
        while True:
            answer = self.raw("GET", path, query=query, accept=accept)
            # An empty page of metadata has no list at all.
            for item in answer["items"] or []:
                yield {**item, "apiVersion": api_version, "kind": kind}
            token = answer["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    def snapshot(
        self, api_version: str, kind: str, namespace: str, label_selector: str = "", field_selector: str = ""
    ) -> tuple[tuple[Object, ...], str]:
        """A few objects of a kind in one piece, and the version from which on :meth:`watch` tells what happens to them.

        Not by pages: asked for a page, a server before 1.33 reads every object of the kind from its database, however
        few the selectors leave (k8s.io/apiserver, storage/cacher).
        """
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {key: one for key, one in selectors.items() if one}
        page = self.raw("GET", self.path(api_version, kind, namespace), query=query)
        found = tuple({"apiVersion": api_version, "kind": kind, **item} for item in page["items"])
        return found, str(page["metadata"]["resourceVersion"])

    def watch(
        self, api_version: str, kind: str, namespace: str, label_selector: str, *, version: str, seconds: float
    ) -> Iterator[tuple[str, Object]]:
        """What happens to objects of a kind after a version, for as long as somebody listens.

        :param version: of a list of this kind (:meth:`snapshot`).
        :param seconds: how long at most. It ends earlier where the connection or the server's memory does; then
            :meth:`snapshot` tells what is.
        :returns: ``ADDED``, ``MODIFIED`` or ``DELETED``, and the object as it is then.
        :raises KubeError: the server refuses.
        """
        import urllib3

        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(max(1, round(seconds)))}
        query.update({"labelSelector": label_selector} if label_selector else {})
        path = self.path(api_version, kind, namespace)
        with self._lock:
            self.requests += 1
        try:
            answer = self._pool.request(
                "GET",
                f"{self._server}{path}?{urlencode(query)}",
                headers={**self._headers, "Accept": "application/json"},
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(connect=10.0, read=seconds + 10.0),
            )
        except urllib3.exceptions.HTTPError:
            # Whether the server can be asked at all, the next list tells.
            return
        try:
            if answer.status >= 400:
                raise self._refusal("GET", path, answer.status, answer.data.decode("utf-8", "replace"))
            for event in _lines(answer):
                if event["type"] == "ERROR":
                    return
                yield event["type"], {"apiVersion": api_version, "kind": kind, **event["object"]}
        except urllib3.exceptions.HTTPError:
            return
        finally:
            # What is left of the answer is nobody's, so the connection cannot serve again.
            answer.close()

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Write an object that must not be there yet.

        :raises ConflictError: it is there.
        """
        ref = ref_of(obj)
        answer: Object = self.raw(
            "POST",
            self.path(ref.api_version, ref.kind, ref.namespace or self._place_of(ref)),
            query=_query(dry_run, fieldManager=MANAGER),
            body=obj,
        )
        return answer

    def rehearse(self, obj: Object, namespace: str) -> Object:
        """What the server would make of a new object, judged in another namespace than its own.

        :param namespace: one that is there; the answer names the object's own again.
        :raises KubeError: the server refuses the object.
        """
        ref = ref_of(obj)
        # With a generated name, nothing that is there is in the way.
        metadata = {key: value for key, value in obj["metadata"].items() if key != "name"}
        answer: Object = self.raw(
            "POST",
            self.path(ref.api_version, ref.kind, namespace),
            query=_query(True, fieldManager=MANAGER, fieldValidation="Strict"),
            body={**obj, "metadata": {**metadata, "namespace": namespace, "generateName": f"{ref.name}-"}},
        )
        answer["metadata"].pop("generateName", None)
        answer["metadata"] |= {"name": ref.name, "namespace": ref.namespace}
        return answer

    def _place_of(self, ref: ObjectRef) -> str:
        return "default" if self.is_namespaced(ref.api_version, ref.kind) else ""

    def replace(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Write an object over the version that was read (``metadata.resourceVersion``).

        :raises ConflictError: somebody wrote in between.
        """
        answer: Object = self.raw(
            "PUT", self._path_of(ref_of(obj)), query=_query(dry_run, fieldManager=MANAGER), body=obj
        )
        return answer

    def patch(self, ref: ObjectRef, body: Any, *, patch_type: str = "merge", dry_run: bool = False) -> Object:
        """Change parts of an object."""
        answer: Object = self.raw(
            "PATCH",
            self._path_of(ref),
            query=_query(dry_run, fieldManager=MANAGER),
            body=body,
            content_type=CONTENT_TYPES[patch_type],
        )
        return answer

    def apply(self, obj: Object, *, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply under the collection's field manager.

        :raises ConflictError: another manager owns a field, and ``force`` is not set.
        """
        ref = ref_of(obj)
        query = _query(dry_run, fieldManager=MANAGER, force="true" if force else "false")
        try:
            answer: Object = self.raw(
                "PATCH", self._path_of(ref), query=query, body=obj, content_type=CONTENT_TYPES["apply"]
            )
        except ConflictError as error:
            raise ConflictError(
                str(ref),
                error.seen,
                "fields that nobody else manages",
                "Leave these fields to their manager, or set force_conflicts to take them over",
            ) from error
        except (UnreachableError, UnknownKindError):
            raise
        except KubeError as error:
            # Which object it is says more than its path.
            raise _with_status(KubeError(str(ref), error.seen, error.expected, error.remedy), error.status) from error
        return answer

    def delete(
        self,
        ref: ObjectRef,
        *,
        propagation: str = "Foreground",
        dry_run: bool = False,
        version: str = "",
        uid: str = "",
    ) -> bool:
        """Delete an object; False when it was not there.

        :param version: the ``resourceVersion`` that was read; empty: delete whatever is there.
        :param uid: of the object that was read; another one of its name is left alone.
        :raises ConflictError: somebody wrote it after that version, or it is another object.
        """
        # With a body, the server takes every option from there and none from the query.
        options: dict[str, Any] = {"propagationPolicy": propagation, **({"dryRun": ["All"]} if dry_run else {})}
        conditions = {"resourceVersion": version, "uid": uid}
        if version or uid:
            options["preconditions"] = {name: value for name, value in conditions.items() if value}
        try:
            self.raw("DELETE", self._path_of(ref), body=options)
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        return True


def _lines(answer: Any) -> Iterator[Any]:
    """The lines of an answer that is still being written, each parsed as JSON, as soon as they are whole."""
    rest = b""
    for piece in answer.stream(amt=None):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (json.loads(line) for line in whole if line)


def _received(stream: Any, deadline: float) -> dict[int, str]:
    """What a container's program says until the server closes the stream, by channel.

    :param stream: a websocket.
    :param deadline: by ``time.monotonic``.
    :raises TimeoutError: it is over.
    """
    from websocket import ABNF, WebSocketConnectionClosedException

    said = {STDOUT: b"", STDERR: b"", STATUS: b""}
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        stream.settimeout(left)
        try:
            kind, message = stream.recv_data()
        except WebSocketConnectionClosedException:
            # A proxy on the way may close it without a word.
            kind, message = ABNF.OPCODE_CLOSE, b""
        if kind == ABNF.OPCODE_CLOSE:
            return {channel: content.decode("utf-8", "replace") for channel, content in said.items()}
        if message and message[0] in said:
            said[message[0]] += message[1:]


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _status_of(answer: str) -> Mapping[str, Any]:
    """What a refusal says (apimachinery, meta/v1 Status), or nothing when it is no such object."""
    try:
        content = json.loads(answer)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def conflicts_of(status: Mapping[str, Any]) -> str:
    """Which field is whose, of a refused server-side apply; empty when the answer does not say.

    :param status: the server's answer, a ``Status``; its causes hold one sentence a field (FieldManagerConflict).
    """
    causes = (status.get("details") or {}).get("causes") or []
    told = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    lines = [f"{cause.get('field', '?')}: {cause.get('message', '?')}" for cause in told]
    more = f"; and {len(lines) - CONFLICTS_SHOWN} more fields" if len(lines) > CONFLICTS_SHOWN else ""
    return "; ".join(lines[:CONFLICTS_SHOWN]) + more


def exit_code(status: str) -> Optional[int]:
    """How a program ended, of the last word of an exec (k8s.io/apimachinery, remotecommand); nothing if it never ran.

    :param status: a ``Status`` as JSON; the cause ExitCode of reason NonZeroExitCode is the code.
    """
    try:
        content = json.loads(status)
        if content["status"] == "Success":
            return 0
        [cause] = [one for one in content["details"]["causes"] if one["reason"] == "ExitCode"]
        return int(cause["message"])
    except (KeyError, TypeError, ValueError):
        return None


def _seconds(wait: Optional[str]) -> float:
    return float(wait) if wait and wait.isdigit() else 1.0


def _with_status(error: KubeError, status: int) -> KubeError:
    error.status = status
    return error


def _query(dry_run: bool, **others: str) -> dict[str, str]:
    return {**others, **({"dryRun": "All"} if dry_run else {})}


def connect(params: Mapping[str, Any]) -> KubeClient:
    """A session to the API server that a module's connection options name.

    :param params: the module's parameters; see ``argument_spec`` in ``connection``.
    :raises UnreachableError: the Python library is missing, or the kubeconfig cannot be used.
    """
    headers = {"User-Agent": MANAGER}
    try:
        access = direct_access(params)
        if access:
            headers |= {"authorization": access.authorization} if access.authorization else {}
            return KubeClient(
                pool_of(access, CONNECTIONS), access.server, headers, partial(library_configuration, params)
            )
        configuration = library_configuration(params)
    except NetopsError as error:
        raise UnreachableError(error.subject, error.seen, error.expected, error.remedy) from error
    for setting in configuration.auth_settings().values():
        headers[setting["key"]] = setting["value"]
    if params.get("username"):
        headers["authorization"] = configuration.get_basic_auth_token()
    if params.get("api_key"):
        headers["authorization"] = f"Bearer {params['api_key']}"
    server = configuration.host
    proxied = bool(configuration.proxy) and server.startswith("http:")
    pool = library_pool(configuration, CONNECTIONS)
    return KubeClient(pool, server, headers, lambda: configuration, proxied=proxied)
