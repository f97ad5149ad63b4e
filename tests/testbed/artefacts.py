# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the test bed is made of, from the kernel to the disk that every node starts from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .build import Artefact, BuildError, Step
from .hostpackages import go_program, mirror
from .images import Image, write_image, write_images
from .settings import (
    BRIDGE_V4,
    CALICO,
    FLANNEL,
    FLANNEL_OLDER,
    HERE,
    IMAGES,
    KERNEL_SOURCE,
    KUBERNETES,
    NEWER_RELEASE,
    NODE_RELEASE,
    Node,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NODE_PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "udev",
    "openssh-server",
    "sudo",
    "python3",
    "iproute2",
    "iputils-ping",
    "procps",
    "kmod",
    "curl",
    "ca-certificates",
    "iptables",
    "nftables",
    "firewalld",
    "ufw",
    "ipset",
    "ipvsadm",
    # cloud-init brings it elsewhere.
    "python3-yaml",
    "conntrack",
    "ethtool",
    "socat",
    "containerd",
    "runc",
    "e2fsprogs",
    "less",
    "tcpdump",
    "bind9-dnsutils",
]
BASE_LAYER_PACKAGES = [
    "iptables",
    "nftables",
    "ipset",
    "conntrack",
    "kmod",
    "iproute2",
    "busybox",
    "ca-certificates",
    "libc-bin",
    "dash",
    "coreutils",
]
WITHOUT_DOCUMENTS = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")]


def text_of(*paths: Path) -> tuple[str, ...]:
    """The content of source files, to hash."""
    return tuple(path.read_text() for path in paths)


# ---- Go programs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GoBuild:
    """Programs of one Go module below ``go/``.

    :param programs: package by the file name that its program gets.
    :param flags: what the linker is told: versions.
    :param cgo: link C code, statically.
    """

    module: str
    programs: tuple[tuple[str, str], ...]
    flags: str = ""
    cgo: bool = False

    def artefact(self) -> Artefact:
        folder = HERE / "go" / self.module
        sources = sorted(path for path in folder.iterdir() if path.suffix in {".mod", ".sum", ".go"})
        return Artefact(self.module, (repr(self), *text_of(*sources)), (), self.make)

    def make(self, step: Step) -> None:
        static = ' -linkmode external -extldflags "-static"' if self.cgo else ""
        environment = {
            "CGO_ENABLED": "1" if self.cgo else "0",
            "GOFLAGS": "-trimpath -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        go = go_program(step.store.root)
        for package, program in self.programs:
            step.run(
                *(go, "build", "-ldflags", f"-s -w {self.flags}{static}", "-o", str(step.folder / program), package),
                cwd=HERE / "go" / self.module,
                env=environment,
            )


def kubernetes_flags() -> str:
    """What ``--version`` prints and the API server reports (k8s.io/component-base/version)."""
    major, minor = KUBERNETES.lstrip("v").split(".")[:2]
    component = "k8s.io/component-base/version"
    return (
        f"-X {component}.gitVersion={KUBERNETES} -X {component}.gitMajor={major} -X {component}.gitMinor={minor} "
        f"-X {component}.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}"
    )


def calico_flags() -> str:
    root = "github.com/projectcalico/calico"
    places = (
        "main.VERSION",
        f"{root}/node/pkg/lifecycle/startup.VERSION",
        f"{root}/node/buildinfo.GitVersion",
        f"{root}/felix/buildinfo.GitVersion",
        f"{root}/typha/pkg/buildinfo.GitVersion",
        f"{root}/calicoctl/calicoctl/commands.VERSION",
        f"{root}/calicoctl/calicoctl/commands/common.VERSION",
    )
    return " ".join(f"-X {place}={CALICO}" for place in places)


KUBERNETES_PROGRAMS = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubeadm", "kubectl"),
)
CNI_PLUGINS = (
    *("ipam/host-local", "main/bridge", "main/loopback", "main/ptp"),
    *("meta/bandwidth", "meta/firewall", "meta/portmap", "meta/tuning"),
)
CALICO_PROGRAMS = (
    *("calicoctl/calicoctl", "cni-plugin/cmd/calico", "cni-plugin/cmd/install", "node/cmd/calico-node"),
    *("kube-controllers/cmd/check-status", "kube-controllers/cmd/kube-controllers", "typha/cmd/calico-typha"),
)

kubernetes = GoBuild(
    "kubernetes",
    (
        *((f"k8s.io/kubernetes/cmd/{program}", program) for program in KUBERNETES_PROGRAMS),
        ("k8s.io/kubernetes/test/images/agnhost", "agnhost"),
    ),
    kubernetes_flags(),
).artefact()
etcd = GoBuild("etcd", (("go.etcd.io/etcd/server/v3", "etcd"),)).artefact()
coredns = GoBuild("coredns", (("github.com/coredns/coredns", "coredns"),)).artefact()
client = GoBuild("client", ((".", "client"),)).artefact()
cni = GoBuild(
    "cni",
    tuple((f"github.com/containernetworking/plugins/plugins/{path}", path.split("/")[1]) for path in CNI_PLUGINS),
).artefact()
cniflannel = GoBuild(
    "cniflannel", (("github.com/containernetworking/plugins/plugins/meta/flannel", "flannel"),)
).artefact()
flannel = GoBuild(
    "flannel",
    (
        ("github.com/flannel-io/flannel", "flanneld"),
        ("github.com/flannel-io/flannel/cmd/install_conf", "install-conf"),
    ),
    f"-X github.com/flannel-io/flannel/pkg/version.Version={FLANNEL}",
    cgo=True,
).artefact()
_kwok = GoBuild("kwok", (("sigs.k8s.io/kwok/cmd/kwok", "kwok"),))
# What kwok lets happen to nodes and pods comes as files of its module.
KWOK_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")


def module_folder(step: Step, name: str, module: str) -> Path:
    """Where Go keeps the source of a module, as ``go/NAME`` pins it; it is downloaded if need be.

    :raises BuildError: it cannot be.
    """
    go = [go_program(step.store.root), "mod", "download", "-json", module]
    done = subprocess.run(go, cwd=HERE / "go" / name, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(
            f"{step.artefact.name}: {' '.join(go)} ended with {done.returncode}: {done.stderr or done.stdout}"
        )
    return Path(json.loads(done.stdout)["Dir"])


def make_kwok(step: Step) -> None:
    """``kwok``, and ``kwok-stages.yaml``: nodes become ready, pods run at once."""
    _kwok.make(step)
    module = module_folder(step, "kwok", "sigs.k8s.io/kwok")
    folders = [module / "kustomize" / "stage" / stage for stage in KWOK_STAGES]
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml")) if file.name != "kustomization.yaml"]
    (step.folder / "kwok-stages.yaml").write_text("\n---\n".join(file.read_text() for file in files))


helm = GoBuild("helm", (("helm.sh/helm/v3/cmd/helm", "helm"),)).artefact()


def make_cilium_chart(step: Step) -> None:
    """``cilium-chart``: Cilium's chart, which is a folder of its Go module."""
    shutil.copytree(
        module_folder(step, "cilium", "github.com/cilium/cilium") / CILIUM_CHART, step.folder / "cilium-chart"
    )


CILIUM_CHART = "install/kubernetes/cilium"
cilium_chart = Artefact(
    "cilium-chart", (CILIUM_CHART, *text_of(HERE / "go" / "cilium" / "go.sum")), (), make_cilium_chart
)


def make_cilium_definitions(step: Step) -> None:
    """``cilium-definitions``: the definitions of Cilium's own kinds of policies, out of its Go module."""
    folder = step.folder / "cilium-definitions"
    folder.mkdir()
    module = module_folder(step, "cilium", "github.com/cilium/cilium")
    for name in CILIUM_DEFINITIONS:
        shutil.copy(module / "pkg/k8s/apis/cilium.io/client/crds/v2" / name, folder / name)


CILIUM_DEFINITIONS = ("ciliumclusterwidenetworkpolicies.yaml", "ciliumnetworkpolicies.yaml")
cilium_definitions = Artefact(
    "cilium-definitions",
    (*CILIUM_DEFINITIONS, *text_of(HERE / "go" / "cilium" / "go.sum")),
    (),
    make_cilium_definitions,
)


def make_sarif_schema(step: Step) -> None:
    """``sarif-schema.json``: OASIS' schema of SARIF 2.1.0, out of a Go module that holds it as a text."""
    module = module_folder(step, "sarif", "github.com/owenrumney/go-sarif/v3")
    source = (module / "pkg/report/v210/sarif/schema.go").read_text()
    (step.folder / "sarif-schema.json").write_text(source.partition("`")[2].rpartition("`")[0])


sarif_schema = Artefact("sarif-schema", text_of(HERE / "go" / "sarif" / "go.sum"), (), make_sarif_schema)
kwok = Artefact("kwok", (*_kwok.artefact().inputs, *KWOK_STAGES), (), make_kwok)


def corefile_judge(version: str, module_file: str, tags: str = "") -> Artefact:
    """``corefile-judge-VERSION``: says of many Corefiles in one process whether a version of CoreDNS takes them.

    :param module_file: the file below ``go/corefile`` that pins the version; one folder holds several.
    :param tags: which sources are built.
    """
    folder = HERE / "go" / "corefile"
    name = f"corefile-judge-{version}"

    def make(step: Step) -> None:
        environment = {
            "CGO_ENABLED": "0",
            "GOFLAGS": "-trimpath -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        step.run(
            *(go_program(step.store.root), "build", f"-modfile={module_file}", f"-tags={tags}"),
            *("-ldflags", "-s -w", "-o", str(step.folder / name), "."),
            cwd=folder,
            env=environment,
        )

    pinned = folder / module_file
    sources = (pinned, pinned.with_suffix(".sum"), *sorted(folder.glob("*.go")))
    return Artefact(name, (tags, *text_of(*sources)), (), make)


def make_older_coredns(step: Step) -> None:
    """``coredns.tar``: an image of CoreDNS 1.11.3, out of the modules of its judge."""
    environment = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    program = step.folder / "coredns"
    step.run(
        *(go_program(step.store.root), "build", "-modfile=v1.11.3.mod", "-ldflags", "-s -w"),
        *("-o", str(program), "github.com/coredns/coredns"),
        cwd=HERE / "go" / "corefile",
        env=environment,
    )
    write_image(Image(OLDER_COREDNS, ((program, "coredns"),), ("/coredns",)), step.folder / "coredns.tar")
    program.unlink()


# Only the test that changes CoreDNS' version wants it, so the nodes' disk does not hold it.
OLDER_COREDNS = "registry.k8s.io/coredns/coredns:v1.11.3"
older_coredns = Artefact(
    "coredns-1.11.3",
    (OLDER_COREDNS, *text_of(HERE / "go" / "corefile" / "v1.11.3.mod", HERE / "go" / "corefile" / "v1.11.3.sum")),
    (),
    make_older_coredns,
)
# The newest, the last before blocks within blocks were read, one before several `forward` in a block, and one before
# `transfer` was a plugin.
COREFILE_JUDGES = (
    corefile_judge("1.15.0", "v1.15.0.mod"),
    corefile_judge("1.14.7", "go.mod"),
    corefile_judge("1.11.3", "v1.11.3.mod"),
    # The parser was still at another address.
    corefile_judge("1.7.0", "v1.7.0.mod", "caddyserver"),
)
# The peer of our own migration, for the bench alone.
corefile_migration = GoBuild("corefilemigration", ((".", "corefile-migration"),)).artefact()
calico = GoBuild(
    "calico",
    tuple((f"github.com/projectcalico/calico/{path}", path.rsplit("/", 1)[1]) for path in CALICO_PROGRAMS),
    calico_flags(),
).artefact()


# ---- Debian: kernel, root file system, the layer below images ------------------------------------------------


def newer_source(folder: Path) -> list[str]:
    """A private apt that knows only the newer release: the machine's own configuration stays as it is.

    :returns: the options that make apt use it.
    """
    for part in ("etc/apt", "state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    # A release in preparation may carry an expired Release file; its packages are signed all the same.
    (folder / "etc/apt/sources.list").write_text(
        f"deb [check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        f"{mirror()} {NEWER_RELEASE} main\n"
    )
    places = {"Dir": folder, "Dir::Etc": "etc/apt", "Dir::State": "state", "Dir::Cache": "cache"}
    places |= {"Dir::State::status": folder / "state" / "status", "APT::Sandbox::User": "root"}
    (folder / "state" / "status").touch()
    return [part for name, value in places.items() for part in ("-o", f"{name}={value}")]


def make_kernel(step: Step) -> None:
    """A User Mode Linux kernel, ``linux``, with its modules below ``modules/``."""
    fragment = HERE / "node" / "kernel.config"
    work = step.folder / "work"
    source = work / "source"
    source.mkdir(parents=True)
    options = newer_source(work / "apt")
    step.run("apt-get", *options, "update")
    step.run("apt-get", *options, "download", KERNEL_SOURCE, cwd=work)
    package = next(work.glob(f"{KERNEL_SOURCE}_*.deb"))
    step.run("dpkg-deb", "--extract", str(package), str(work / "package"))
    archive = work / "package" / "usr" / "src" / f"{KERNEL_SOURCE}.tar.xz"
    step.run("tar", "--extract", "--strip-components=1", f"--directory={source}", f"--file={archive}")
    make = ("make", "--silent", f"--directory={source}", "ARCH=um", f"--jobs={os.cpu_count() or 1}")
    step.run(*make, "defconfig")
    step.run("scripts/kconfig/merge_config.sh", "-m", ".config", str(fragment), cwd=source, env={"ARCH": "um"})
    step.run(*make, "olddefconfig")
    require_configuration(fragment.read_text(), (source / ".config").read_text())
    step.run(*make, "linux", "modules")
    step.run(*make, f"INSTALL_MOD_PATH={step.folder / 'install'}", "modules_install")
    step.run("strip", "-o", str(step.folder / "linux"), str(source / "linux"))
    (step.folder / "install" / "lib" / "modules").rename(step.folder / "modules")
    for link in step.folder.glob("modules/*/build"):
        link.unlink()
    for folder in (work, step.folder / "install"):
        shutil.rmtree(folder)


def require_configuration(fragment: str, result: str) -> None:
    """Every option of the fragment must be in the kernel's final configuration.

    :raises BuildError: kconfig dropped some, which it does silently.
    """
    wanted = re.findall(r"^(CONFIG_\w+)=([ym])$", fragment, re.MULTILINE)
    lost = [f"{name}={value}" for name, value in wanted if f"\n{name}={value}\n" not in result]
    if lost:
        raise BuildError(f"kernel: the configuration did not take {', '.join(lost)}")


kernel = Artefact("kernel", (KERNEL_SOURCE, *text_of(HERE / "node" / "kernel.config"), "1"), (), make_kernel)


def make_root_files(step: Step) -> None:
    """The root file system of a node, ``root.tar``, with its container runtime from the newer release."""
    preferences = (
        f"Package: *\\nPin: release n={NEWER_RELEASE}\\nPin-Priority: 50\\n\\n"
        f"Package: containerd runc\\nPin: release n={NEWER_RELEASE}\\nPin-Priority: 990\\n"
    )
    step.run(
        *("mmdebstrap", "--variant=minbase", f"--include={','.join(NODE_PACKAGES)}"),
        *("--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Check-Valid-Until false"),
        *WITHOUT_DOCUMENTS,
        '--setup-hook=mkdir -p "$1/etc/apt/preferences.d"; '
        f'printf "{preferences}" > "$1/etc/apt/preferences.d/{NEWER_RELEASE}"',
        *(NODE_RELEASE, str(step.folder / "root.tar")),
        f"deb [check-valid-until=no] {mirror()} {NODE_RELEASE} main",
        f"deb [check-valid-until=no] {mirror()} {NEWER_RELEASE} main",
    )


root_files = Artefact("root-files", (NODE_RELEASE, NEWER_RELEASE, *NODE_PACKAGES, "1"), (), make_root_files)

# What a package's installation would link, which unpacking alone does not.
LAYER_LINKS = {
    **{
        f"usr/sbin/{v}{end}": "xtables-nft-multi"
        for v in ("iptables", "ip6tables")
        for end in ("", "-save", "-restore")
    },
    **{
        f"usr/sbin/{version}-{kind}{end}": f"xtables-{kind}-multi"
        for version in ("iptables", "ip6tables")
        for kind in ("nft", "legacy")
        for end in ("", "-save", "-restore")
    },
    **{f"usr/sbin/{program}": "../bin/kmod" for program in ("modprobe", "lsmod", "rmmod", "insmod", "depmod")},
    **{f"{folder}": f"usr/{folder}" for folder in ("bin", "sbin", "lib", "lib64")},
}


def make_base_layer(step: Step) -> None:
    """``layer.tar``: what images of programs that call iptables and its like stand on."""
    make_layer(step, BASE_LAYER_PACKAGES, LAYER_LINKS)


def make_layer(step: Step, packages: Sequence[str], links: Mapping[str, str], *options: str) -> None:
    """``layer.tar``: unpacked Debian packages, and links by their names.

    :param options: further options of ``mmdebstrap``.
    """
    layer = step.folder / "layer.tar"
    step.run(
        *("mmdebstrap", "--variant=extract", f"--include={','.join(packages)}"),
        *("--aptopt=APT::Install-Recommends false", *WITHOUT_DOCUMENTS, *options),
        *(NODE_RELEASE, str(layer), f"deb [check-valid-until=no] {mirror()} {NODE_RELEASE} main"),
    )
    extra = step.folder / "extra"
    for name, target in links.items():
        link = extra / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    for name in ("run", "tmp"):
        (extra / name).mkdir()
    added = sorted(path.name for path in extra.iterdir())
    step.run("tar", "--append", "--owner=0", "--group=0", f"--directory={extra}", f"--file={layer}", *added)
    shutil.rmtree(extra)


base_layer = Artefact("base-layer", (NODE_RELEASE, *BASE_LAYER_PACKAGES, repr(LAYER_LINKS), "1"), (), make_base_layer)


CALICO_LAYER_PACKAGES = [*BASE_LAYER_PACKAGES, "runit"]
CALICO_LAYER_LINKS = {**LAYER_LINKS, "usr/bin/which": "busybox"}
# Calico's own folder of services takes the place of the package's link.
WITHOUT_SERVICES = '--customize-hook=rm --force --recursive "$1/etc/service"'


def make_calico_layer(step: Step) -> None:
    """``layer.tar``: what the image of calico-node stands on."""
    make_layer(step, CALICO_LAYER_PACKAGES, CALICO_LAYER_LINKS, WITHOUT_SERVICES)


calico_layer = Artefact(
    "calico-layer",
    (NODE_RELEASE, *CALICO_LAYER_PACKAGES, repr(CALICO_LAYER_LINKS), WITHOUT_SERVICES, "1"),
    (),
    make_calico_layer,
)


# ---- Images and the golden disk --------------------------------------------------------------------------------


def node_images(step: Step) -> dict[str, Image]:
    """The images that a node's disk holds, by the name of their archive."""
    layer = step.need("base-layer") / "layer.tar"

    def static(program: str, folder: str, reference: str, inside: str, *arguments: str) -> Image:
        return Image(reference, ((step.need(folder) / program, inside),), (f"/{inside}", *arguments))

    images = {
        program: static(program, "kubernetes", f"registry.k8s.io/{program}:{KUBERNETES}", f"usr/local/bin/{program}")
        for program in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    }
    images["kube-proxy"] = Image(
        f"registry.k8s.io/kube-proxy:{KUBERNETES}",
        ((step.need("kubernetes") / "kube-proxy", "usr/local/bin/kube-proxy"),),
        ("/usr/local/bin/kube-proxy",),
        layer,
    )
    images["etcd"] = static("etcd", "etcd", IMAGES["etcd"], "usr/local/bin/etcd")
    images["coredns"] = static("coredns", "coredns", IMAGES["coredns"], "coredns")
    images["agnhost"] = static("agnhost", "kubernetes", IMAGES["agnhost"], "agnhost")
    images["pause"] = static("client", "client", IMAGES["pause"], "pause", "pause")
    images["client"] = static("client", "client", IMAGES["client"], "client")
    images["flannel"] = Image(
        IMAGES["flannel"],
        tuple((step.need("flannel") / program, f"opt/bin/{program}") for program in ("flanneld", "install-conf")),
        ("/opt/bin/flanneld",),
        layer,
    )
    images["flannel-cni"] = Image(
        IMAGES["flannel-cni"], ((step.need("cniflannel") / "flannel", "flannel"),), ("/bin/cp",), layer
    )
    return images


def make_disk(step: Step) -> None:
    """``disk.ext4``: what every node is a copy-on-write view of; images are in its container store already."""
    build_disk(step, [HERE / "node" / "files"], step.need("kernel") / "modules", node_images(step))


def build_disk(step: Step, files: Sequence[Path], modules: Path, images: Mapping[str, Image]) -> None:
    """``disk.ext4``, the key to it, ``id``, and the key that it shows, ``host_key.pub``.

    :param files: folders that are laid over the root file system, one after the other.
    :param modules: the kernel's.
    :param images: by the name of the archive that each becomes.
    """
    root = step.folder / "root"
    root.mkdir()
    step.run(
        "tar",
        "--extract",
        "--preserve-permissions",
        f"--directory={root}",
        f"--file={step.need('root-files')}/root.tar",
    )
    step.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", str(step.folder / "id"))
    configure_node(step, root, files, modules)
    archives = step.folder / "archives"
    archives.mkdir()
    for name, image in images.items():
        write_image(image, archives / f"{name}.tar")
    step.run(
        "unshare",
        "--mount",
        "--net",
        "--propagation=private",
        str(HERE / "node" / "import-images"),
        str(root),
        str(archives),
    )
    shutil.copy(root / "etc/ssh/ssh_host_ed25519_key.pub", step.folder / "host_key.pub")
    disk = step.folder / "disk.ext4"
    with disk.open("wb") as file:
        file.truncate(8 * 1024**3)
    step.run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(disk))
    for folder in (root, archives):
        shutil.rmtree(folder)


def configure_node(step: Step, root: Path, files: Sequence[Path], modules: Path) -> None:
    """Lay programs, units and settings over the root file system."""
    for folder in files:
        for source in sorted(path for path in folder.rglob("*") if path.is_file()):
            target = root / source.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy(source, target)
    nodes = "".join(f"{node.address} {node.name}\n{node.address_v6} {node.name}\n" for node in map(Node, range(1, 10)))
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{nodes}")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    # Not loopback: CoreDNS, which forwards there, would find itself and stop.
    (root / "etc/resolv.conf").write_text(f"nameserver {BRIDGE_V4}\n")
    (root / "etc/machine-id").write_text("")
    keys = root / "root/.ssh"
    keys.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(step.folder / "id.pub", keys / "authorized_keys")
    for program in ("kubelet", "kubeadm", "kubectl"):
        shutil.copy(step.need("kubernetes") / program, root / "usr/local/bin" / program)
    shutil.copy(step.need("client") / "client", root / "usr/local/bin/client")
    (root / "opt/cni/bin").mkdir(parents=True)
    for path in step.need("cni").iterdir():
        shutil.copy(path, root / "opt/cni/bin" / path.name)
    shutil.copytree(modules, root / "usr/lib/modules", symlinks=True, dirs_exist_ok=True)
    step.run("chroot", str(root), "/usr/local/sbin/prepare-node", IMAGES["pause"])


def all_text_below(folder: Path) -> tuple[str, ...]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(f"{path.relative_to(folder)} {oct(path.stat().st_mode)}\n{path.read_text()}" for path in paths)


disk = Artefact(
    "disk",
    (repr(IMAGES), KUBERNETES, *all_text_below(HERE / "node"), "1"),
    (kubernetes, etcd, coredns, client, cni, cniflannel, flannel, kernel, root_files, base_layer),
    make_disk,
)

# ---- Images that a running node is given on demand --------------------------------------------------------------


def make_calico_images(step: Step) -> None:
    """``images.tar``: what ``calico.yaml`` asks for."""
    services = module_folder(step, "calico", "github.com/projectcalico/calico") / "node" / "filesystem"
    programs, plugins = step.need("calico"), step.need("cni")
    node = [(programs / "calico-node", "usr/bin/calico-node")]
    node += [
        # A layer's own folder of this name would hide the link to it below.
        (file, str(file.relative_to(services)).removeprefix("usr/").replace("sbin/", "usr/sbin/", 1))
        for file in sorted(services.rglob("*"))
        if file.is_file() and file.name != ".gitkeep"
    ]
    cni_files = [(programs / "install", "opt/cni/bin/install")]
    cni_files += [(programs / "calico", f"opt/cni/bin/{name}") for name in ("calico", "calico-ipam")]
    cni_files += [(plugins / name, f"opt/cni/bin/{name}") for name in CALICO_CNI_PLUGINS]
    controllers = [(programs / name, f"usr/bin/{name}") for name in ("kube-controllers", "check-status")]
    write_images(
        [
            Image(
                f"docker.io/calico/node:{CALICO}",
                tuple(node),
                ("start_runit",),
                step.need("calico-layer") / "layer.tar",
            ),
            Image(f"docker.io/calico/cni:{CALICO}", tuple(cni_files), ("/opt/cni/bin/install",)),
            Image(f"docker.io/calico/kube-controllers:{CALICO}", tuple(controllers), ("/usr/bin/kube-controllers",)),
        ],
        step.folder / "images.tar",
    )


def make_flannel_older_images(step: Step) -> None:
    """``images.tar``: a Flannel to upgrade from; it came without ``install-conf``."""
    program = step.need("flannelolder") / "flanneld"
    reference = f"ghcr.io/flannel-io/flannel:{FLANNEL_OLDER}"
    layer = step.need("base-layer") / "layer.tar"
    write_images(
        [Image(reference, ((program, "opt/bin/flanneld"),), ("/opt/bin/flanneld",), layer)], step.folder / "images.tar"
    )


flannel_older = GoBuild(
    "flannelolder",
    (("github.com/flannel-io/flannel", "flanneld"),),
    f"-X github.com/flannel-io/flannel/pkg/version.Version={FLANNEL_OLDER}",
    cgo=True,
).artefact()
flannel_older_images = Artefact(
    "flannel-older-images", (FLANNEL_OLDER, "1"), (flannel_older, base_layer), make_flannel_older_images
)


def make_node_cache_double(step: Step) -> None:
    """``images.tar``: what plays NodeLocal DNSCache; its program cannot be built from packages."""
    files = ((NODE_CACHE_DOUBLE, "node-cache"), (step.need("coredns") / "coredns", "coredns"))
    layer = step.need("base-layer") / "layer.tar"
    write_images([Image(NODE_CACHE, files, ("/node-cache",), layer)], step.folder / "images.tar")


NODE_CACHE = "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4"
NODE_CACHE_DOUBLE = HERE / "node_cache_double"
node_cache_double = Artefact(
    "node-cache-double", (NODE_CACHE, *text_of(NODE_CACHE_DOUBLE)), (coredns, base_layer), make_node_cache_double
)

CALICO_CNI_PLUGINS = ("bandwidth", "host-local", "loopback", "portmap", "tuning")
calico_images = Artefact(
    "calico-images", (CALICO, *CALICO_CNI_PLUGINS, "1"), (calico, calico_layer, cni), make_calico_images
)
IMAGE_SETS = {
    "calico": calico_images,
    "flannel-older": flannel_older_images,
    "node-cache-double": node_cache_double,
}

API_RING = (kubernetes, etcd, coredns, *COREFILE_JUDGES, helm, cilium_chart, cilium_definitions, sarif_schema)
ALL = {
    artefact.name: artefact
    for artefact in (
        *(kubernetes, kernel, etcd, coredns, flannel, client, cni, cniflannel, root_files, base_layer, disk),
        *(kwok, calico, calico_layer, calico_images, helm, cilium_chart, cilium_definitions, sarif_schema),
        corefile_migration,
        *(flannel_older, flannel_older_images, older_coredns, node_cache_double),
        *COREFILE_JUDGES,
    )
}
