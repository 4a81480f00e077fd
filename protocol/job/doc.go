// Package job turns a job's graph into tasks and channels; both worlds build their machines here.
package job
