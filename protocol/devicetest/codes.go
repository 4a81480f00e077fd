package devicetest

import (
	"fmt"
	"strings"

	"weir/protocol"
)

// Codes is what it takes to speak to a cluster about one transactional id and one partition, by raw requests none of
// which is sent twice. Answers are the names of codes in short: OK, and CT, ITS, PF, IPE, IPM, TA for the
// codes with these initials in Kafka's documentation.
type Codes interface {
	// Init is InitProducerID of an id.
	Init(id string) (protocol.Producer, string)
	// Put writes one record in the transaction; a client of transaction.version 1 registers the partition first, and
	// asks again while that is CONCURRENT_TRANSACTIONS.
	Put(id string, p protocol.Producer, seq int32) (protocol.Offset, string)
	// Raw writes one record in the transaction and registers nothing.
	Raw(id string, p protocol.Producer, seq int32) (protocol.Offset, string)
	// End is EndTxn.
	End(id string, p protocol.Producer, version int16, commit bool) string
	// AbortByHand writes the abort marker that only a coordinator should.
	AbortByHand(p protocol.Producer) string
	// Describe is the coordinator's state of an id, by its name in Kafka's documentation.
	Describe(id string) (state string, p protocol.Producer)
	// Visible is how many records a read_committed reader sees.
	Visible() int
	// Markers waits until no markers of the id are being written.
	Markers(id string)
	// Hours waits until the transaction's timeout has passed and somebody has looked.
	Hours(id string)
	// Idle waits until the coordinator has forgotten ids that are as idle as this one, and have nothing open.
	Idle(id string)
	// Lull waits until the partition has forgotten a producer without an open transaction.
	Lull(p protocol.Producer)
}

// Script carries out rows of testdata/codes.txt: words, each of which is a request or a wait. In them the pair (pid, e)
// is that of the writer, who has asked for it first.
//
//	init        InitProducerID        init!     the same until it is not CONCURRENT_TRANSACTIONS
//	put+1       produce with epoch e+1 to the one partition
//	raw         the same without registering the partition first, as one does who believes that it is
//	same        the last put again, batch for batch: dup if it is known, OK if it is appended anew
//	commit5+1   EndTxn version 5 with epoch e+1; abort4, commit4 …
//	nobody5     commit of an id that was never used; other5: of the id, by another producer id
//	hand        the abort marker is written by hand, as kafka-transactions.sh does
//	edge        InitProducerID until e is 32766, the last that it gives
//	markers     wait until the markers are written
//	hours       wait until the transaction's timeout has passed, and somebody has looked
//	idle        wait until transactional.id.expiration.ms has passed, and somebody has looked
//	lull        wait until producer.id.expiration.ms has passed, and somebody has looked
//	state       the coordinator's state and epoch, as e+n; @n for epoch n of another producer id
//	visible     how many records a read_committed reader sees
type Script struct {
	Codes
	ID string

	pair protocol.Producer
	seqs map[int16]int32 // by epoch, the next record's
	last struct {
		producer protocol.Producer
		seq      int32
		offset   protocol.Offset
	}
}

// lastEpoch is the highest epoch that a writer can have.
const lastEpoch = 1<<15 - 2

// Run carries out a row and returns what the requests were answered.
func (s *Script) Run(do string) string {
	var code string
	s.seqs = map[int16]int32{}
	if s.pair, code = s.Init(s.ID); code != "OK" {
		return "the first init: " + code
	}
	var got []string
	for word := range strings.FieldsSeq(do) {
		if g := s.word(word); g != "" {
			got = append(got, g)
		}
	}
	return strings.Join(got, " ")
}

func (s *Script) word(word string) string {
	name, plus, _ := strings.Cut(word, "+")
	p := s.pair
	if plus != "" {
		p.Epoch += int16(plus[0] - '0')
	}
	switch name {
	case "init":
		_, code := s.Init(s.ID)
		return code
	case "init!":
		return s.initAtLast()
	case "put":
		return s.put(p, s.Put)
	case "raw":
		return s.put(p, s.Raw)
	case "same":
		return s.same()
	case "edge":
		return s.edge()
	case "hand":
		return s.AbortByHand(p)
	case "state":
		return s.state()
	case "visible":
		return fmt.Sprintf("visible=%d", s.Visible())
	}
	if s.waits(name) {
		return ""
	}
	return s.end(name, p)
}

func (s *Script) waits(name string) bool {
	switch name {
	case "markers":
		s.Markers(s.ID)
	case "hours":
		s.Hours(s.ID)
	case "idle":
		s.Idle(s.ID)
	case "lull":
		s.Lull(s.pair)
	default:
		return false
	}
	return true
}

func (s *Script) initAtLast() string {
	for {
		if _, code := s.Init(s.ID); code != "CT" {
			return code
		}
	}
}

func (s *Script) put(p protocol.Producer, send func(string, protocol.Producer, int32) (protocol.Offset, string)) string {
	seq := s.seqs[p.Epoch]
	offset, code := send(s.ID, p, seq)
	if code == "OK" {
		s.seqs[p.Epoch]++
		s.last.producer, s.last.seq, s.last.offset = p, seq, offset
	}
	return code
}

func (s *Script) same() string {
	offset, code := s.Put(s.ID, s.last.producer, s.last.seq)
	if code == "OK" && offset == s.last.offset {
		return "dup"
	}
	return code
}

// edge asks for thousands of epochs. A request that gets no answer on a busy machine is asked again.
func (s *Script) edge() string {
	failures := 0
	for s.pair.Epoch < lastEpoch {
		next, code := s.Init(s.ID)
		switch {
		case code == "OK" && next.ID == s.pair.ID:
			s.pair = next
		case code == "OK" || failures == tries:
			return fmt.Sprintf("init beyond %+v: %s %+v", s.pair, code, next)
		default:
			failures++
		}
	}
	return ""
}

func (s *Script) state() string {
	state, p := s.Describe(s.ID)
	if p.ID != s.pair.ID {
		return fmt.Sprintf("%s@%d", state, p.Epoch)
	}
	return fmt.Sprintf("%s+%d", state, p.Epoch-s.pair.Epoch)
}

func (s *Script) end(name string, p protocol.Producer) string {
	verb, version := name[:len(name)-1], int16(name[len(name)-1]-'0')
	id := s.ID
	switch verb {
	case "nobody":
		id += "-nobody"
	case "other":
		p.ID += 1 << 40
	case "commit", "abort":
	default:
		panic("no such word: " + name)
	}
	return s.End(id, p, version, verb != "abort")
}
