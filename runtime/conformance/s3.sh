#!/usr/bin/env bash
# An S3 server on this machine, built by go install.
#
#   s3.sh install      build the server; does nothing when it is there
#   s3.sh start        start it, on the data that are there; prints the endpoint when it serves and has the bucket
#   s3.sh stop         end it
#   s3.sh kill         SIGKILL
#   s3.sh restart      stop and start
#   s3.sh pause        SIGSTOP; resume: SIGCONT
#   s3.sh status       one line
#
# Environment: S3_SERVER versitygw (minio); S3_RUN folder of data, log and pid; S3_PORT 9100; S3_BUCKET weir;
# S3_ACCESS_KEY weir and S3_SECRET_KEY weir-secret; S3_CERT and S3_KEY files, for https; OWNER pid of a process that the
# server must not outlive.

. "$(dirname "$0")/service.sh"
server=${S3_SERVER:-versitygw}
port=${S3_PORT:-9100}
run=${S3_RUN:-$components/s3/run/$server}
bucket=${S3_BUCKET:-weir} access=${S3_ACCESS_KEY:-weir} secret=${S3_SECRET_KEY:-weir-secret}
case $server in
versitygw) module=github.com/versity/versitygw/cmd/versitygw@v1.8.0 ;;
minio) module=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c ;;
*) die "server $server is not known: versitygw or minio" ;;
esac
bin=$components/s3/$server-${module##*@}
pidf=$run/pid
endpoint=http://127.0.0.1:$port
if [ -n "${S3_CERT:-}" ]; then endpoint=https://127.0.0.1:$port; fi

install() {
  [ -x "$bin" ] && return 0
  need go "Go, to build $server"
  local tmp
  mkdir -p "$components/s3"
  tmp=$(mktemp -d "$components/s3/install.XXXXXX")
  # Outside any module, so that this one's settings do not count.
  if ! (cd "$tmp" && GOBIN=$tmp GOFLAGS='' GOWORK=off CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "$module") >"$tmp/log" 2>&1; then
    tail -n 5 "$tmp/log" >&2
    rm -rf "$tmp"
    die "cannot build $module"
  fi
  mv "$tmp/$server" "$bin"
  rm -rf "$tmp"
}

# ask METHOD PATH prints the status of a signed request, 000 if nobody answers.
ask() {
  curl -s -o /dev/null -w '%{http_code}' -m 5 --noproxy '*' ${S3_CERT:+--cacert "$S3_CERT"} -X "$1" --aws-sigv4 aws:amz:us-east-1:s3 \
    --user "$access:$secret" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$endpoint$2" || true
}

launch() {
  local args=()
  case $server in
  versitygw)
    args=(--port "127.0.0.1:$port" --region us-east-1 --keep-alive --quiet)
    if [ -n "${S3_CERT:-}" ]; then args+=(--cert "$S3_CERT" --key "$S3_KEY"); fi
    args+=(posix "$run/data")
    ;;
  minio)
    args=(server --quiet --address "127.0.0.1:$port" --certs-dir "$run/certs" "$run/data")
    if [ -n "${S3_CERT:-}" ]; then
      mkdir -p "$run/certs"
      cp "$S3_CERT" "$run/certs/public.crt"
      cp "$S3_KEY" "$run/certs/private.key"
    fi
    ;;
  esac
  ROOT_ACCESS_KEY_ID=$access ROOT_SECRET_ACCESS_KEY=$secret MINIO_ROOT_USER=$access MINIO_ROOT_PASSWORD=$secret MINIO_BROWSER=off MINIO_UPDATE=off \
    nohup "$bin" "${args[@]}" >>"$run/log" 2>&1 </dev/null &
  echo $! >"$pidf"
  while kill -0 $! 2>/dev/null && ! alive "$pidf" "$bin" >/dev/null; do sleep 0.02; done # until it is the server
}

start() {
  need curl "curl 7.75 or newer"
  local until=$((SECONDS + wait_s)) status
  install
  if ! alive "$pidf" "$bin" >/dev/null; then
    if taken "$port"; then die "port $port is taken; set S3_PORT"; fi
    mkdir -p "$run/data"
    launch
    follow
  fi
  while status=$(ask PUT "/$bucket") && [ "$status" != 200 ] && [ "$status" != 409 ]; do
    alive "$pidf" "$bin" >/dev/null || die "$server ended: $(tail -n 5 "$run/log")"
    [ $SECONDS -lt $until ] || die "$server does not make a bucket, status $status (500: is $run on a file system with extended attributes?): $(tail -n 5 "$run/log")"
    sleep 0.05
  done
  echo "$endpoint"
}

stop() { end "$pidf" "$bin" "${1:-TERM}"; }

send() {
  local p
  p=$(alive "$pidf" "$bin") || die "$server does not run"
  kill "-$1" "$p"
}

case ${1:-} in
install) install ;;
start) start ;;
stop) stop ;;
kill) stop KILL ;;
restart) stop && start ;;
pause) send STOP ;;
resume) send CONT ;;
status) if p=$(alive "$pidf" "$bin"); then echo "$server pid $p $endpoint answers $(ask GET /)"; else echo "$server is down"; fi ;;
*) usage ;;
esac
