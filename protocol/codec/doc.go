// Package codec writes and reads the durable formats: length-bounded fields inside a sealed, versioned, checksummed envelope.
package codec
