# What kafka.sh and s3.sh share; they source it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${0##*/}
mkdir -p "${WEIR_COMPONENTS:=$here/../../.components}"
components=$(cd "$WEIR_COMPONENTS" && pwd)
wait_s=${WEIR_WAIT:-90} # of everything that is waited for

die() { echo "$name: $*" >&2; exit 1; }
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need() { command -v "$1" >/dev/null || die "$1 is missing: install $2"; }

# alive PIDFILE WORD prints the pid if that process lives and has WORD in its command line: pids are given anew.
alive() {
  local p
  p=$(cat "$1" 2>/dev/null) || return 1
  case $(ps -p "$p" -o stat=,args= 2>/dev/null) in
  Z*) return 1 ;;
  *"$2"*) echo "$p" ;;
  *) return 1 ;;
  esac
}

# end PIDFILE WORD SIGNAL ends a process and waits for it; SIGKILL follows after 15 s.
end() {
  local p until=$((SECONDS + 15))
  p=$(alive "$1" "$2") || { rm -f "$1"; return 0; }
  kill "-$3" "$p" 2>/dev/null || true
  kill -CONT "$p" 2>/dev/null || true
  while alive "$1" "$2" >/dev/null; do
    if [ $SECONDS -ge $until ]; then kill -KILL "$p" 2>/dev/null || true; fi
    sleep 0.05
  done
  rm -f "$1"
}

# taken PORT reports whether somebody listens there.
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# follow makes the services end when the process OWNER does, however that ends.
follow() {
  [ -n "${OWNER:-}" ] || return 0
  (
    while kill -0 "$OWNER" 2>/dev/null; do sleep 1; done
    stop
  ) >/dev/null 2>&1 </dev/null &
}
