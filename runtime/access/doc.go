// Package access is how a process gets at its brokers and its bucket: addresses, TLS and credentials, from flags, the
// environment and files.
//
// Secrets come from the environment or from files, never from flags, which every user of the machine can read.
package access
