package scenarios

import (
	"strconv"

	"weir/scenarios/jobs"
)

// All is every scenario, in the order in which a sweep takes them.
func All() []*Scenario {
	all := []*Scenario{linear(), fanIn(), shuffle(), twoSinks(), bounded(), boundedAborted(), hashChain(), AccessLog(), recent(), chain()}
	for _, s := range all {
		s.Stops, s.Robbed = !s.Finishes, true
	}
	return all
}

// Named is the scenario of a name.
func Named(name string) (*Scenario, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return nil, false
}

// of makes a scenario of one of the jobs.
func of(j jobs.Job, about string) *Scenario {
	s := &Scenario{Name: j.Name, About: about, Factory: j.Factory, Partitions: j.Partitions, Parallelism: j.Parallelism}
	for i, t := range j.Inputs {
		s.Inputs = append(s.Inputs, Input{Topic: t, Keys: 40, Make: func(n, key int) []byte { return id(key, i, n) }})
	}
	for _, t := range j.Outputs {
		s.Outputs = append(s.Outputs, Output{Topic: t, Count: func(n int) int { return n * len(j.Inputs) }})
	}
	return s
}

// id is k<key>:<letter of the input><number>, of at least five digits.
func id(key, input, n int) []byte {
	b := strconv.AppendInt(append(make([]byte, 0, 12), 'k'), int64(key), 10)
	b = append(b, ':', 'a'+byte(input))
	for least := 10_000; n < least && least > 1; least /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

func linear() *Scenario {
	s := of(jobs.Linear(), "source → filter → sink: the shortest way through the protocol")
	s.Spec = each(func(id []byte) bool { return len(id) > 0 && id[len(id)-1] == '7' }, "linear-out")
	s.Outputs[0].Count = func(n int) int { return n - (n+2)/10 }
	return s
}

func fanIn() *Scenario {
	s := of(jobs.FanIn(), "two topics counted together: alignment over several inputs")
	s.Spec = counted("fanin-out")
	return s
}

func shuffle() *Scenario {
	s := of(jobs.Shuffle(), "a keyed count at parallelism 3: every task waits for every other's barrier")
	s.Spec = counted("shuffle-out")
	return s
}

func twoSinks() *Scenario {
	s := of(jobs.TwoSinks(), "each record to two topics, in two transactions of one checkpoint")
	s.Spec = each(nil, "twosinks-a", "twosinks-b")
	return s
}

func bounded() *Scenario {
	s := of(jobs.Bounded(), "bounded input, a final checkpoint, an end")
	s.Spec, s.Finishes = counted("bounded-out"), true
	return s
}

func boundedAborted() *Scenario {
	s := bounded()
	s.Name, s.About, s.AbortedTail = "bounded-aborted-tail", "bounded input whose last thing is an aborted transaction", true
	return s
}

func hashChain() *Scenario {
	s := of(jobs.HashChain(), "a hash chain per key over two input partitions: the order is a search")
	s.Spec = chained("hashchain-out")
	return s
}

func recent() *Scenario {
	s := of(jobs.Recent(), "a value, a list and a map per key, of two topics together, given up again and again")
	s.Spec = remembered("recent-out")
	return s
}

// chain is two jobs: an aborted record of the first one, read by the second, would be counted twice.
func chain() *Scenario {
	first, second := jobs.ChainFirst(), jobs.ChainSecond()
	s := of(first, "two jobs: what one commits is the input of the other")
	s.Name, s.Second = "chain", &Second{second.Factory, second.Parallelism}
	s.Outputs = append(s.Outputs, Output{Topic: "chain-out", Count: func(n int) int { return n }})
	s.Spec = counted("chain-out", "chain-mid")
	return s
}
