//go:build never

package a
