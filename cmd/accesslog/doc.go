// Command accesslog counts requests and bytes per path and status of a web server's log, exactly once.
package main
