#!/usr/bin/env bash
# toxiproxy, which stands between a job and its services and makes the way bad, built by go install.
#
#   toxiproxy.sh install    build it; does nothing when it is there
#   toxiproxy.sh start      start it without proxies; prints the address of its HTTP interface when it serves
#   toxiproxy.sh stop       end it
#
# Environment: TOXI_RUN folder of log and pid; TOXI_PORT 8474; OWNER pid of a process that it must not outlive.

. "$(dirname "$0")/service.sh"
module=github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0
bin=$components/toxiproxy/toxiproxy-${module##*@}
port=${TOXI_PORT:-8474}
run=${TOXI_RUN:-$components/toxiproxy/run}
pidf=$run/pid

install() {
  [ -x "$bin" ] && return 0
  need go "Go, to build toxiproxy"
  local tmp
  mkdir -p "$components/toxiproxy"
  tmp=$(mktemp -d "$components/toxiproxy/install.XXXXXX")
  if ! (cd "$tmp" && GOBIN=$tmp GOFLAGS='' GOWORK=off go install -trimpath -ldflags='-s -w' "$module") >"$tmp/log" 2>&1; then
    tail -n 5 "$tmp/log" >&2
    rm -rf "$tmp"
    die "cannot build $module"
  fi
  mv "$tmp/server" "$bin"
  rm -rf "$tmp"
}

start() {
  install
  mkdir -p "$run"
  if alive "$pidf" "$bin" >/dev/null; then die "it runs already in $run"; fi
  if taken "$port"; then die "port $port is taken; set TOXI_PORT"; fi
  ("$bin" -host 127.0.0.1 -port "$port" >"$run/log" 2>&1 </dev/null) &
  echo $! >"$pidf"
  follow
  local until=$((SECONDS + wait_s))
  until taken "$port"; do
    [ $SECONDS -lt $until ] || die "it does not serve after $wait_s s: $(tail -n 5 "$run/log")"
    sleep 0.05
  done
  echo "http://127.0.0.1:$port"
}

stop() { end "$pidf" "$bin" TERM; }

case ${1:-} in
install) install ;;
start) start ;;
stop) stop ;;
*) usage ;;
esac
