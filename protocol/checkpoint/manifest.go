package checkpoint

import (
	"fmt"

	"weir/protocol"
	"weir/protocol/codec"
)

const (
	manifestMagic   = "WMAN"
	manifestVersion = 1
)

// Manifest is a checkpoint: each task's snapshot, and the shape of the job that took them. It is immutable.
type Manifest struct {
	Job        string
	Checkpoint protocol.CheckpointID
	Epoch      protocol.Epoch
	Attempt    protocol.Attempt
	KeyGroups  int
	Stages     []StageShape
	Final      bool
	Snapshots  []protocol.Snapshot // by task, in order of TaskID
}

// StageShape is what a checkpoint must know of a stage to be restored into it.
type StageShape struct {
	ID          string
	Parallelism int
	Sink        bool
}

// Key is manifest/n-epoch-attempt.
func (m *Manifest) Key() protocol.ObjectKey {
	return protocol.ObjectKey(fmt.Sprintf("manifest/%d-%d-%d", m.Checkpoint, m.Epoch, m.Attempt))
}

// Committables lists every task's, in order of task.
func (m *Manifest) Committables() []protocol.Committable {
	var list []protocol.Committable
	for i := range m.Snapshots {
		list = append(list, m.Snapshots[i].Committables...)
	}
	return list
}

// Objects lists the keys of every run the manifest refers to.
func (m *Manifest) Objects() []protocol.ObjectKey {
	var list []protocol.ObjectKey
	for i := range m.Snapshots {
		for _, r := range m.Snapshots[i].Runs {
			list = append(list, r.Key)
		}
	}
	return list
}

// Encode implements protocol.Object.
func (m *Manifest) Encode(dst []byte) []byte {
	return codec.Seal(dst, manifestMagic, manifestVersion, func(b []byte) []byte {
		b = codec.AppendUint(codec.AppendString(b, m.Job), m.Checkpoint)
		b = codec.AppendUint(codec.AppendUint(b, m.Epoch), m.Attempt)
		b = codec.AppendBool(codec.AppendUint(b, m.KeyGroups), m.Final)
		b = codec.AppendUint(b, len(m.Stages))
		for _, s := range m.Stages {
			b = codec.AppendBool(codec.AppendUint(codec.AppendString(b, s.ID), s.Parallelism), s.Sink)
		}
		b = codec.AppendUint(b, len(m.Snapshots))
		for i := range m.Snapshots {
			b = appendSnapshot(b, &m.Snapshots[i])
		}
		return b
	})
}

func appendSnapshot(b []byte, s *protocol.Snapshot) []byte {
	b = codec.AppendUint(codec.AppendUint(b, s.Task), len(s.Positions))
	for _, p := range s.Positions {
		b = append(codec.AppendString(b, p.Topic), p.TopicID[:]...)
		b = codec.AppendInt(codec.AppendInt(codec.AppendInt(b, p.Partition), p.Next), p.End)
	}
	b = codec.AppendUint(b, len(s.Runs))
	for _, r := range s.Runs {
		b = append(codec.AppendInt(codec.AppendString(b, r.Key), r.Size), r.Sum[:]...)
	}
	b = codec.AppendUint(b, len(s.Committables))
	for i := range s.Committables {
		b = appendCommittable(b, &s.Committables[i])
	}
	return b
}

func appendCommittable(b []byte, c *protocol.Committable) []byte {
	b = codec.AppendInt(codec.AppendString(b, c.ID), c.Producer.ID)
	b = codec.AppendInt(codec.AppendInt(b, c.Producer.Epoch), c.Version)
	b = codec.AppendString(codec.AppendUint(b, c.Checkpoint), c.Scope.Job)
	b = codec.AppendUint(codec.AppendUint(codec.AppendUint(b, c.Scope.Epoch), c.Scope.Attempt), c.Scope.Incarnation)
	b = codec.AppendUint(codec.AppendString(b, c.Sink), c.Task)
	b = codec.AppendUint(b, len(c.Partitions))
	for _, p := range c.Partitions {
		b = codec.AppendInt(b, p)
	}
	b = codec.AppendUint(codec.AppendUint(b, c.Count), c.Digest)
	b = append(codec.AppendString(b, c.Ledger.Topic), c.Ledger.TopicID[:]...)
	b = codec.AppendInt(codec.AppendInt(b, c.Ledger.Partition), c.Ledger.Offset)
	return codec.AppendInt(codec.AppendInt(b, c.Age), c.Timeout)
}

// DecodeManifest reads what Encode wrote.
func DecodeManifest(data []byte) (*Manifest, error) {
	body, err := codec.Open(data, manifestMagic, manifestVersion, "manifest")
	if err != nil {
		return nil, err
	}
	r := codec.NewReader(body)
	m := &Manifest{Job: r.String(), Checkpoint: protocol.CheckpointID(r.Uint()), Epoch: protocol.Epoch(r.Uint()), Attempt: protocol.Attempt(r.Uint()),
		KeyGroups: int(r.Uint()), Final: r.Bool()}
	for range r.Count(3) {
		m.Stages = append(m.Stages, StageShape{ID: r.String(), Parallelism: int(r.Uint()), Sink: r.Bool()})
	}
	for range r.Count(4) {
		m.Snapshots = append(m.Snapshots, readSnapshot(r))
	}
	return m, wrap("manifest", r.Err())
}

func readSnapshot(r *codec.Reader) protocol.Snapshot {
	s := protocol.Snapshot{Task: protocol.TaskID(r.Uint())}
	for range r.Count(20) {
		p := protocol.Position{Topic: r.String()}
		copy(p.TopicID[:], r.Take(16))
		p.Partition, p.Next, p.End = protocol.Partition(r.Int()), protocol.Offset(r.Int()), protocol.Offset(r.Int())
		s.Positions = append(s.Positions, p)
	}
	for range r.Count(34) {
		e := protocol.Run{Key: protocol.ObjectKey(r.String()), Size: r.Int()}
		copy(e.Sum[:], r.Take(32))
		s.Runs = append(s.Runs, e)
	}
	for range r.Count(35) {
		s.Committables = append(s.Committables, readCommittable(r))
	}
	return s
}

func readCommittable(r *codec.Reader) protocol.Committable {
	c := protocol.Committable{ID: protocol.TransactionalID(r.String()), Producer: protocol.Producer{ID: r.Int(), Epoch: int16(r.Int())}, Version: int16(r.Int()),
		Checkpoint: protocol.CheckpointID(r.Uint())}
	c.Scope = protocol.Scope{Job: r.String(), Epoch: protocol.Epoch(r.Uint()), Attempt: protocol.Attempt(r.Uint()), Incarnation: protocol.Incarnation(r.Uint())}
	c.Sink, c.Task = r.String(), protocol.TaskID(r.Uint())
	for range r.Count(1) {
		c.Partitions = append(c.Partitions, protocol.Partition(r.Int()))
	}
	c.Count, c.Digest = r.Uint(), r.Uint()
	c.Ledger.Topic = r.String()
	copy(c.Ledger.TopicID[:], r.Take(16))
	c.Ledger.Partition, c.Ledger.Offset = protocol.Partition(r.Int()), protocol.Offset(r.Int())
	c.Age, c.Timeout = protocol.Duration(r.Int()), protocol.Duration(r.Int())
	return c
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
