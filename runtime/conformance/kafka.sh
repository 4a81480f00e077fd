#!/usr/bin/env bash
# Apache Kafka (KRaft, brokers that are controllers too), from Maven's repository.
#
#   kafka.sh install      fetch the jars; does nothing when they are there
#   kafka.sh start [N]    a new cluster of N brokers, 1 or 3; prints the bootstrap addresses when all serve
#   kafka.sh stop         end all; their data stay until the next start
#   kafka.sh kill I       SIGKILL of broker I
#   kafka.sh restart I    start broker I again on its data
#   kafka.sh pause I      SIGSTOP; resume I: SIGCONT
#   kafka.sh status       one line for each broker
#
# Environment: KAFKA_VERSION 4.3.0 (4.1.1, 3.9.2); KAFKA_TV transaction.version, the version's own if empty; KAFKA_RUN
# folder of data, logs and pids; KAFKA_PORT 29092, of broker 1 (the next ones follow, controllers are 100 above);
# KAFKA_PROXY: brokers also listen 50 above, for clients that come through a proxy, and name that port and the next ones
# to them; KAFKA_SET "k=v;k=v" for server.properties; OWNER pid of a process that the cluster must not outlive.

. "$(dirname "$0")/service.sh"
version=${KAFKA_VERSION:-4.3.0}
port=${KAFKA_PORT:-29092}
run=${KAFKA_RUN:-$components/kafka/run}
libs=$components/kafka/$version
jvm="-Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.awt.headless=true" # half the start's CPU

java_ok() {
  need java "Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)"
  local v
  v=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${v:-0}" -ge 17 ] || die "Java 17 or newer is needed, this is ${v:-unknown}"
}

install() {
  java_ok
  [ -f "$libs/complete" ] && return 0
  need mvn "Maven (Debian: apt-get install maven)"
  local log="org.apache.logging.log4j:log4j-slf4j-impl:2.24.3" tmp
  case $version in 3.*) log=org.slf4j:slf4j-reload4j:1.7.36 ;; esac
  mkdir -p "$components/kafka"
  tmp=$(mktemp -d "$components/kafka/install.XXXXXX")
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>weir</groupId><artifactId>kafka</artifactId><version>1</version><dependencies>'
    printf '%s\n' "org.apache.kafka:kafka_2.13:$version" "$log" |
      sed 's|\(.*\):\(.*\):\(.*\)|<dependency><groupId>\1</groupId><artifactId>\2</artifactId><version>\3</version></dependency>|'
    echo '</dependencies></project>'
  } >"$tmp/pom.xml"
  # -C: a file whose checksum is wrong is an error.
  if ! mvn -B -q -C -f "$tmp/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$tmp/libs" >"$tmp/log" 2>&1; then
    tail -n 20 "$tmp/log" >&2
    rm -rf "$tmp"
    die "Maven could not fetch Kafka $version: is its repository reachable?"
  fi
  touch "$tmp/libs/complete"
  rm -rf "$libs"
  mv "$tmp/libs" "$libs"
  rm -rf "$tmp"
}

node() {
  [ -f "$run/$1/server.properties" ] || die "there is no broker $1 in $run"
  echo "$run/$1"
}
nodes() { for d in "$run"/[1-9]; do if [ -d "$d" ]; then echo "${d##*/}"; fi; done; }
broker() { alive "$run/$1/pid" "$run/$1/server.properties"; }
port_of() { sed -n 's|^listeners=PLAINTEXT://127.0.0.1:\([0-9]*\),.*|\1|p' "$run/$1/server.properties" | head -n 1; }

# java_in FOLDER CLASS ARGS, logging to FOLDER/server.log whichever logging library the version has.
java_in() {
  local d=$1
  shift
  printf '%s\n' "rootLogger.level=info" "rootLogger.appenderRef.f.ref=F" "appender.f.type=File" "appender.f.name=F" "appender.f.fileName=$d/server.log" \
    "appender.f.layout.type=PatternLayout" "appender.f.layout.pattern=[%d] %p %m (%c)%n" >"$d/log4j2.properties"
  printf '%s\n' "log4j.rootLogger=INFO, F" "log4j.appender.F=org.apache.log4j.FileAppender" "log4j.appender.F.File=$d/server.log" \
    "log4j.appender.F.layout=org.apache.log4j.PatternLayout" "log4j.appender.F.layout.ConversionPattern=[%d] %p %m (%c)%n" >"$d/log4j.properties"
  # shellcheck disable=SC2086
  exec java $jvm "-Dlog4j2.configurationFile=file:$d/log4j2.properties" "-Dlog4j.configuration=file:$d/log4j.properties" -cp "$(cat "$d/libs")/*" "$@"
}

configure() { # I N CLUSTER-ID VOTERS
  local d=$run/$1 rf=1 isr=1 feature=()
  if [ "$2" = 3 ]; then rf=3 isr=2; fi
  mkdir -p "$d"
  echo "$libs" >"$d/libs"
  cat >"$d/server.properties" <<P
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$4
listeners=PLAINTEXT://127.0.0.1:$((port + $1 - 1)),CONTROLLER://127.0.0.1:$((port + $1 + 99))
advertised.listeners=PLAINTEXT://127.0.0.1:$((port + $1 - 1))
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$d/data
auto.create.topics.enable=false
default.replication.factor=$rf
min.insync.replicas=$isr
transaction.state.log.replication.factor=$rf
transaction.state.log.min.isr=$isr
transaction.state.log.num.partitions=6
P
  if [ -n "${KAFKA_PROXY:-}" ]; then
    cat >>"$d/server.properties" <<P
listeners=PLAINTEXT://127.0.0.1:$((port + $1 - 1)),PROXIED://127.0.0.1:$((port + $1 + 49)),CONTROLLER://127.0.0.1:$((port + $1 + 99))
advertised.listeners=PLAINTEXT://127.0.0.1:$((port + $1 - 1)),PROXIED://127.0.0.1:$((KAFKA_PROXY + $1 - 1))
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
P
  fi
  printf '%s\n' "${KAFKA_SET:-}" | tr ';' '\n' >>"$d/server.properties"
  if [ -n "${KAFKA_TV:-}" ]; then feature=(--feature "transaction.version=$KAFKA_TV"); fi
  java_in "$d" kafka.tools.StorageTool format -t "$3" -c "$d/server.properties" "${feature[@]}" >"$d/format.log" 2>&1
}

launch() {
  local d
  d=$(node "$1")
  (java_in "$d" kafka.Kafka "$d/server.properties" >"$d/stdout.log" 2>&1 </dev/null) &
  echo $! >"$d/pid"
  while kill -0 $! 2>/dev/null && ! broker "$1" >/dev/null; do sleep 0.02; done # until it is java
}

# sees PORT prints how many brokers the one at PORT knows and counts as alive: a Metadata request, without a JVM. A
# broker opens its port for clients only when the controller has let it in.
sees() {
  # shellcheck disable=SC2016
  timeout 2 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0"; printf "\0\0\0\016\0\003\0\001\0\0\0\001\377\377\0\0\0\0" >&3; head -c 12 <&3 | od -An -tu1' "$1" 2>/dev/null |
    awk '{ for (i = 1; i <= NF; i++) b[n++] = $i } END { if (n == 12) print b[8] * 16777216 + b[9] * 65536 + b[10] * 256 + b[11] }'
}

# await waits until every living broker sees as many as live; paused ones are left out.
await() {
  local until=$((SECONDS + wait_s)) i want ready
  while :; do
    want=0 ready=0
    for i in $(nodes); do if running "$i"; then want=$((want + 1)); fi; done
    for i in $(nodes); do
      if running "$i" && [ "$(sees "$(port_of "$i")")" = "$want" ]; then ready=$((ready + 1)); fi
    done
    [ "$want" -gt 0 ] || die "no broker lives: $(tail -n 5 "$run"/*/stdout.log "$run"/*/server.log)"
    if [ "$ready" = "$want" ]; then return 0; fi
    [ $SECONDS -lt $until ] || die "$ready of $want brokers serve after $wait_s s; their logs are $run/*/server.log"
    sleep 0.1
  done
}

running() {
  local p
  p=$(broker "$1") || return 1
  case $(ps -p "$p" -o stat=) in T*) return 1 ;; esac
}

start() {
  local n=${1:-1} i id voters='' formats=()
  case $n in 1 | 3) ;; *) die "start 1 or 3 brokers, not $n" ;; esac
  install
  for i in $(nodes); do if broker "$i" >/dev/null; then die "broker $i runs already in $run; stop it first"; fi; done
  for i in $(seq 1 "$n"); do
    if taken $((port + i - 1)) || taken $((port + i + 99)); then die "port $((port + i - 1)) or $((port + i + 99)) is taken; set KAFKA_PORT"; fi
    voters=$voters${voters:+,}$i@127.0.0.1:$((port + i + 99))
  done
  rm -rf "${run:?}"/[1-9]
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | cut -c 1-22)
  for i in $(seq 1 "$n"); do
    (configure "$i" "$n" "$id" "$voters") &
    formats+=($!)
  done
  for i in "${formats[@]}"; do wait "$i" || die "format: $(tail -n 5 "$run"/*/format.log)"; done
  for i in $(seq 1 "$n"); do launch "$i"; done
  follow
  await
  for i in $(seq 1 "$n"); do printf '%s127.0.0.1:%d' "$([ "$i" = 1 ] || echo ,)" "$((port + i - 1))"; done
  echo
}

stop() {
  local i ends=()
  for i in $(nodes); do
    end "$run/$i/pid" "$run/$i/server.properties" TERM &
    ends+=($!)
  done
  for i in "${ends[@]}"; do wait "$i"; done
}

send() { # SIGNAL I
  local p
  p=$(broker "$2") || die "broker $2 does not run"
  kill "-$1" "$p"
}

status() {
  local i p
  for i in $(nodes); do
    if p=$(broker "$i"); then echo "broker $i pid $p port $(port_of "$i") sees $(sees "$(port_of "$i")")"; else echo "broker $i is down"; fi
  done
}

verb=${1:-}
case $verb in kill | restart | pause | resume) node "${2:?which broker}" >/dev/null ;; esac
case $verb in
install) install ;;
start) start "${2:-1}" ;;
stop) stop ;;
kill) end "$run/$2/pid" "$run/$2/server.properties" KILL ;;
restart) end "$run/$2/pid" "$run/$2/server.properties" TERM; launch "$2"; await ;;
pause) send STOP "$2" ;;
resume) send CONT "$2" ;;
status) status ;;
*) usage ;;
esac
