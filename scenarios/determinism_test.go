package scenarios

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"weir/faults"
	"weir/sim"
)

// The same seed twice in this process, compared after every step.
func TestDeterminismStepByStep(t *testing.T) {
	for _, s := range All() {
		for seed := range uint64(6) {
			if r := s.Audit(seed, Options{Limit: faults.Full()}); r.Failure != nil {
				t.Errorf("%s seed %#x: %v", s.Name, seed, r.Failure)
			}
		}
	}
}

// An audit that cannot fail is none.
func TestDeterminismCanary(t *testing.T) {
	for seed := range uint64(10) {
		r := Canary().Audit(seed, Options{})
		if r.Failure != nil {
			if r.Failure.Class != "nondeterminism" || len(r.Ring) == 0 {
				t.Errorf("found %v", r.Failure)
			}
			return
		}
	}
	t.Error("10 seeds of a job that emits in the order of a map passed")
}

// digestsOf asks the test binary to print digests, of the canary if it says so, in place of testing.
const digestsOf = "WEIR_TEST_DIGESTS"

// runs lists a digest per scenario and seed.
func runs() string {
	list := All()
	if os.Getenv(digestsOf) == "canary" {
		list = []*Scenario{Canary()}
	}
	var b strings.Builder
	for _, s := range list {
		for seed := range uint64(10) {
			fmt.Fprintf(&b, "%s %#x %016x\n", s.Name, seed, sim.Run(s.config(seed, Options{Limit: faults.Full()})).Digest)
		}
	}
	return b.String()
}

// elsewhere is what another process's runs are, with so many threads and another garbage collector's rhythm.
func elsewhere(t *testing.T, what string, procs int) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDeterminismInOtherProcesses$")
	cmd.Env = append(os.Environ(), digestsOf+"="+what, fmt.Sprintf("GOMAXPROCS=%d", procs), fmt.Sprintf("GOGC=%d", 50*procs))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, out2, _ := strings.Cut(string(out), "digests:\n")
	list, _, _ := strings.Cut(out2, "end\n")
	return list
}

func TestDeterminismInOtherProcesses(t *testing.T) {
	if os.Getenv(digestsOf) != "" {
		fmt.Printf("digests:\n%send\n", runs())
		return
	}
	here := runs()
	for _, procs := range []int{1, 2, 8} {
		if there := elsewhere(t, "all", procs); there != here {
			t.Errorf("GOMAXPROCS=%d:\n%s", procs, firstDifference(here, there))
		}
	}
	if elsewhere(t, "canary", 2) == elsewhere(t, "canary", 2) {
		t.Error("two processes agree on a job that is not deterministic")
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return fmt.Sprintf("%q here, %q there", x[i], y[min(i, len(y)-1)])
		}
	}
	return "more lines there"
}
