// Package runtime holds the real devices and drivers; it has no code of its own.
package runtime
