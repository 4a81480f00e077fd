package main

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weir"
	"weir/cmd/accesslog/job"
	"weir/runtime/host"
)

// nobody is a user that owns nothing.
const nobody = 65534

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"accesslog": func() { drop(); main() },
		"tiny":      func() { drop(); host.Main(tiny) },
	})
}

// drop gives root's rights up if it is asked for: root may write anywhere.
func drop() {
	if os.Getenv("AS_NOBODY") == "" || os.Getuid() != 0 {
		return
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		panic(err)
	}
}

// tiny is a job of another name on the same topics; some words are too much for it.
func tiny() *weir.Job {
	j := weir.New("tiny")
	words := weir.MapErr(weir.From(j, "words", weir.Topic(job.Input, weir.String{})), "check", func(w string) (string, error) {
		switch w {
		case "poison":
			return "", errors.New("this word is not to be had")
		case "bomb":
			panic("this word is a bomb")
		case "tar":
			time.Sleep(time.Hour)
		}
		return w, nil
	})
	byWord := weir.KeyBy(words, func(w string) string { return w }, weir.String{}, weir.String{})
	weir.To(weir.Aggregate(byWord, "count", weir.Count[string]()), "counts", weir.KeyedTopic(job.Output, weir.String{}, weir.Int64{}))
	return j
}

// Each script is a situation on a broker and a folder of its own; world_test.go has the commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", Setup: setup, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"feed": in(feed), "sees": in(sees), "trim": in(trim), "recreate": in(recreate), "remove": in(remove), "grow": in(grow), "limit": in(limit),
			"job": in(runJob), "start": in(start), "quit": in(quit), "ends": in(ends), "says": in(says), "signal": in(signal),
			"state": in(writeState), "head": in(head), "erase": in(erase), "keep": in(keep), "restore": in(restore), "tear": in(tear), "rot": in(rot), "replace": in(replace), "winner": in(winner),
			"broker": in(tellBroker), "abort": in(abort), "slay": in(slay), "forget": in(forget),
		},
	})
}
