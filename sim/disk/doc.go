// Package disk is the virtual disks of a job's machines: copies of objects by shelf, which may be lost, torn, rotten or late, and
// the device that tasks reach them by.
package disk
