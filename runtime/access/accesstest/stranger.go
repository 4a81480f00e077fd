package accesstest

import (
	"io"
	"net"
	"testing"
)

// Silent is the address of what accepts connections and says nothing.
func Silent(t testing.TB) string { return listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }) }

// Echo is the address of what says what it was told.
func Echo(t testing.TB) string { return listen(t, func(c net.Conn) { io.Copy(c, c) }) }

// Web is the address of what answers anything as a web server does that has not understood it.
func Web(t testing.TB) string {
	return listen(t, func(c net.Conn) {
		c.Read(make([]byte, 512))
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
	})
}

// Closing is the address of what closes every connection.
func Closing(t testing.TB) string { return listen(t, func(net.Conn) {}) }

func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}
