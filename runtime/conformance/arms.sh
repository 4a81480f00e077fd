#!/usr/bin/env bash
# The promises in every world, one after the other, and the table of them.
#
#   arms.sh            all arms, then reports/fidelity.md
#   arms.sh ARM...     only these; ARM as in reports/fidelity/ARM.txt
#
# Environment: as kafka.sh and s3.sh have it. Kafka needs Java 17 and Maven, the S3 servers Go and curl.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .components
fidelity=$PWD/.components/fidelity
go build -o "$fidelity" ./reports/fidelity
all=(virtual embedded kafka-3.9.2 kafka-4.1.1 kafka-4.3.0-tv1 kafka-4.3.0-tv2 kafka-4.3.0-tv2-3 versitygw minio)

# tests ARM prints the verdicts of its tests as JSON. That some failed is for the recorder to say.
tests() {
  local words=kafka,s3,slow version=${1#kafka-} tv='' n=1
  case $1 in
  virtual)
    go test -json -count=1 -timeout 10m ./sim ./sim/broker ./sim/bucket ./protocol/checkpoint
    return
    ;;
  embedded)
    WEIR_CONFORMANCE='' go test -json -count=1 -timeout 10m ./runtime/kafka ./runtime/s3 ./runtime/localfs ./runtime/embed ./runtime/conformance
    return
    ;;
  kafka-*)
    case $1 in *-3) n=3 version=${version%-3} words=$words,cluster ;; esac
    case $1 in *-tv*) tv=${version##*-tv} version=${version%-tv*} ;; esac
    export KAFKA_VERSION=$version KAFKA_TV=$tv KAFKA_BROKERS=$n S3_SERVER=versitygw
    runtime/conformance/kafka.sh install
    runtime/conformance/s3.sh install
    ;;
  versitygw | minio)
    words=s3,slow
    export S3_SERVER=$1
    runtime/conformance/s3.sh install
    ;;
  *)
    echo "no such arm: $1" >&2
    return 1
    ;;
  esac
  WEIR_CONFORMANCE=$words go test -json -count=1 -parallel 8 -timeout 30m ./runtime/conformance
}

[ $# -gt 0 ] || set -- "${all[@]}"
failed=()
for arm in "$@"; do
  start=$SECONDS
  echo "=== $arm"
  (tests "$arm" || true) | "$fidelity" record "$arm" || failed+=("$arm")
  echo "=== $arm: $((SECONDS - start)) s"
done
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
"$fidelity" write
