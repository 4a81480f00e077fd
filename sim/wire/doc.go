// Package wire is the virtual network: what becomes of a frame, a message, a request and its reply.
package wire
