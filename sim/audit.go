package sim

import "fmt"

// audit compares two runs step by step.
type audit struct {
	recording bool
	digests   []uint64 // after each step of the first run
}

// Audit runs a configuration twice, each time made anew, and compares the runs after every step. Where they differ, the
// second run's result fails as nondeterministic, and its ring ends with the first step that differs.
func Audit(make func() Config) Result {
	first := newWorld(make())
	first.audit = &audit{recording: true}
	first.run()
	second := newWorld(make())
	second.audit = &audit{digests: first.audit.digests}
	second.run()
	if f := second.failure; second.digest != first.digest && (f == nil || f.Class != "nondeterminism") {
		second.failure = nil
		second.fails("nondeterminism", "digest", "two runs took equal steps and ended with different histories, logs or buckets")
	}
	return second.result()
}

func (a *audit) after(w *World) {
	if a.recording {
		a.digests = append(a.digests, w.digest.h)
		return
	}
	i := int(w.steps) - 1
	if i >= len(a.digests) || a.digests[i] != w.digest.h {
		w.failure = nil
		w.fails("nondeterminism", "digest", fmt.Sprintf("two runs of one seed differ from step %d on", w.steps))
	}
}
