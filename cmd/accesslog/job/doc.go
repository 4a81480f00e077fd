// Package job is a production job: from a web server's access log, running totals for each path and status.
//
// # Input
//
// Topic [Input]: the value of each record is one line in Apache's combined log format, without an end of line; keys are
// not read. A line is well-formed if it matches
//
//	^(\S+) (\S+) (\S+) \[([^\]]*)\] "([^ "\\]+) ([^ "\\]+) ([^ "\\]+)" ([0-9]{3}) ([0-9]{1,18}|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$
//
// byte by byte, with . for any byte and \S for any byte but a space: host, identity, user, time, method, target and
// protocol of the request, status, bytes sent (- for none: 0), referer, user agent. The path is the target up to its
// first question mark.
//
// # Output
//
// Topic [Output]: for each input record one record, in which
//
//   - the key is path, space, status, such as "/favicon.ico 200"; or "malformed" for a line that is not well-formed
//   - the value is {"count":n,"bytes":m}: how many lines of this key there were so far, this one included, and the sum
//     of their bytes sent. For malformed lines m is 0.
//
// So the last record of each key holds its totals, and count is the number of its records. Which line was the n-th of
// its key is fixed within an input partition, and not between them.
package job
