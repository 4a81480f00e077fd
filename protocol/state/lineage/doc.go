// Package lineage decides which runs of a task's lineage to merge, so that restores stay short and uploads few.
package lineage
