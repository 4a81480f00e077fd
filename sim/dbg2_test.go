package sim
import ("testing";"fmt";"weir/protocol";"weir/protocol/batch";"weir/checker")
func bent(seed uint64, bendTask func(protocol.TaskStart, protocol.Machine) protocol.Machine, bendCo func(protocol.Machine) protocol.Machine, bend func(*Services, Env)) string {
	cfg := swarmConfig(seed)
	services, newJob := cfg.Services, cfg.NewJob
	cfg.Services = func(e Env) Services { s := services(e); if bend != nil { bend(&s, e) }; return s }
	cfg.NewJob = func() Job {
		j := newJob()
		newTask, newCo := j.NewTask, j.NewCoordinator
		if bendTask != nil { j.NewTask = func(start protocol.TaskStart, pool batch.Pool) protocol.Machine { return bendTask(start, newTask(start, pool)) } }
		if bendCo != nil { j.NewCoordinator = func(w []protocol.NodeID) protocol.Machine { return bendCo(newCo(w)) } }
		return j
	}
	r := Run(cfg)
	if r.Failure != nil { s := r.Failure.Error(); if len(s) > 200 { s = s[:200] }; return s }
	h := r.History.Checker(cfg.Expect != protocol.Stopped)
	if v := checker.Check(&h, countSpec()); v.Result != checker.Pass { s := fmt.Sprint(v); if len(s) > 150 { s = s[:150] }; return "checker: "+s }
	return ""
}
func hunt(name string, f func(seed uint64) string) {
	for seed := range uint64(3000) { if s := f(seed); s != "" { fmt.Println(name, "caught at", seed, s); return } }
	fmt.Println(name, "SURVIVED")
}
func rewrite(m protocol.Machine, f func(protocol.Effect) (protocol.Effect, bool)) protocol.Machine {
	return crooked{Machine: m, step: func(next protocol.Machine, now protocol.Time, ev protocol.Event, out *protocol.Effects) {
		var own protocol.Effects
		next.Step(now, ev, &own)
		for _, ef := range own.All() { if g, ok := f(ef); ok { out.Append(g) } }
	}}
}
func TestHunt(t *testing.T) {
	hunt("no-fence", func(s uint64) string { return bent(s, nil, nil, func(sv *Services, e Env) {
		sv.Log = device{sv.Log, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
			if f, ok := ef.(protocol.Fence); ok { e.Net.After(1000, func() { done(protocol.Fenced{Op: f.Op, ID: f.ID, Outcome: protocol.OK}) }); return }
			next.Perform(from, ef, done) }} }) })
	hunt("position+1", func(s uint64) string { return bent(s, func(_ protocol.TaskStart, m protocol.Machine) protocol.Machine { return rewrite(m, func(ef protocol.Effect) (protocol.Effect, bool) {
		if t, ok := ef.(protocol.Tell); ok { if a, ok := t.Message.(protocol.Ack); ok && len(a.Snapshot.Positions) > 0 { p := append([]protocol.Position(nil), a.Snapshot.Positions...); p[0].Next++; a.Snapshot.Positions = p; t.Message = a; return t, true } }
		return ef, true }) }, nil, nil) })
	hunt("restore-positions-dropped", func(s uint64) string { return bent(s, func(st protocol.TaskStart, m protocol.Machine) protocol.Machine { return m }, func(m protocol.Machine) protocol.Machine { return rewrite(m, func(ef protocol.Effect) (protocol.Effect, bool) {
		if t, ok := ef.(protocol.Tell); ok { if a, ok := t.Message.(protocol.Start); ok { ts := append([]protocol.TaskStart(nil), a.Tasks...); for i := range ts { ts[i].Snapshot.Positions = nil }; a.Tasks = ts; t.Message = a; return t, true } }
		return ef, true }) }, nil) })
	hunt("committables-dropped", func(s uint64) string { return bent(s, func(_ protocol.TaskStart, m protocol.Machine) protocol.Machine { return rewrite(m, func(ef protocol.Effect) (protocol.Effect, bool) {
		if t, ok := ef.(protocol.Tell); ok { if a, ok := t.Message.(protocol.Ack); ok && len(a.Snapshot.Committables) > 1 { a.Snapshot.Committables = a.Snapshot.Committables[1:]; t.Message = a; return t, true } }
		return ef, true }) }, nil, nil) })
	hunt("endtxn-dropped-by-sink", func(s uint64) string { return bent(s, nil, nil, func(sv *Services, e Env) {
		n := 0
		sv.Log = device{sv.Log, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
			if f, ok := ef.(protocol.EndTxn); ok { if n++; n%3 == 0 { e.Net.After(1000, func() { done(protocol.Ended{Op: f.Op, ID: f.ID, Outcome: protocol.OK}) }); return } }
			next.Perform(from, ef, done) }} }) })
	hunt("flush-ok-early", func(s uint64) string { return bent(s, nil, nil, func(sv *Services, e Env) {
		sv.Log = device{sv.Log, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
			if f, ok := ef.(protocol.Flush); ok { next.Perform(from, ef, func(protocol.Event) {}); e.Net.After(1000, func() { done(protocol.Flushed{Op: f.Op, ID: f.ID, Outcome: protocol.OK}) }); return }
			next.Perform(from, ef, done) }} }) })
	hunt("commit-at-prepare", func(s uint64) string { return bent(s, nil, nil, func(sv *Services, e Env) {
		prod := map[protocol.TransactionalID]protocol.Opened{}
		sv.Log = device{sv.Log, func(next protocol.Device, from protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
			switch f := ef.(type) {
			case protocol.OpenSlot: next.Perform(from, ef, func(ev protocol.Event) { prod[f.ID] = ev.(protocol.Opened); done(ev) }); return
			case protocol.Flush: next.Perform(from, ef, func(ev protocol.Event) { o := prod[f.ID]; next.Perform(from, protocol.EndTxn{Op: 9999, ID: f.ID, Producer: o.Producer, Version: o.Version, Commit: true}, func(protocol.Event) {}); done(ev) }); return
			}
			next.Perform(from, ef, done) }} }) })
	hunt("runs-dropped", func(s uint64) string { return bent(s, nil, func(m protocol.Machine) protocol.Machine { return rewrite(m, func(ef protocol.Effect) (protocol.Effect, bool) {
		if t, ok := ef.(protocol.Tell); ok { if a, ok := t.Message.(protocol.Start); ok { ts := append([]protocol.TaskStart(nil), a.Tasks...); for i := range ts { if n := len(ts[i].Snapshot.Runs); n > 0 { ts[i].Snapshot.Runs = ts[i].Snapshot.Runs[:n-1] } }; a.Tasks = ts; t.Message = a; return t, true } }
		return ef, true }) }, nil) })
}
