// Package doctor asks brokers and bucket for what a job builds on, judges the answers, and shows and ends transactions.
//
// It changes nothing: what it writes in a bucket to try its conditions it removes again, and brokers are asked for
// rights in the name of a producer that is not there.
package doctor
