package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// child is the job as a process: this program once more.
type child struct {
	exe, dir, addr string
	cmd            *exec.Cmd
	file           *os.File
	lives          int
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
	c.file = f
	c.lives++
	c.cmd = exec.Command(c.exe, c.args(c.lives)...)
	c.cmd.Env = append(os.Environ(), childEnv+"=1")
	c.cmd.Stdout, c.cmd.Stderr = f, f
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("start the job: %w", err)
	}
	return nil
}

// kill ends the job as kill -9 does.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the job: %w; its log is %s", err, c.log())
	}
	c.cmd.Wait() // its state is "killed"
	return c.file.Close()
}

// stop asks for a last checkpoint and an end.
func (c *child) stop() error {
	defer c.file.Close()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the job: %w; its log is %s", err, c.log())
	}
	kill := time.AfterFunc(stopTimeout, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the job did not stop well: %w; its log is %s", err, c.log())
	}
	return nil
}
