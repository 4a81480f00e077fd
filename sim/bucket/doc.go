// Package bucket is the virtual object store: a bucket with conditional writes, and the device that machines reach it by.
package bucket
