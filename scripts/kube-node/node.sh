# Names, addresses and helpers that the scripts share. Sourced; expects FOLDER, the folder of the node, and BINARIES to start programs.

NODE=equipoise-node # names the node, its bridge, its control groups and its pod network
NET=10.217.0.0/16
NODE_IP=10.217.0.1
POD_CIDR=10.217.1.0/24
SERVICE_CIDR=10.217.2.0/24
DNS_IP=10.217.2.10
LOOPBACK=127.217.0.1 # an own loopback address, so that fixed ports do not collide with other programs
MEMORY_THRESHOLD=50Mi # the kubelet evicts pods if less memory is available
SOCKET="$FOLDER/run/containerd.sock"
ROOT="$FOLDER/root" # unpacked Debian packages
LIBRARIES="$ROOT/usr/lib/x86_64-linux-gnu:$ROOT/lib/x86_64-linux-gnu"
CTR=("$ROOT/usr/bin/ctr" --address "$SOCKET" --namespace k8s.io)
NFT=(env "LD_LIBRARY_PATH=$LIBRARIES" "$ROOT/usr/sbin/nft")
IPTABLES_ENV=("LD_LIBRARY_PATH=$LIBRARIES" "XTABLES_LIBDIR=$ROOT/usr/lib/x86_64-linux-gnu/xtables")
# Kernel settings that programs of the node change; `down` restores them.
SYSCTLS=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys
  kernel.keys.root_maxbytes net.ipv4.ip_forward)
export NO_PROXY="$NET,127.0.0.0/8${NO_PROXY:+,$NO_PROXY}"
export no_proxy="$NO_PROXY"

say() { echo "kube-node: $*" >&2; }
fail() { say "$*"; exit 1; }
# 3: this machine cannot run the node. The last line on stderr is the reason.
unsupported() { say "unsupported: $*"; exit 3; }

# is_running PID: a zombie is not running.
is_running() { [[ -r /proc/$1/status ]] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

# await SECONDS WHAT COMMAND…: repeats the command until it succeeds.
await() {
  local end=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { say "$what did not come in time"; return 1; }
    sleep 0.2
  done
}

# stop PID SECONDS: SIGTERM, and SIGKILL after that time.
stop() {
  local rounds=$(($2 * 10))
  is_running "$1" || return 0
  kill "$1" 2>/dev/null || true
  while is_running "$1" && ((rounds-- > 0)); do sleep 0.1; done
  ! is_running "$1" || { kill -9 "$1" 2>/dev/null || true; sleep 0.3; }
}

# start NAME COMMAND…: a program in the mount namespace of the node.
start() {
  local name="$1"
  shift
  setsid nsenter --mount --target "$(<"$FOLDER/pids/hold")" --wd=/ -- \
    env "PATH=$ROOT/usr/bin:$ROOT/usr/sbin:$ROOT/sbin:$ROOT/bin:$PATH" "$@" >>"$FOLDER/log/$name.log" 2>&1 </dev/null &
  echo $! >"$FOLDER/pids/$name"
}

start_kubelet() {
  start kubelet "$BINARIES/kubelet" --config="$FOLDER/etc/kubelet.yaml" --kubeconfig="$FOLDER/etc/kubelet.kubeconfig" \
    --root-dir="$FOLDER/state/kubelet" --cert-dir="$FOLDER/etc/kubelet-pki" --hostname-override="$NODE" --node-ip="$NODE_IP"
}

# group_folders: control groups of the node, one folder per hierarchy (one in all with cgroup v2).
group_folders() {
  local hierarchy
  if [[ -e /sys/fs/cgroup/cgroup.procs ]]; then echo "/sys/fs/cgroup/$NODE"; return; fi
  for hierarchy in /sys/fs/cgroup/*/; do
    [[ -L ${hierarchy%/} || ! -e ${hierarchy}cgroup.procs ]] || echo "$hierarchy$NODE"
  done
}
