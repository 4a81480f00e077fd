package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// child is the job as a process: this program once more.
type child struct {
	exe, dir, addr string
	gone           func(error) // told when a life ends that nobody has ended
	life           *life       // the newest; nil: none
	lives          int
}

// life is one process of the job.
type life struct {
	cmd   *exec.Cmd
	asked atomic.Bool   // to end
	ended chan struct{} // closed when it has
	err   error         // of its end
}

// stopTimeout is for a graceful end.
const stopTimeout = 20 * time.Second

func (c *child) log() string { return filepath.Join(c.dir, "job.log") }

// args are the flags of a life of the job.
func (c *child) args(life int) []string {
	return []string{"-brokers", c.addr, "-bucket", filepath.Join(c.dir, "checkpoints"), "-record", c.recording(life), "-interval", demoInterval, "-timeout", "10s",
		"-heartbeat", "100ms", "-node-timeout", "5s", "-restart-delay", "100ms", "-io-timeout", "5s", "-parallelism", "2", "-log", "warn"}
}

func (c *child) recording(life int) string {
	return filepath.Join(c.dir, fmt.Sprintf("recording-%d.txt", life))
}

func (c *child) start() error {
	f, err := os.OpenFile(c.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close() // the process has it
	c.lives++
	l := &life{cmd: exec.Command(c.exe, c.args(c.lives)...), ended: make(chan struct{})}
	l.cmd.Env = append(os.Environ(), childEnv+"=1")
	l.cmd.Stdout, l.cmd.Stderr = f, f
	if err := l.cmd.Start(); err != nil {
		return fmt.Errorf("start the job: %w", err)
	}
	c.life = l
	go c.await(l)
	return nil
}

// await waits for the end of a life.
func (c *child) await(l *life) {
	l.err = l.cmd.Wait()
	close(l.ended)
	if !l.asked.Load() {
		c.gone(fmt.Errorf("the job has ended by itself (%v): %s", l.err, c.lastWords()))
	}
}

// lastWords is the last line of the log.
func (c *child) lastWords() string {
	text, err := os.ReadFile(c.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// kill ends the job as kill -9 does.
func (c *child) kill() error {
	c.life.asked.Store(true)
	if err := c.life.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the job: %w; its log is %s", err, c.log())
	}
	<-c.life.ended
	return nil
}

// end leaves no process behind.
func (c *child) end() {
	if c.life != nil {
		c.kill() // it may have ended
	}
}

// stop asks for a last checkpoint and an end.
func (c *child) stop() error {
	c.life.asked.Store(true)
	if err := c.life.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the job: %w; its log is %s", err, c.log())
	}
	kill := time.AfterFunc(stopTimeout, func() { c.life.cmd.Process.Kill() })
	defer kill.Stop()
	if <-c.life.ended; c.life.err != nil {
		return fmt.Errorf("the job did not stop well: %w; its log is %s", c.life.err, c.log())
	}
	return nil
}
