// Package reports turns what a hunt found into text for a person and JSON for a program.
package reports
