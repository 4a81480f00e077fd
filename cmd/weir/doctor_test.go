package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/reports"
	"weir/runtime/doctor"
)

// cluster TOPIC ... starts a broker with these topics for the rest of a script, as $BROKER.
func cluster(ts *testscript.TestScript, _ bool, args []string) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, args...))
	ts.Check(err)
	ts.Defer(c.Close)
	ts.Setenv("BROKER", c.ListenAddrs()[0])
}

// opens ID TOPIC opens a transaction, of one record, that stays open.
func opens(ts *testscript.TestScript, _ bool, args []string) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKER")), kgo.TransactionalID(args[0]))
	ts.Check(err)
	ts.Defer(cl.Close)
	ts.Check(cl.BeginTransaction())
	ts.Check(cl.ProduceSync(context.Background(), &kgo.Record{Topic: args[1], Value: []byte("x")}).FirstErr())
}

// examined CODE: stdout is what weir doctor --json answers, with this exit code.
func isExamined(ts *testscript.TestScript, _ bool, args []string) {
	var r struct {
		SchemaVersion int              `json:"schema_version"`
		ExitCode      json.Number      `json:"exit_code"`
		Counts        map[string]int   `json:"counts"`
		Findings      []doctor.Finding `json:"findings"`
	}
	ts.Check(decode(ts.ReadFile("stdout"), &r))
	if r.SchemaVersion != reports.SchemaVersion || r.ExitCode.String() != args[0] || len(r.Findings) == 0 || len(r.Counts) != 5 {
		ts.Fatalf("%+v", r)
	}
	for _, f := range r.Findings {
		if !slices.Contains([]doctor.Level{doctor.OK, doctor.Warning, doctor.Breaks, doctor.Refuses, doctor.Unasked}, f.Level) || (f.Level != doctor.OK && f.Do == "") {
			ts.Fatalf("%+v", f)
		}
	}
}
