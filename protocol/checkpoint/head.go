package checkpoint

import (
	"weir/protocol"
	"weir/protocol/codec"
)

// HeadKey is the key of the only mutable object of a job's bucket.
const HeadKey protocol.ObjectKey = "HEAD"

const (
	headMagic   = "WHED"
	headVersion = 1
)

// Head is the content of HEAD: who holds the office, which attempt runs, which checkpoint is decided.
type Head struct {
	Job     string
	Seq     uint64 // of the write: one more than its predecessor's
	Epoch   protocol.Epoch
	Attempt protocol.Attempt
	// Invariant: Retained is in order of checkpoint; its last is the newest decided one; empty before the first.
	Retained []Retained
	// Sealed is the newest checkpoint known to be sealed: committables up to it are neither committed nor judged again.
	Sealed protocol.CheckpointID
	// Invariant: no checkpoint at or above Next has ever been triggered.
	Next protocol.CheckpointID
	// Pools are the slots of every attempt that is not known to be fenced, the current one's included.
	Pools    []Pool
	Finished bool
	Nonce    Nonce
}

// Retained names a decided manifest that is kept.
type Retained struct {
	Checkpoint protocol.CheckpointID
	Key        protocol.ObjectKey
	Sum        protocol.Sum
	Savepoint  bool
}

// Pool says which transactional ids a sink of one attempt may have opened.
type Pool struct {
	Epoch       protocol.Epoch
	Attempt     protocol.Attempt
	Sink        string
	Parallelism int
	Size        int
}

// Nonce tells one intended write of HEAD from every other.
type Nonce struct {
	Incarnation protocol.Incarnation
	N           uint64
}

// Newest is the newest decided manifest; false before the first.
func (h *Head) Newest() (Retained, bool) {
	if len(h.Retained) == 0 {
		return Retained{}, false
	}
	return h.Retained[len(h.Retained)-1], true
}

// Encode implements protocol.Object.
func (h *Head) Encode(dst []byte) []byte {
	return codec.Seal(dst, headMagic, headVersion, func(b []byte) []byte {
		b = codec.AppendUint(codec.AppendString(b, h.Job), h.Seq)
		b = codec.AppendUint(codec.AppendUint(b, h.Epoch), h.Attempt)
		b = codec.AppendUint(codec.AppendUint(b, h.Sealed), h.Next)
		b = codec.AppendUint(codec.AppendUint(codec.AppendBool(b, h.Finished), h.Nonce.Incarnation), h.Nonce.N)
		b = codec.AppendUint(b, len(h.Retained))
		for _, r := range h.Retained {
			b = codec.AppendString(codec.AppendUint(b, r.Checkpoint), r.Key)
			b = codec.AppendBool(append(b, r.Sum[:]...), r.Savepoint)
		}
		b = codec.AppendUint(b, len(h.Pools))
		for _, p := range h.Pools {
			b = codec.AppendString(codec.AppendUint(codec.AppendUint(b, p.Epoch), p.Attempt), p.Sink)
			b = codec.AppendUint(codec.AppendUint(b, p.Parallelism), p.Size)
		}
		return b
	})
}

// DecodeHead reads what Encode wrote.
func DecodeHead(data []byte) (*Head, error) {
	body, err := codec.Open(data, headMagic, headVersion, "HEAD")
	if err != nil {
		return nil, err
	}
	r := codec.NewReader(body)
	h := &Head{Job: r.String(), Seq: r.Uint(), Epoch: protocol.Epoch(r.Uint()), Attempt: protocol.Attempt(r.Uint()),
		Sealed: protocol.CheckpointID(r.Uint()), Next: protocol.CheckpointID(r.Uint()), Finished: r.Bool(),
		Nonce: Nonce{protocol.Incarnation(r.Uint()), r.Uint()}}
	for range r.Count(35) {
		e := Retained{Checkpoint: protocol.CheckpointID(r.Uint()), Key: protocol.ObjectKey(r.String())}
		copy(e.Sum[:], r.Take(32))
		e.Savepoint = r.Bool()
		h.Retained = append(h.Retained, e)
	}
	for range r.Count(5) {
		h.Pools = append(h.Pools, Pool{Epoch: protocol.Epoch(r.Uint()), Attempt: protocol.Attempt(r.Uint()), Sink: r.String(),
			Parallelism: int(r.Uint()), Size: int(r.Uint())})
	}
	return h, wrap("HEAD", r.Err())
}
