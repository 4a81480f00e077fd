// Command shuffle counts keys, as the scenario shuffle does, in a process: soak tests run it beside accesslog.
package main
