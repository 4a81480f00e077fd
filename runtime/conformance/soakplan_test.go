package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// trouble is one fault of a soak: what happens to whom, how long, and how long nothing happens before it.
type trouble struct {
	after  time.Duration
	kind   string
	target int           // of a broker, from 1; of a job, from 0
	last   time.Duration // zero for what has no length
	also   int           // a job, from 1, that is killed meanwhile; 0: none
	at     time.Duration // when that is, from the trouble's begin
}

// String is the trouble as a line of the log: "after 7.3s kill-broker 2 for 4.1s", or with " kill-job 1 at 2.2s" behind it.
func (f trouble) String() string {
	s := fmt.Sprintf("after %v %s %d for %v", f.after, f.kind, f.target, f.last)
	if f.also > 0 {
		s += fmt.Sprintf(" kill-job %d at %v", f.also-1, f.at)
	}
	return s
}

func parseTrouble(line string) (f trouble, err error) {
	w := strings.Fields(line)
	if len(w) == 10 && w[6] == "kill-job" && w[8] == "at" {
		if f.also, err = strconv.Atoi(w[7]); err != nil {
			return f, err
		}
		if f.at, err = time.ParseDuration(w[9]); err != nil {
			return f, err
		}
		f.also++
		w = w[:6]
	}
	if len(w) != 6 || w[0] != "after" || w[4] != "for" {
		return f, fmt.Errorf("%q is not: after TIME KIND TARGET for TIME, or that with: kill-job JOB at TIME", line)
	}
	f.kind = w[2]
	if f.after, err = time.ParseDuration(w[1]); err != nil {
		return f, err
	}
	if f.last, err = time.ParseDuration(w[5]); err != nil {
		return f, err
	}
	f.target, err = strconv.Atoi(w[3])
	return f, err
}

// The kinds of trouble, and how often each is drawn.
var troubles = []struct {
	kind   string
	weight int
	most   time.Duration // how long it may last
}{
	{"kill-job", 3, 0},
	{"kill-job-before-decision", 3, 0}, // the write of HEAD is held and never sent
	{"kill-job-after-decision", 3, 0},  // HEAD is written, the job is not told
	{"pause-job", 2, 20 * time.Second},
	{"replace-job", 2, 10 * time.Second}, // it stands still, another process takes over, it wakes up
	{"kill-broker", 2, 12 * time.Second},
	{"kill-coordinator-at-commit", 3, 10 * time.Second}, // within 5 ms of EndTxn
	{"pause-broker", 2, 15 * time.Second},
	{"pause-coordinator-at-commit", 2, 15 * time.Second},
	{"kill-s3", 2, 6 * time.Second},
	{"pause-s3", 1, 15 * time.Second},
	{"broker-latency", 1, 15 * time.Second},
	{"broker-reset", 2, 2 * time.Second},
	{"broker-blackhole", 2, 15 * time.Second},
	{"broker-deaf", 1, 15 * time.Second}, // half open: what is sent to it vanishes
	{"broker-mute", 1, 15 * time.Second}, // half open: what it answers vanishes
	{"s3-latency", 1, 15 * time.Second},
	{"s3-reset", 1, 2 * time.Second},
	{"s3-blackhole", 1, 10 * time.Second},
}

// planOf draws the troubles of a soak, one after the other: what heals has healed before the next. Half of those that
// befall a service go with the death of a job, which has to recover from it in a broken world.
func planOf(seed uint64, length time.Duration, brokers, jobs int) (plan []trouble) {
	r, also := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
	var deck []int
	for i, k := range troubles {
		deck = append(deck, slices.Repeat([]int{i}, k.weight)...)
	}
	for at := time.Duration(0); at < length; {
		k := troubles[deck[r.IntN(len(deck))]]
		f := trouble{after: tenths(r, 2*time.Second, 9*time.Second), kind: k.kind}
		switch {
		case strings.Contains(k.kind, "broker"):
			f.target = 1 + r.IntN(brokers)
		case strings.Contains(k.kind, "job") || strings.Contains(k.kind, "at-commit"):
			f.target = r.IntN(jobs)
		}
		if k.most > 0 {
			f.last = tenths(r, time.Second, k.most)
		}
		if !strings.Contains(f.kind, "-job") && also.IntN(2) == 0 {
			f.also, f.at = 1+also.IntN(jobs), tenths(also, 0, f.last)
		}
		at += f.after + f.last
		plan = append(plan, f)
	}
	return plan
}

func tenths(r *rand.Rand, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64(hi-lo)+1)).Truncate(100*time.Millisecond)
}

func TestSoakPlan(t *testing.T) {
	a, b := planOf(7, time.Hour, 3, 2), planOf(7, time.Hour, 3, 2)
	if !slices.Equal(a, b) || slices.Equal(a, planOf(8, time.Hour, 3, 2)) {
		t.Error("a seed is one plan")
	}
	kinds, both := map[string]int{}, 0
	for _, f := range a {
		kinds[f.kind]++
		if both += min(f.also, 1); f.at > f.last {
			t.Errorf("%v: a job dies when it is over", f)
		}
		if back, err := parseTrouble(f.String()); err != nil || back != f {
			t.Errorf("%v is read as %v, %v", f, back, err)
		}
	}
	if len(kinds) != len(troubles) || both == 0 {
		t.Errorf("an hour has %d of %d kinds, %d with a job's death: %v", len(kinds), len(troubles), both, kinds)
	}
	if _, err := parseTrouble("after 1s nothing"); err == nil {
		t.Error("not a trouble, and no error")
	}
}
