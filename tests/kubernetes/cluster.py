"""A whole Kubernetes cluster on this machine: etcd, API server, controller manager, scheduler, containerd, one kubelet.

It runs in namespaces of its own (network, mounts, processes): nothing of the host is touched, and everything ends with
the first process of the namespace.
"""

import hashlib
import io
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ADDRESS: Final = "10.88.9.1"
"""Of the one node, on a pair of virtual links that lead nowhere."""
NODE: Final = "node1"
API_PORT: Final = 26443
ETCD_PORT: Final = 23790
PAUSE: Final = "localhost/pause:1"
GROUP: Final = "metanode-kubernetes-test"
"""Control group below which everything of the node is."""
LINKS: Final = (
    "sh", "cat", "echo", "ls", "touch", "sleep", "id", "wc", "stat", "env", "nc", "httpd", "mkdir", "grep", "cut",
    "head", "printf", "seq",
)  # fmt: skip


def _archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _layer(busybox: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "etc", "tmp", "run", "srv"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        entry = tarfile.TarInfo("bin/busybox")
        entry.size, entry.mode = len(busybox), 0o755
        tar.addfile(entry, io.BytesIO(busybox))
        for name in LINKS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        plain = tarfile.TarInfo("plain")
        plain.size, plain.mode = 4, 0o644
        tar.addfile(plain, io.BytesIO(b"text"))
    return out.getvalue()


def image_of(busybox: Path, command: tuple[str, ...]) -> tuple[bytes, str]:
    """An OCI archive of nothing but busybox, and its manifest's digest."""
    layer = _layer(busybox.read_bytes())
    blobs: dict[str, bytes] = {}

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    base = put(layer, "application/vnd.oci.image.layer.v1.tar")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(command), "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [base["digest"]]},
    }
    described = put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": [base]}
    top = put(json.dumps(manifest).encode(), kind)
    index = {"schemaVersion": 2, "manifests": [{**top, "annotations": {"org.opencontainers.image.ref.name": "1"}}]}
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}
    return _archive(files), str(top["digest"])


@dataclass
class Cluster:
    """`programs`: the folder with the parts built. `folder`: for everything it writes."""

    programs: Path
    folder: Path
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    image: str = ""
    _children: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of the API server."""
        return f"https://{ADDRESS}:{API_PORT}"

    @property
    def authority(self) -> Path:
        """The certificate of the API server, which it signed itself."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def guest(self) -> str:
        """The token of somebody who may nothing."""
        return self.token + "x"

    def kubeconfig(self, name: str = "kubeconfig", server: str = "", token: str = "") -> Path:
        """A kubeconfig file of an administrator, or of whom the token is of."""
        path = self.folder / name
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [
                        {
                            "name": "t",
                            "cluster": {"server": server or self.url, "certificate-authority": str(self.authority)},
                        }
                    ],
                    "users": [{"name": "t", "user": {"token": token or self.token}}],
                    "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
                    "current-context": "t",
                }
            )
        )
        return path

    def start(self) -> None:
        """Start every part and wait until the node is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._mounts()
        self._network()
        self._etcd()
        self._api_server()
        self._containerd()
        self._controllers()
        self._images()
        self._kubelet()
        self._wait("the node", self._node_is_ready, 90)

    def end(self) -> None:
        """End every part, the last started first, and what they leave: containers, mounts, groups."""
        for _, child in reversed(self._children[4:]):
            _end(child)
        containers = self._ctr("task", "ls", "-q", check=False).split()
        for name in containers:
            self._ctr("task", "kill", "-s", "KILL", name, check=False)
        for _, child in reversed(self._children[:4]):
            _end(child)
        for tree in Path("/sys/fs/cgroup").glob(f"*/{GROUP}"):
            _remove_groups(tree)

    def _mounts(self) -> None:
        """What the parts write beside their folders is on mounts of this namespace."""
        for path in ("/run", "/var/log"):
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
        for number, path in enumerate(("/var/lib", "/usr/libexec", "/etc")):
            upper, work = self.folder / f"upper{number}", self.folder / f"work{number}"
            upper.mkdir()
            work.mkdir()
            words = f"lowerdir={path},upperdir={upper},workdir={work}"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", words, path], check=True)

    def _network(self) -> None:
        for words in (
            "link set lo up",
            "link add mnk0 type veth peer name mnk1",
            f"addr add {ADDRESS}/24 dev mnk0",
            "link set mnk0 up",
            "link set mnk1 up",
            "route add default via 10.88.9.2 dev mnk0",
        ):
            subprocess.run(["ip", *words.split()], check=True)

    def _run(self, name: str, *words: str) -> None:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.folder)}
        with (self.folder / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
        self._children.append((name, child))

    def _wait(self, what: str, true: Callable[[], bool], timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while not true():
            for name, child in self._children:
                if child.poll() is not None:
                    raise RuntimeError(f"{name} ended with {child.returncode}:\n{self._tail(name)}")
            if time.monotonic() > until:
                said = "\n".join(f"{name}:\n{self._tail(name)}" for name, _ in self._children)
                raise RuntimeError(f"{what} is not there after {timeout_s} s\n{said}")
            time.sleep(0.1)

    def _tail(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-1500:]

    def _etcd(self) -> None:
        url, peers = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PORT + 1}"
        self._run(
            "etcd", "etcd", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", url,
            "--advertise-client-urls", url, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
            "--initial-cluster", f"default={peers}", "--unsafe-no-fsync",
        )  # fmt: skip
        self._wait("etcd", lambda: _listens(ETCD_PORT), 20)

    def _api_server(self) -> None:
        key = self.folder / "service-accounts.key"
        if not key.exists():
            subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text(f"{self.token},admin,1,system:masters\n{self.guest},guest,2\n")
        self._run(
            "kube-apiserver", str(self.programs / "kube-apiserver"), "--etcd-servers", f"http://127.0.0.1:{ETCD_PORT}",
            "--bind-address", ADDRESS, "--secure-port", str(API_PORT), "--advertise-address", ADDRESS,
            "--service-cluster-ip-range", "10.96.0.0/16", "--service-account-key-file", str(key),
            "--service-account-signing-key-file", str(key), "--service-account-issuer", "https://k",
            "--api-audiences", "https://k", "--token-auth-file", str(self.folder / "tokens.csv"),
            "--kubelet-preferred-address-types", "InternalIP", "--authorization-mode", "RBAC",
            "--cert-dir", str(self.folder / "certificates"), "--disable-admission-plugins", "ServiceAccount",
            "--watch-cache-sizes", "pods#0",  # watches are etcd's: what that forgot is gone (410)
        )  # fmt: skip
        self._wait("the API server", lambda: self.ask("GET", "/readyz", quiet=True) is not None, 60)

    def stop_api_server(self) -> None:
        """End the API server alone: the node goes on by itself."""
        (found,) = [one for one in self._children if one[0] == "kube-apiserver"]
        self._children.remove(found)
        _end(found[1])

    def start_api_server(self) -> None:
        """Begin it again, on what etcd has."""
        self._api_server()
        self._children.insert(1, self._children.pop())

    def ask(self, method: str, path: str, body: Any = None, *, quiet: bool = False) -> Any:
        """One request to the API server, as administrator; nothing where it says no and `quiet` is asked for."""
        import ssl
        import urllib.error
        import urllib.request

        if not self.authority.exists():
            return None
        context = ssl.create_default_context(cafile=str(self.authority))
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            self.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as answer:
                data = answer.read()
                return json.loads(data) if data[:1] == b"{" else data.decode()
        except (urllib.error.URLError, OSError) as error:
            if quiet:
                return None
            said = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
            raise RuntimeError(f"{method} {path}: {error} {said}") from None

    def forget(self) -> None:
        """Have etcd forget every version before now, as it does in time."""
        import urllib.request

        def asked(path: str, body: Any) -> Any:
            url = f"http://127.0.0.1:{ETCD_PORT}/v3/kv/{path}"
            with urllib.request.urlopen(url, data=json.dumps(body).encode(), timeout=10) as answer:
                return json.loads(answer.read())

        now = asked("range", {"key": "AA=="})["header"]["revision"]
        asked("compaction", {"revision": now, "physical": True})

    def _containerd(self) -> None:
        networks = self.folder / "cni"
        networks.mkdir()
        bridge = {
            "type": "bridge", "bridge": "mnkbr", "isGateway": True, "ipMasq": False,
            "ipam": {
                "type": "host-local", "ranges": [[{"subnet": "10.89.0.0/24"}]], "dataDir": str(self.folder / "ipam"),
            },
        }  # fmt: skip
        (networks / "10-test.conflist").write_text(
            json.dumps({"cniVersion": "0.4.0", "name": "test", "plugins": [bridge]})
        )
        config = self.folder / "containerd.toml"
        config.write_text(f"""version = 2
root = "{self.folder}/containerd"
state = "{self.folder}/containerd-state"
[grpc]
  address = "{self.folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_cgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{networks}"
""")
        self._run("containerd", "containerd", "-c", str(config))
        self._wait("containerd", lambda: (self.folder / "containerd.sock").exists() and self._ctr("version") != "", 30)

    def _ctr(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["ctr", "-a", str(self.folder / "containerd.sock"), "-n", "k8s.io", *words],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"ctr {words}: {done.stderr}")
        return done.stdout

    def _images(self) -> None:
        busybox = Path(shutil.which("busybox") or "/bin/busybox")
        pause, _ = image_of(busybox, ("/bin/sleep", "1000000"))
        (self.folder / "pause.tar").write_bytes(pause)
        self._ctr("image", "import", "--base-name", "localhost/pause", str(self.folder / "pause.tar"))
        image, digest = image_of(busybox, ("/bin/sh", "-c", "echo of the image"))
        (self.folder / "image.tar").write_bytes(image)
        name = "localhost/busybox"
        self._ctr("image", "import", "--digests", "--base-name", name, str(self.folder / "image.tar"))
        self.image = f"{name}@{digest}"

    def _controllers(self) -> None:
        config = str(self.kubeconfig())
        for name, port in (("kube-controller-manager", 26444), ("kube-scheduler", 26445)):
            self._run(
                name, str(self.programs / name), "--kubeconfig", config, "--bind-address", "127.0.0.1",
                "--secure-port", str(port), "--port", "0", "--cert-dir", str(self.folder / f"{name}-certificates"),
                "--leader-elect=false", "--authentication-kubeconfig", config, "--authorization-kubeconfig", config,
            )  # fmt: skip

    def _kubelet(self) -> None:
        for tree in Path("/sys/fs/cgroup").iterdir():
            if (tree / "cgroup.procs").exists() and tree.name not in ("unified", "cpu,cpuacct"):
                (tree / GROUP).mkdir(exist_ok=True)
        subprocess.run(["mount", "--make-rshared", "/"], check=True)
        self._run(
            "kubelet", str(self.programs / "kubelet"), "--kubeconfig", str(self.kubeconfig()),
            "--container-runtime", "remote",
            "--container-runtime-endpoint", f"unix://{self.folder}/containerd.sock",
            "--root-dir", str(self.folder / "kubelet"), "--cert-dir", str(self.folder / "kubelet-certificates"),
            "--fail-swap-on=false", "--cgroup-driver", "cgroupfs", "--enforce-node-allocatable=",
            "--cgroup-root", GROUP,
            "--hostname-override", NODE, "--node-ip", ADDRESS, "--eviction-hard=", "--address", ADDRESS,
            "--healthz-bind-address", "127.0.0.1", "--network-plugin", "cni",
            "--pod-infra-container-image", PAUSE, "--resolv-conf=", "--cluster-dns", "10.96.0.10",
            "--volume-plugin-dir", str(self.folder / "plugins"), "--register-with-taints=", "--max-pods", "60",
        )  # fmt: skip

    def _node_is_ready(self) -> bool:
        node = self.ask("GET", f"/api/v1/nodes/{NODE}", quiet=True)
        conditions = node["status"]["conditions"] if node else []
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(timeout=20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _remove_groups(tree: Path) -> None:
    for folder, _, _ in os.walk(tree, topdown=False):
        for process in (Path(folder) / "cgroup.procs").read_text().split():
            os.kill(int(process), signal.SIGKILL)
        for _ in range(50):
            try:
                Path(folder).rmdir()
                break
            except OSError:
                time.sleep(0.05)
