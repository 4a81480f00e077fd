// Command hunter runs seeds until one fails; `weir mutants` builds it with a bug planted.
package main
