package scenarios

import (
	"fmt"
	"strings"

	"weir/faults"
	"weir/protocol"
	"weir/sim"
)

// plainly is an event, or an effect that is no note, for people who do not know the protocol's words.
func plainly(s sim.Seen) string {
	switch v := s.What.(type) {
	case protocol.Started:
		return "it starts"
	case protocol.Woken:
		return "its timer fires"
	case protocol.Resumed:
		return "it goes on with what was left to do"
	case protocol.Received, protocol.Told:
		return "it gets " + s.Name
	case protocol.Granted:
		return "it may send again"
	case protocol.Lost:
		return "it loses a connection: " + s.Name
	case protocol.Fetched:
		n := 0
		if v.Batch != nil {
			n = v.Batch.Len()
		}
		return fmt.Sprintf("it reads %d records (%v)", n, v.Outcome)
	case protocol.Event:
		return "it is answered: " + s.Name
	}
	return "it asks: " + s.Name
}

func noteText(n protocol.Note) string {
	if n.Kind == protocol.NoteRestored && n.Checkpoint == 0 {
		return "starts afresh: there is no checkpoint"
	}
	text := noteWords(n.Kind)
	if n.Checkpoint > 0 {
		text = strings.Replace(text, "checkpoint", fmt.Sprintf("checkpoint %d", n.Checkpoint), 1)
		if !strings.Contains(text, "checkpoint") {
			text += fmt.Sprintf(" (checkpoint %d)", n.Checkpoint)
		}
	}
	if n.Detail != "" {
		text += ": " + n.Detail
	}
	return text
}

// noteWords is what a note says to people who do not know the protocol's words.
func noteWords(k protocol.NoteKind) string {
	switch k {
	case protocol.NoteDecided:
		return "checkpoint decided: from here on its transactions must commit"
	case protocol.NoteSealed:
		return "checkpoint sealed: its transactions are known to be committed"
	case protocol.NoteAligned:
		return "barrier of checkpoint has come on all inputs"
	case protocol.NoteRestored:
		return "restored from checkpoint"
	case protocol.NoteClaimed:
		return "a new attempt begins"
	case protocol.NoteTookOver:
		return "becomes the coordinator"
	case protocol.NoteDeposed:
		return "is the coordinator no longer: another one has taken over"
	case protocol.NoteHeadUnknown:
		return "no answer to the write of HEAD, which may have happened"
	case protocol.NoteRecommitted:
		return "recovery commits what was decided"
	case protocol.NoteFenced:
		return "recovery fences an id, under which nothing commits any more"
	case protocol.NoteLost:
		return "DECIDED OUTPUT IS LOST: its transaction was aborted"
	case protocol.NoteCommitUnknown:
		return "no answer to the commit, which may have happened"
	case protocol.NotePrepared:
		return "transaction flushed; it commits if checkpoint is decided"
	case protocol.NoteReadBack:
		return "the ledger record is read back: the commit is certain"
	case protocol.NoteWorkerLost:
		return "a worker is not heard of any more"
	case protocol.NoteWorkerReborn:
		return "a worker has come up again"
	case protocol.NoteRestart:
		return "the job restarts"
	}
	return string(k)
}

// faultWords is what a kind of fault does; empty: its name says it.
func faultWords(k faults.Kind) string {
	switch k {
	case faults.CrashWorker, faults.CrashCoordinator:
		return "the process is gone, with all that it held in memory, and comes up again"
	case faults.CrashInEffects:
		return "the process is gone in the middle of a step: what the step asked for before is done, the rest is not"
	case faults.Pause:
		return "the process stands still, is taken for dead, and then goes on as if nothing had been"
	case faults.Partition:
		return "nothing gets through on these ways meanwhile"
	case faults.ChannelReset:
		return "the connection of two tasks breaks, and what was on its way is gone"
	case faults.ServiceOutage:
		return "the service answers nobody meanwhile"
	case faults.MessageReordered:
		return "messages that were sent later come first"
	case faults.RequestLost:
		return "the service never gets the request, and who asked waits for an answer"
	case faults.ReplyLost:
		return "the service does what it is asked, and the answer is lost"
	case faults.RequestLate:
		return "the request comes to the service late, even if who asked has given up"
	case faults.RequestDoubled:
		return "the service does it twice, the second time later"
	case faults.MarkerLate:
		return "the end of a transaction is accepted, and becomes visible to readers late"
	case faults.ClockJump:
		return "the clock of the process leaps ahead: its time-outs come early"
	}
	return ""
}
