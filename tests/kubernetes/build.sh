#!/bin/sh
# Builds the parts of a Kubernetes cluster from Debian's source package into a folder, once.
#   build.sh FOLDER        FOLDER/bin then has kube-apiserver, kube-controller-manager, kube-scheduler and kubelet
# Needs root, apt with Debian bookworm, 3 GB and about 10 minutes on two cores. Every source is the machine's own mirror.
set -eu
FOLDER=$1
SOURCE='kubernetes=1.20.5+really1.20.2-1.1+deb12u1'
WHAT='cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet'
[ -x "$FOLDER/bin/kubelet" ] && exit 0

export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
    golang-1.19-go rsync jq gcc libc6-dev make etcd-server containerd runc containernetworking-plugins busybox-static

mkdir -p "$FOLDER/lists/partial" "$FOLDER/download" "$FOLDER/source" "$FOLDER/home" "$FOLDER/bin"
MIRROR=$(sed -n 's|^URIs: *\(http[^ ]*/debian\)/*$|\1|p; s|^deb \(\[[^]]*\] \)*\(http[^ ]*/debian\)/* .*|\2|p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
[ -n "$MIRROR" ] || { echo "no Debian mirror in /etc/apt/sources.list*" >&2; exit 1; }
printf 'deb-src %s bookworm main\ndeb-src %s bookworm-updates main\n' "$MIRROR" "$MIRROR" > "$FOLDER/sources.list"
APT="-o Dir::Etc::sourcelist=$FOLDER/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$FOLDER/lists"
# shellcheck disable=SC2086
(cd "$FOLDER/download" && apt-get $APT update && apt-get $APT -o APT::Sandbox::User=root source --download-only "$SOURCE")
tar xf "$FOLDER"/download/kubernetes_*.orig.tar.gz -C "$FOLDER/source" --strip-components=1

cd "$FOLDER/source"
# The tags come last: the build's own scripts read everything behind them as tags.
GOFLAGS="-p=${JOBS:-2} -mod=vendor -tags=providerless" GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=0 DBG=0 \
HOME="$FOLDER/home" GOCACHE="$FOLDER/home/go-build" PATH=/usr/lib/go-1.19/bin:/usr/sbin:/usr/bin:/sbin:/bin \
KUBE_GIT_TREE_STATE=archive KUBE_GIT_COMMIT=debian KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 \
    make all WHAT="$WHAT"
cp _output/bin/kube-apiserver _output/bin/kube-controller-manager _output/bin/kube-scheduler "$FOLDER/bin/"
cp _output/bin/kubelet "$FOLDER/bin/"   # last: it says that all are there
rm -rf "$FOLDER/source" "$FOLDER/home" "$FOLDER/lists" "$FOLDER/download"
