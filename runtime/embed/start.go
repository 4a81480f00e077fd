package embed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// stopTimeout is how long a broker may take to write its files before it is killed.
const stopTimeout = 10 * time.Second

// Broker is a broker's process, begun by this one.
type Broker struct {
	Addr string // host:port for clients
	Cmd  *exec.Cmd

	control io.WriteCloser
	held    chan string
	acks    chan string
	gone    chan struct{} // closed when its events ended
	command sync.Mutex    // one command at a time
}

// Start runs exe with args, which must call Serve with its standard input as Control and its standard output as
// Events, and waits until it answers. What it writes to its standard error appears on ours. It is killed when ctx ends.
func Start(ctx context.Context, exe string, args ...string) (*Broker, error) {
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Stderr = os.Stderr
	control, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	events, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("embed: start the broker %s: %w", exe, err)
	}
	b := &Broker{Cmd: cmd, control: control, held: make(chan string, 1024), acks: make(chan string, 1), gone: make(chan struct{})}
	ready := make(chan string, 1)
	go b.listen(events, ready)
	select {
	case b.Addr = <-ready:
		return b, nil
	case <-b.gone:
		return nil, fmt.Errorf("embed: the broker %s %s ended before it was ready: %w", exe, strings.Join(args, " "), errors.Join(cmd.Wait(), errGone))
	case <-ctx.Done():
		<-b.gone
		return nil, fmt.Errorf("embed: wait for the broker: %w", errors.Join(ctx.Err(), cmd.Wait()))
	}
}

var errGone = errors.New("the broker's process is gone")

// listen takes the broker's lines apart until they end.
func (b *Broker) listen(events io.Reader, ready chan<- string) {
	defer close(b.gone)
	lines := bufio.NewScanner(events)
	for lines.Scan() {
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "ready":
			ready <- rest
		case "held":
			select {
			case b.held <- rest:
			default: // nobody listens
			}
		case "ok":
			b.acks <- rest
		}
	}
}

// Hold makes the broker hold back every EndTxn from now on.
func (b *Broker) Hold() error { return b.do("hold") }

// Release lets happen what is held, and holds no more.
func (b *Broker) Release() error { return b.do("release") }

// Drop makes that what is held never happens, and holds no more.
func (b *Broker) Drop() error { return b.do("drop") }

func (b *Broker) do(command string) error {
	b.command.Lock()
	defer b.command.Unlock()
	if _, err := fmt.Fprintln(b.control, command); err != nil {
		return fmt.Errorf("embed: tell the broker to %s: %w", command, err)
	}
	select {
	case <-b.acks:
		return nil
	case <-b.gone:
		return fmt.Errorf("embed: tell the broker to %s: %w", command, errGone)
	}
}

// Held waits for the next EndTxn that is held back, and names its transactional id.
func (b *Broker) Held(ctx context.Context) (string, error) {
	select {
	case id := <-b.held:
		return id, nil
	case <-b.gone:
		return "", errGone
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Stop ends the broker and waits for its process; what it has answered stays in its directory.
func (b *Broker) Stop() error {
	b.control.Close()
	kill := time.AfterFunc(stopTimeout, func() { b.Cmd.Process.Kill() })
	defer kill.Stop()
	<-b.gone
	if err := b.Cmd.Wait(); err != nil {
		return fmt.Errorf("embed: stop the broker: %w", err)
	}
	return nil
}
