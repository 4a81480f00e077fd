// Package plant builds the hunter with a planted bug in it and counts the seeds until the bug is caught.
package plant
