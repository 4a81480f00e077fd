package scenarios

import (
	"crypto/sha256"
	"fmt"

	"weir/faults"
	"weir/protocol"
	"weir/protocol/checkpoint"
	"weir/protocol/job"
	"weir/protocol/state"
	"weir/protocol/state/memory"
)

// fiftyGroups is the number of key groups, per worker.
const fiftyGroups = 20

// fiftyKeys are the job's keys. Keys have ranks from 1, in the order of how often they occur; each octave of ranks has the
// same share of the events, which is Zipf's law with exponent 1. A key of the simulated job stands for Weight real ones of
// one worker and of neighbouring ranks, as a record stands for Weight events: so a stretch of time touches the same share
// of both.
type fiftyKeys struct {
	f    *Fifty
	text []string // by block and worker
}

func newFiftyKeys(f *Fifty) *fiftyKeys {
	k := &fiftyKeys{f: f}
	blocks := (1<<f.Octaves + f.block() - 1) / f.block()
	for b := range blocks {
		for w := range int64(f.Workers) {
			k.text = append(k.text, f.keyOf(b, w))
		}
	}
	return k
}

// block is how many real keys the simulated keys of one block, one per worker, stand for.
func (f *Fifty) block() int64 { return f.Weight * int64(f.Workers) }

func (f *Fifty) groups() int { return fiftyGroups * f.Workers }

// keyOf is a key that the shuffle brings to the worker.
func (f *Fifty) keyOf(block, worker int64) string {
	for salt := 0; ; salt++ {
		key := fmt.Sprintf("k%d.%d.%d", block, worker, salt)
		if state.OwnerOf(state.GroupOf(state.Hash([]byte(key)), f.groups()), f.groups(), f.Workers) == int(worker) {
			return key
		}
	}
}

// draw is the key of one record.
func (k *fiftyKeys) draw(s *faults.Stream) string {
	octave := int64(1) << s.Pick(k.f.Octaves)
	rank := octave + s.Between(0, octave-1)
	for s.Between(1, rank) > octave { // within an octave, 1/rank
		rank = octave + s.Between(0, octave-1)
	}
	worker := int64(scatter(uint64(rank)) % uint64(k.f.Workers)) // one hot key is at one worker
	return k.text[rank/k.f.block()*int64(k.f.Workers)+worker]
}

// scatter is the finaliser of splitmix64.
func scatter(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// object is one object of the bucket when a run begins.
type object struct {
	key  protocol.ObjectKey
	body []byte
}

// base is a bucket that holds a decided checkpoint in which every key has a count of zero: the state is whole from the
// start.
func (k *fiftyKeys) base(p *job.Plan) []object {
	m := &checkpoint.Manifest{Job: p.Graph.Name, Checkpoint: 1, Epoch: 1, Attempt: 1, KeyGroups: p.Config.KeyGroups}
	for i := range p.Graph.Stages {
		s := &p.Graph.Stages[i]
		m.Stages = append(m.Stages, checkpoint.StageShape{ID: s.ID, Parallelism: k.f.Workers, Sink: s.Kind == job.SinkStage})
	}
	var list []object
	for _, t := range p.Tasks {
		snap := protocol.Snapshot{Task: t.ID}
		if p.Graph.Stages[t.Stage].Keyed {
			o := object{protocol.ObjectKey(fmt.Sprintf("data/base/%d", t.Index)), k.run(t.Index)}
			snap.Runs = []protocol.Run{{Key: o.key, Size: int64(len(o.body)), Sum: sha256.Sum256(o.body)}}
			list = append(list, o)
		}
		m.Snapshots = append(m.Snapshots, snap)
	}
	body := m.Encode(nil)
	head := &checkpoint.Head{Job: m.Job, Seq: 1, Epoch: 1, Attempt: 1, Sealed: 1, Next: 2,
		Retained: []checkpoint.Retained{{Checkpoint: 1, Key: m.Key(), Sum: sha256.Sum256(body)}}}
	return append(list, object{m.Key(), body}, object{checkpoint.HeadKey, head.Encode(nil)})
}

// run is the state of one worker as one run.
func (k *fiftyKeys) run(worker int) []byte {
	table := memory.New(state.Owned(worker, k.f.groups(), k.f.Workers), k.f.groups())
	var zero [8]byte
	for i := worker; i < len(k.text); i += k.f.Workers {
		table.Put([]byte(k.text[i]), zero[:])
	}
	return table.Freeze().Encode(nil)
}
