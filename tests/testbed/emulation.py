# SPDX-FileCopyrightText: netops.kubernetes contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What emulated machines are made of: Debian's own kernel, and a disk that holds Cilium's images.

User Mode Linux has no compiler for BPF, without which Cilium does not start; an emulated machine has one.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from . import artefacts
from .artefacts import LAYER_LINKS, all_text_below, build_disk, make_layer, module_folder, text_of
from .build import Artefact
from .hostpackages import go_program, mirror
from .images import Image
from .settings import CILIUM, HERE, IMAGES, KUBERNETES, NODE_RELEASE

if TYPE_CHECKING:
    from pathlib import Path

    from .build import Step

# What this machine must have besides what every test bed wants.
NEEDED = {
    "cpio": "/usr/bin/cpio",
    "qemu-system-x86": "/usr/bin/qemu-system-x86_64",
    "qemu-utils": "/usr/bin/qemu-img",
}

# ---- The kernel ----------------------------------------------------------------------------------------------

GUEST = HERE / "guest"
KERNEL_PACKAGES = ("linux-image-cloud-amd64", "busybox-static", "kmod")
# What mounts the disk; the rest is loaded from there.
DISK_MODULES = ("virtio_pci", "virtio_blk", "ext4")


def make_guest_kernel(step: Step) -> None:
    """``vmlinuz``, ``initrd`` with the drivers of the disk, and ``modules/``."""
    packages = step.folder / "packages"
    step.run(
        *("mmdebstrap", "--variant=extract", f"--include={','.join(KERNEL_PACKAGES)}"),
        *("--aptopt=APT::Install-Recommends false", NODE_RELEASE, str(packages)),
        f"deb [check-valid-until=no] {mirror()} {NODE_RELEASE} main",
    )
    shutil.move(packages / "usr" / "lib" / "modules", step.folder / "modules")
    [version] = [folder.name for folder in (step.folder / "modules").iterdir()]
    shutil.copy(packages / "boot" / f"vmlinuz-{version}", step.folder / "vmlinuz")
    # Where depmod and modprobe look below a root.
    (step.folder / "lib").symlink_to(".")
    step.run(
        *(str(GUEST / "make-initrd"), str(step.folder), version, str(packages / "usr" / "bin" / "busybox")),
        *(str(GUEST / "init"), str(step.folder / "initrd"), *DISK_MODULES),
    )
    (step.folder / "lib").unlink()
    shutil.rmtree(packages)


guest_kernel = Artefact(
    "guest-kernel",
    (NODE_RELEASE, *KERNEL_PACKAGES, *DISK_MODULES, *text_of(GUEST / "init", GUEST / "make-initrd"), "1"),
    (),
    make_guest_kernel,
)

# ---- Cilium --------------------------------------------------------------------------------------------------

MODULE = "github.com/cilium/cilium"
# What its images call the program, by its package.
CILIUM_PROGRAMS = {
    "cilium-dbg": "cilium-dbg",
    "cilium-health": "cilium-health",
    "cilium-health/responder": "cilium-health-responder",
    "daemon": "cilium-agent",
    "operator": "cilium-operator-generic",
    "plugins/cilium-cni": "cilium-cni",
    "tools/mount": "cilium-mount",
    "tools/sysctlfix": "cilium-sysctlfix",
}
# The operator of clusters that are no cloud's.
CILIUM_TAGS = "osusergo,ipam_provider_operator"
# Version, revision and date: with fewer words the agent takes itself for one without a version (pkg/version).
CILIUM_VERSION = f"{CILIUM.lstrip('v')} module 1970-01-01T00:00:00+00:00"


def make_cilium(step: Step) -> None:
    """Cilium's programs."""
    step.run(
        *(go_program(step.store.root), "build", f"-tags={CILIUM_TAGS}"),
        *("-ldflags", f"-s -w -X '{MODULE}/pkg/version.ciliumVersion={CILIUM_VERSION}'"),
        *("-o", f"{step.folder}/", *(f"{MODULE}/{package}" for package in CILIUM_PROGRAMS)),
        cwd=HERE / "go" / "cilium",
        env={
            "CGO_ENABLED": "0",
            "GOFLAGS": "-trimpath -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        },
    )
    for package, program in CILIUM_PROGRAMS.items():
        (step.folder / package.rsplit("/", 1)[-1]).rename(step.folder / program)


def go_sources(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.rglob("*") if path.suffix in {".mod", ".sum", ".go"}))


cilium = Artefact(
    "cilium",
    (repr(CILIUM_PROGRAMS), CILIUM_TAGS, CILIUM_VERSION, *text_of(*go_sources(HERE / "go" / "cilium"))),
    (),
    make_cilium,
)

# The agent compiles its BPF programs on the node, by the clang that its own image has.
CILIUM_LAYER_PACKAGES = (
    *("bash", "ca-certificates", "clang-19", "coreutils", "dash", "findutils", "grep", "iproute2", "ipset", "iptables"),
    *("kmod", "libc-bin", "mount", "util-linux"),
)
# The chart mounts the node's /var/run/cilium, and the agent looks for the root of all cgroups in /run/cilium. Where the
# two are not one, it serves Services to its own container alone, and says nothing.
CILIUM_LAYER_LINKS = {**LAYER_LINKS, "usr/bin/clang": "clang-19", "var/run": "/run"}
# What compiles programs for this machine's processor, which nobody asks for.
UNUSED = ("/usr/include/*", "/usr/lib/gcc/*", "/usr/lib/*/lib*.a", "/usr/lib/llvm-19/lib/*.a", "/usr/share/icons/*")


def make_cilium_layer(step: Step) -> None:
    """``layer.tar``: what the image of Cilium's agent stands on."""
    make_layer(step, CILIUM_LAYER_PACKAGES, CILIUM_LAYER_LINKS, *(f"--dpkgopt=path-exclude={path}" for path in UNUSED))


cilium_layer = Artefact(
    "cilium-layer",
    (NODE_RELEASE, *CILIUM_LAYER_PACKAGES, repr(CILIUM_LAYER_LINKS), *UNUSED, "1"),
    (),
    make_cilium_layer,
)
CILIUM_IMAGE = f"quay.io/cilium/cilium:{CILIUM}"
OPERATOR_IMAGE = f"quay.io/cilium/operator-generic:{CILIUM}"
# Scripts that the chart's containers call, by their place in the module.
CILIUM_SCRIPTS = (
    "images/cilium/init-container.sh",
    "plugins/cilium-cni/install-plugin.sh",
    "plugins/cilium-cni/cni-uninstall.sh",
)
# Of the sources of the BPF programs, what compiles none of those that a node runs.
NOT_ON_A_NODE = ("tests", "complexity-tests", "test-progs", "tools")


def cilium_images(step: Step) -> dict[str, Image]:
    """The images that the chart names, by the name of their archive."""
    programs = step.need("cilium")
    module = module_folder(step, "cilium", MODULE)
    files = [
        (programs / program, f"usr/bin/{program}")
        for program in CILIUM_PROGRAMS.values()
        if program not in {"cilium-cni", "cilium-operator-generic"}
    ]
    files += [(programs / "cilium-cni", "opt/cni/bin/cilium-cni"), (step.need("cni") / "loopback", "cni/loopback")]
    files += [(module / script, script.rsplit("/", 1)[1]) for script in CILIUM_SCRIPTS]
    files += [
        (source, f"var/lib/cilium/{source.relative_to(module)}")
        for source in sorted((module / "bpf").rglob("*"))
        if source.is_file() and source.relative_to(module / "bpf").parts[0] not in NOT_ON_A_NODE
    ]
    operator = ((programs / "cilium-operator-generic", "usr/bin/cilium-operator-generic"),)
    return {
        "cilium": Image(CILIUM_IMAGE, tuple(files), ("/usr/bin/cilium-dbg",), step.need("cilium-layer") / "layer.tar"),
        "operator": Image(OPERATOR_IMAGE, operator, ("/usr/bin/cilium-operator-generic",)),
    }


# ---- The disk ------------------------------------------------------------------------------------------------


def make_guest_disk(step: Step) -> None:
    """``disk.ext4`` as every node has it, with another kernel's modules and Cilium's images."""

    def static(program: str, folder: str, inside: str, *arguments: str) -> Image:
        return Image(IMAGES[inside], ((step.need(folder) / program, inside),), (f"/{inside}", *arguments))

    images = {
        "coredns": static("coredns", "coredns", "coredns"),
        "agnhost": static("agnhost", "kubernetes", "agnhost"),
        "pause": static("client", "client", "pause", "pause"),
        **cilium_images(step),
    }
    build_disk(step, [HERE / "node" / "files", GUEST / "files"], step.need("guest-kernel") / "modules", images)


guest_disk = Artefact(
    "guest-disk",
    (
        *(repr(IMAGES), KUBERNETES, CILIUM_IMAGE, OPERATOR_IMAGE, *CILIUM_SCRIPTS, *NOT_ON_A_NODE),
        *(*all_text_below(HERE / "node"), *all_text_below(GUEST / "files"), "1"),
    ),
    (
        *(artefacts.kubernetes, artefacts.coredns, artefacts.client, artefacts.cni, artefacts.root_files),
        *(guest_kernel, cilium, cilium_layer),
    ),
    make_guest_disk,
)

ALL = {artefact.name: artefact for artefact in (guest_kernel, cilium, cilium_layer, guest_disk)}
