package embed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options says what the broker keeps where.
type Options struct {
	Dir    string           // data; created if missing; empty: in memory
	Listen string           // host:port, both optional; empty host: 127.0.0.1, port 0: any. Clients are told this host
	Topics map[string]int32 // partitions; those that are missing are created
	// Control gives commands, line by line; its end ends the broker. Nil: none.
	Control io.Reader
	// Events gets what happens, line by line. Nil: nobody hears it.
	Events io.Writer
}

// Serve runs a broker in this process until ctx is done or Control ends. What it has answered is in Dir's files, also
// when the process is killed, but not when the machine loses power.
func Serve(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Events == nil {
		o.Events = io.Discard
	}
	c, err := open(o)
	if err != nil {
		return err
	}
	defer c.Close()
	g := &gate{c: c, events: o.Events}
	c.ControlKey(int16(kmsg.EndTxn), g.endTxn)
	defer g.set(false, true) // what is held when the broker goes has not happened
	g.say("ready " + c.ListenAddrs()[0])
	if o.Control != nil {
		go func() {
			defer cancel()
			g.obey(o.Control)
		}()
	}
	<-ctx.Done()
	return nil
}

// open starts the cluster of one and creates the topics that are missing.
func open(o Options) (*kfake.Cluster, error) {
	addr, err := address(o.Listen)
	if err != nil {
		return nil, err
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, addr) })}
	if o.Dir != "" {
		opts = append(opts, kfake.DataDir(o.Dir))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("embed: broker on %s with data in %q: %w; is another one running there?", addr, o.Dir, err)
	}
	names := make([]string, 0, len(o.Topics))
	for name := range o.Topics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if c.TopicInfo(name) != nil {
			continue
		}
		if err := c.CreateTopic(name, o.Topics[name], nil); err != nil {
			c.Close()
			return nil, fmt.Errorf("embed: create topic %q with %d partitions: %w", name, o.Topics[name], err)
		}
	}
	return c, nil
}

// address fills in what Listen leaves open. The broker tells its clients the address that it listens on.
func address(listen string) (string, error) {
	if listen == "" {
		listen = ":0"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("embed: listen address %q: %w; give host:port", listen, err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf("embed: listen address %q: clients are told this address, so it must name one interface", listen)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// gate holds back EndTxn requests.
type gate struct {
	c *kfake.Cluster

	mu      sync.Mutex
	events  io.Writer
	closed  chan struct{} // not nil: closed; what is held waits for it
	verdict *verdict      // of what is held now
}

// verdict says what becomes of the requests held behind one hold.
type verdict struct{ drop bool }

var errDropped = errors.New("embed: this EndTxn is dropped")

// endTxn runs for every EndTxn, before the broker acts on it.
func (g *gate) endTxn(r kmsg.Request) (kmsg.Response, error, bool) {
	g.c.KeepControl()
	g.mu.Lock()
	closed, v := g.closed, g.verdict
	g.mu.Unlock()
	if closed == nil {
		return nil, nil, false
	}
	g.say("held " + r.(*kmsg.EndTxnRequest).TransactionalID)
	g.c.SleepControl(func() { <-closed })
	if v.drop {
		return nil, errDropped, true
	}
	return nil, nil, false
}

// set closes the gate, or opens it and says what becomes of what waits.
func (g *gate) set(hold, drop bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if hold == (g.closed != nil) {
		return
	}
	if hold {
		g.closed, g.verdict = make(chan struct{}), &verdict{}
		return
	}
	g.verdict.drop = drop
	close(g.closed)
	g.closed, g.verdict = nil, nil
}

// obey reads commands until their end.
func (g *gate) obey(control io.Reader) {
	lines := bufio.NewScanner(control)
	for lines.Scan() {
		switch cmd := strings.TrimSpace(lines.Text()); cmd {
		case "hold", "release", "drop":
			g.set(cmd == "hold", cmd == "drop")
			g.say("ok " + cmd)
		}
	}
}

func (g *gate) say(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintln(g.events, line)
}
