// Package task is the life of one parallel instance: a source, an operator or a sink, and the worker that starts them.
package task
