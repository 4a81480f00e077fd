// Package broker is the virtual log: a Kafka cluster as its requests show it, and the device that machines reach it by.
//
// Topics, control records, transactions, fencing and idempotence follow what real brokers answered (4.1 and 4.3 for
// request version 5 of EndTxn, 3.9 for version 4). Replication, leaders and connections are not modelled: what they can
// do to a request, the network (package wire) does.
package broker
