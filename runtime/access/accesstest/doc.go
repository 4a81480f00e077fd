// Package accesstest is a door for tests: authorities and certificates, a small S3 server with the flaws that real ones
// have, and servers that stand where a broker should.
package accesstest
