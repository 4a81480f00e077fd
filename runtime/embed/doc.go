// Package embed is a broker without an installation: kfake with a data directory, in a process of its own.
//
// Serve is the broker's process; Start begins it from another one and talks to it in lines. The broker writes to its
// events:
//
//	ready <host:port>      it answers
//	held <id>              an EndTxn of this transactional id has arrived and is held back
//	ok <command>           the command is in force
//
// and reads from its control:
//
//	hold                   hold back every EndTxn from now on
//	release                let what is held happen, and hold no more
//	drop                   close the connections of what is held, so that it never happens, and hold no more
//
// What it keeps: everything it has answered, through a stop; through a kill of its process everything but transactions
// that were open, which it aborts. Kafka keeps those too. A commit that is repeated after a kill is answered with
// INVALID_TXN_STATE whichever way the transaction went: the ledger tells. It has no replicas, and one machine's loss of power loses its
// last writes: it is for trying weir out, for demonstrations and for tests.
//
// The end of its control ends the broker, so that it does not outlive who began it.
package embed
