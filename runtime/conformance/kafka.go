package conformance

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// KafkaOptions choose a cluster. The zero value is as many brokers as KAFKA_BROKERS says, or one, of the version that
// KAFKA_VERSION names, or of the script's.
type KafkaOptions struct {
	Brokers int      // 1 or 3; 0: KAFKA_BROKERS
	Version string   // such as 4.3.0
	Txn     int      // transaction.version, 1 or 2; 0: the version's own
	Set     []string // key=value, added to server.properties
	Proxy   int      // port of broker 1's proxy, the next ones follow; 0: none. Clients that come through it are told it
}

// Kafka is a cluster of real brokers on this machine.
type Kafka struct {
	Brokers []string // bootstrap addresses, that of broker i at i-1
	Behind  []string // where proxies must send to, for those who come through one

	dir string
	env []string
}

// OpenKafka starts a cluster with its data and logs in dir, and returns when it serves. It ends with this process at
// the latest.
func OpenKafka(dir string, o KafkaOptions) (*Kafka, error) {
	port := freePort(1, 2, 50, 51, 52, 100, 101, 102)
	k := &Kafka{dir: dir, env: []string{
		owner(), "KAFKA_RUN=" + dir, fmt.Sprintf("KAFKA_PORT=%d", port), "KAFKA_SET=" + strings.Join(o.Set, ";"),
	}}
	if o.Proxy != 0 {
		k.env = append(k.env, fmt.Sprintf("KAFKA_PROXY=%d", o.Proxy))
		for i := range max(o.Brokers, 1) {
			k.Behind = append(k.Behind, fmt.Sprintf("127.0.0.1:%d", port+50+i))
		}
	}
	if o.Version != "" {
		k.env = append(k.env, "KAFKA_VERSION="+o.Version)
	}
	if o.Txn != 0 {
		k.env = append(k.env, fmt.Sprintf("KAFKA_TV=%d", o.Txn))
	}
	n := cmp.Or(os.Getenv("KAFKA_BROKERS"), "1")
	if o.Brokers != 0 {
		n = strconv.Itoa(o.Brokers)
	}
	addrs, err := runScript("kafka.sh", k.env, "start", n)
	if err != nil {
		k.Stop() // what was started before it failed
		return nil, err
	}
	k.Brokers = strings.Split(addrs, ",")
	return k, nil
}

// StartKafka starts a cluster for one test, which is skipped unless kafka is asked for.
func StartKafka(t testing.TB, o KafkaOptions) *Kafka {
	t.Helper()
	Need(t, "kafka")
	k, err := OpenKafka(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(k.Logs())
		}
		if err := k.Stop(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// Stop ends every broker.
func (k *Kafka) Stop() error { return k.do("stop") }

// Kill ends broker i, counted from 1, by SIGKILL.
func (k *Kafka) Kill(i int) error { return k.do("kill", strconv.Itoa(i)) }

// Restart starts broker i again on its data, and returns when it serves.
func (k *Kafka) Restart(i int) error { return k.do("restart", strconv.Itoa(i)) }

// Pause makes broker i stand still.
func (k *Kafka) Pause(i int) error { return k.do("pause", strconv.Itoa(i)) }

// Resume lets broker i go on.
func (k *Kafka) Resume(i int) error { return k.do("resume", strconv.Itoa(i)) }

func (k *Kafka) do(args ...string) error {
	_, err := runScript("kafka.sh", k.env, args...)
	return err
}

// Logs is the end of each broker's log.
func (k *Kafka) Logs() string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(k.dir, "[1-9]", "server.log"))
	for _, f := range files {
		fmt.Fprintf(&b, "%s:\n%s\n", f, tail(f))
	}
	return b.String()
}
