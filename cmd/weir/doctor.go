package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"weir/protocol"
	"weir/reports"
	"weir/runtime/access"
	"weir/runtime/doctor"
)

// asked is what doctor and txn are told about a job.
type asked struct {
	access                         access.Flags
	job, topics                    string
	interval, timeout, transaction time.Duration
	tolerable                      int
	json                           bool
}

func (a *asked) define(fs *flag.FlagSet) {
	a.access.Define(fs)
	fs.StringVar(&a.job, "job", "", "name of the job; without it, that of the job whose HEAD is in the bucket")
	fs.BoolVar(&a.json, "json", false, "answer in JSON")
}

// options checks what was typed.
func (a *asked) options() (doctor.Options, error) {
	at, err := a.access.Options()
	if err != nil {
		return doctor.Options{}, err
	}
	o := doctor.Options{Options: at, Job: a.job, Config: protocol.Defaults(), Logger: slog.New(slog.DiscardHandler)} // findings say it all
	for t := range strings.SplitSeq(a.topics, ",") {
		if t = strings.TrimSpace(t); t != "" {
			o.Topics = append(o.Topics, t)
		}
	}
	return o, nil
}

// cluster is options, of which brokers must be some.
func (a *asked) cluster() (doctor.Options, error) {
	o, err := a.options()
	if err == nil && len(o.Brokers) == 0 {
		err = errors.New("no broker is named: -brokers")
	}
	return o, err
}

// examine is weir doctor.
func examine(args []string, stdout, stderr io.Writer) (int, error) {
	var a asked
	d := protocol.Defaults()
	fs := flags("doctor", stderr)
	a.define(fs)
	fs.StringVar(&a.topics, "topics", "", "the job's topics, separated by commas; what the newest checkpoint names is looked at anyway")
	fs.DurationVar(&a.interval, "interval", time.Duration(d.Interval), "the job's -interval")
	fs.DurationVar(&a.timeout, "timeout", time.Duration(d.Timeout), "the job's -timeout")
	fs.DurationVar(&a.transaction, "transaction-timeout", time.Duration(d.TxnTimeout), "the job's -transaction-timeout")
	fs.IntVar(&a.tolerable, "tolerable", d.Tolerable, "the job's -tolerable")
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	o, err := a.options()
	if err != nil {
		return 0, err
	}
	if len(o.Brokers) == 0 && o.Bucket == "" {
		return 0, errors.New("name -brokers, or -bucket, or both")
	}
	o.Config.Interval, o.Config.Timeout = protocol.Duration(a.interval), protocol.Duration(a.timeout)
	o.Config.TxnTimeout, o.Config.Tolerable = protocol.Duration(a.transaction), a.tolerable
	ctx, stop := interruptible()
	defer stop()
	r := doctor.Examine(ctx, o)
	if a.json {
		err = r.JSON(stdout, reports.SchemaVersion)
	} else {
		err = r.Text(stdout)
	}
	return r.ExitCode(), err
}

func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

const txnUsage = "usage: weir txn list [flags], or weir txn abort [flags] ID ...; see weir txn list -h, weir txn abort -h"

// transactions is weir txn.
func transactions(args []string, stdout, stderr io.Writer) (int, error) {
	if len(args) == 0 {
		return 0, errors.New(txnUsage)
	}
	switch args[0] {
	case "list":
		return listTxns(args[1:], stdout, stderr)
	case "abort":
		return abortTxns(args[1:], stdout, stderr)
	case "-h", "-help", "--help":
		fmt.Fprintln(stderr, txnUsage)
		return 0, flag.ErrHelp
	}
	return 0, fmt.Errorf("%q is neither list nor abort; %s", args[0], txnUsage)
}

func listTxns(args []string, stdout, stderr io.Writer) (int, error) {
	var a asked
	fs := flags("txn list", stderr)
	a.define(fs)
	if err := parse(fs, args); err != nil {
		return 0, err
	}
	o, err := a.cluster()
	if err != nil {
		return 0, err
	}
	ctx, stop := interruptible()
	defer stop()
	list, err := doctor.List(ctx, o)
	if err != nil {
		return 0, err
	}
	if a.json {
		if list == nil {
			list = []doctor.Txn{}
		}
		return 0, json.NewEncoder(stdout).Encode(struct {
			SchemaVersion int          `json:"schema_version"`
			Transactions  []doctor.Txn `json:"transactions"`
		}{reports.SchemaVersion, list})
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, t := range list {
		fmt.Fprintf(w, "%s\t%s\t%v of %v\t%s\t%s\n", t.ID, t.State, t.Age, t.Timeout, strings.Join(t.Partitions, ","), t.What)
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	_, err = fmt.Fprintf(stdout, "%d transactions are open\n", len(list))
	return 0, err
}

func abortTxns(args []string, stdout, stderr io.Writer) (int, error) {
	var a asked
	fs := flags("txn abort", stderr)
	a.access.Define(fs)
	force := fs.Bool("force", false, "abort also what is decided, what may be, and what the job itself would end")
	switch err := parse(fs, args); {
	case errors.Is(err, flag.ErrHelp), err != nil && fs.NArg() == 0:
		return 0, err
	case fs.NArg() == 0:
		return 0, errors.New("no transactional id is named; see weir txn list")
	}
	o, err := a.cluster()
	if err != nil {
		return 0, err
	}
	ctx, stop := interruptible()
	defer stop()
	return 0, doctor.Abort(ctx, o, fs.Args(), *force, stdout)
}
