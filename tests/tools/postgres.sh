# Part of ./test: a private PostgreSQL in a folder of its own, for as long as the tests run.
# shellcheck shell=bash

postgres_folder=
postgres_runner=()
# A benchmark gives PostgreSQL a processor.
POSTGRES_RUN_ON=()

find_postgres() {
  local folder
  # The newest of Debian's, else whatever stands in PATH.
  for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/psql" ]; then
      POSTGRES_BIN=$folder
      return 0
    fi
  done
  return 1
}

free_port() {
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 0)->sockport'
}

# Exports TESSERA_TEST_POSTGRES_URL, a superuser's login.
need_postgres() {
  [ -n "$postgres_folder" ] && return
  find_postgres || install postgresql
  find_postgres || die "there is no initdb, though PostgreSQL's package is installed"
  export PATH=$POSTGRES_BIN:$PATH
  if [ -n "${TESSERA_TEST_POSTGRES_URL:-}" ]; then
    export TESSERA_TEST_POSTGRES_URL
  else
    start_postgres
  fi
}

start_postgres() {
  # In /tmp whatever TMPDIR says: a Unix socket's path may have 107 bytes.
  postgres_folder=$(mktemp -d /tmp/tessera-test.XXXXXX)
  if [ "$(id -u)" -eq 0 ]; then
    # PostgreSQL refuses to run as root; the package has made a user for it.
    id -u postgres >/dev/null 2>&1 || die "there is no user postgres to run PostgreSQL as"
    chown postgres: "$postgres_folder"
    postgres_runner=(setpriv "--reuid=$(id -u postgres)" "--regid=$(id -g postgres)" --clear-groups env -C "$postgres_folder")
  fi
  local password port attempt
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  run_postgres tee "$postgres_folder/password" >/dev/null <<<"$password" # mktemp's folder is its owner's alone
  run_postgres "$POSTGRES_BIN/initdb" --pgdata="$postgres_folder/data" --username=postgres --auth=scram-sha-256 \
    --pwfile="$postgres_folder/password" --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$TOOLS/initdb.log" 2>&1 || {
    tail -20 "$TOOLS/initdb.log" >&2
    die "initdb failed"
  }
  run_postgres tee -a "$postgres_folder/data/postgresql.conf" >/dev/null <<CONFIGURATION
listen_addresses = '127.0.0.1'
unix_socket_directories = '$postgres_folder'
max_connections = 400
shared_buffers = 128MB
CONFIGURATION
  if [ -z "${POSTGRES_IS_DURABLE:-}" ]; then
    # Settings for data that nobody keeps. Commit order and isolation are as ever.
    run_postgres tee -a "$postgres_folder/data/postgresql.conf" >/dev/null <<CONFIGURATION
fsync = off
synchronous_commit = off
full_page_writes = off
CONFIGURATION
  fi
  for attempt in 1 2 3 4 5; do
    port=$(free_port)
    if run_postgres "$POSTGRES_BIN/pg_ctl" start --wait --silent --pgdata="$postgres_folder/data" \
      --log="$postgres_folder/log" --options="-p $port" </dev/null; then
      export TESSERA_TEST_POSTGRES_URL="postgres://postgres:$password@127.0.0.1:$port/postgres"
      return
    fi
    echo "test: PostgreSQL did not start on port $port (attempt $attempt)" >&2
  done
  run_postgres tail -20 "$postgres_folder/log" >&2
  die "PostgreSQL does not start"
}

run_postgres() {
  "${POSTGRES_RUN_ON[@]}" "${postgres_runner[@]}" "$@"
}

stop_postgres() {
  [ -n "$postgres_folder" ] || return 0
  run_postgres "$POSTGRES_BIN/pg_ctl" stop --mode=immediate --silent --pgdata="$postgres_folder/data" >/dev/null 2>&1
  rm -rf "$postgres_folder"
  postgres_folder=
}
