package scenarios

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"

	"weir/checker"
	"weir/cmd/accesslog/job"
	"weir/cmd/accesslog/logs"
)

// AccessLog is the very job of the demo, on the lines of the demo.
func AccessLog() *Scenario {
	lines := logs.Lines()
	return &Scenario{
		Name: "accesslog", About: "the demo's job on real log lines: running totals per path and status", Factory: job.Job, Partitions: 3, Parallelism: 2,
		Inputs:   []Input{{Topic: job.Input, Keys: len(lines), Make: func(_, key int) []byte { return []byte(lines[key]) }}},
		Outputs:  []Output{{Topic: job.Output, Count: func(n int) int { return n }}},
		Judge:    func(h *checker.History) checker.Verdict { return checker.Check(h, AccessLogSpec()) },
		Readings: func(h *checker.History) []Reading { return []Reading{{*h, AccessLogSpec()}} },
	}
}

// access is what the job takes from a line.
type access struct {
	key  []byte
	sent int
}

// AccessLogSpec is what the accesslog job should do, read from its documentation and not from its code: for the n-th
// line of a key one record that says n and the sum of bytes. It remembers what it has read: use it for one Check at a time.
func AccessLogSpec() checker.Spec {
	line := regexp.MustCompile(`^(\S+) (\S+) (\S+) \[([^\]]*)\] "([^ "\\]+) ([^ "\\]+) ([^ "\\]+)" ([0-9]{3}) ([0-9]{1,18}|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`)
	known := make(map[string]access)
	read := func(in *checker.Input) access {
		if a, ok := known[string(in.Value)]; ok {
			return a
		}
		a := access{key: []byte("malformed")}
		if f := line.FindSubmatch(in.Value); f != nil {
			path, _, _ := bytes.Cut(f[6], []byte("?"))
			a.key = fmt.Appendf(nil, "%s %s", path, f[8])
			a.sent, _ = strconv.Atoi(string(f[9]))
		}
		known[string(in.Value)] = a
		return a
	}
	return checker.Spec{Folds: []checker.Fold{{
		Topic: "access-stats",
		Key:   func(in *checker.Input) ([]byte, bool) { return read(in).key, true },
		Apply: func(state []byte, in *checker.Input) ([]byte, []byte) {
			var n, sum int
			fmt.Sscanf(string(state), `{"count":%d,"bytes":%d}`, &n, &sum) // the first state is empty: zeros
			next := fmt.Appendf(nil, `{"count":%d,"bytes":%d}`, n+1, sum+read(in).sent)
			return next, next
		},
		Order: checker.OrderFree,
	}}}
}
