package localfs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/protocol"
)

// The tests of this file run the test binary anew, as processes of their own: WEIR_LOCALFS_ROLE says what such a process does.
func TestMain(m *testing.M) {
	dir := os.Getenv("WEIR_LOCALFS_DIR")
	switch os.Getenv("WEIR_LOCALFS_ROLE") {
	case "":
		os.Exit(m.Run())
	case "race":
		race(dir)
	case "hold":
		hold(dir)
	case "lock":
		must(must(Open(dir)).lock("HEAD"))
		fmt.Println("locked")
		select {}
	}
}

func child(t testing.TB, role, dir string, env ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(append(os.Environ(), "WEIR_LOCALFS_ROLE="+role, "WEIR_LOCALFS_DIR="+dir), env...)
	c.Stderr = os.Stderr
	return c
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(3)
	}
	return v
}

func await[E protocol.Event](d *Device, ef protocol.Effect) E {
	ch := make(chan protocol.Event, 1)
	d.Perform(protocol.Address{}, ef, func(ev protocol.Event) { ch <- ev })
	return (<-ch).(E)
}

// counter is the object the racers fight for; Wins has each racer's share of N. Pad makes a torn object likely to show.
type counter struct {
	N    int
	Wins map[string]int
	Pad  string
}

func (c counter) Encode(dst []byte) []byte {
	b, _ := json.Marshal(c)
	return append(dst, b...)
}

const goal = 200

// race adds one to the counter until it is at the goal. It says "win n" after each success.
func race(dir string) {
	me := os.Getenv("WEIR_LOCALFS_ME")
	d := must(Open(dir))
	defer d.Close()
	for {
		ld := await[protocol.Loaded](d, protocol.Load{Key: "job/HEAD"})
		c := counter{Wins: map[string]int{}}
		switch ld.Outcome {
		case protocol.OK:
			must(0, json.Unmarshal(ld.Body, &c))
		case protocol.NotFound:
		default:
			must(0, fmt.Errorf("load: %s", ld.Outcome))
		}
		if c.N >= goal {
			fmt.Println("done")
			return
		}
		c.N++
		c.Wins[me]++
		c.Pad = strings.Repeat(me, rand.IntN(20_000))
		switch st := await[protocol.Stored](d, protocol.Store{Key: "job/HEAD", Object: c, IfMatch: ld.Version}); st.Outcome {
		case protocol.OK:
			fmt.Println("win", c.N, string(st.Version))
		case protocol.Conflict:
		default:
			must(0, fmt.Errorf("store: %s", st.Outcome))
		}
	}
}

// hold opens the folder, begins an object that it never finishes, and waits to be killed.
func hold(dir string) {
	d := must(Open(dir))
	must(0, d.root.WriteFile(d.temp.path+"/unfinished", []byte("half of "), fileMode))
	fmt.Println(d.temp.path)
	select {}
}

type racer struct {
	cmd    *exec.Cmd
	out    bytes.Buffer
	killed bool
}

// TestRaceOfProcesses lets 16 processes increment one counter and kills four of them at random moments: exactly one
// winner per number, and no number lost.
func TestRaceOfProcesses(t *testing.T) {
	dir := t.TempDir()
	watch := open(t, dir)
	racers := make([]*racer, 16)
	for i := range racers {
		racers[i] = &racer{cmd: child(t, "race", dir, fmt.Sprintf("WEIR_LOCALFS_ME=r%d", i))}
		racers[i].cmd.Stdout = &racers[i].out
		if err := racers[i].cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range racers[:4] {
		awaitCounter(t, watch, 10+rand.IntN(goal-50))
		r.killed = r.cmd.Process.Kill() == nil
	}
	for i, r := range racers {
		if err := r.cmd.Wait(); err != nil && !r.killed {
			t.Errorf("racer %d: %v", i, err)
		}
	}
	judgeRace(t, watch, racers)
	if left, _ := os.ReadDir(filepath.Join(dir, tempRoot)); len(left) > 1+4 {
		t.Errorf("%d temporary folders are left by 12 that ended well, 4 killed and one alive", len(left))
	}
	open(t, dir)
	if left, _ := os.ReadDir(filepath.Join(dir, tempRoot)); len(left) != 2 {
		t.Errorf("%d temporary folders after Open, 2 devices are alive", len(left))
	}
}

func awaitCounter(t *testing.T, d *Device, n int) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		ld := ask[protocol.Loaded](t, d, protocol.Load{Key: "job/HEAD"})
		if ld.Outcome == protocol.NotFound {
			continue
		}
		var c counter
		if err := json.Unmarshal(ld.Body, &c); err != nil || ld.Outcome != protocol.OK {
			t.Fatalf("watcher: %s %v", ld.Outcome, err)
		}
		if c.N >= n {
			return
		}
	}
	t.Fatalf("the counter did not reach %d", n)
}

func judgeRace(t *testing.T, d *Device, racers []*racer) {
	t.Helper()
	ld := ask[protocol.Loaded](t, d, protocol.Load{Key: "job/HEAD"})
	var c counter
	if err := json.Unmarshal(ld.Body, &c); err != nil || c.N != goal {
		t.Fatalf("the counter is %d, want %d (%v)", c.N, goal, err)
	}
	winner, told := map[string]string{}, 0
	for i, r := range racers {
		me, wins := fmt.Sprintf("r%d", i), 0
		for s := bufio.NewScanner(&r.out); s.Scan(); {
			f := strings.Fields(s.Text())
			if f[0] != "win" {
				continue
			}
			if other := winner[f[1]]; other != "" {
				t.Errorf("both %s and %s won number %s", other, me, f[1])
			}
			winner[f[1]] = me
			wins++
		}
		told += wins
		// A killed process may have won once without living to say so.
		if lost := c.Wins[me] - wins; lost != 0 && !(r.killed && lost == 1) {
			t.Errorf("%s was told of %d wins, the counter has %d of it", me, wins, c.Wins[me])
		}
	}
	if silent := goal - told; silent < 0 || silent > 4 {
		t.Errorf("%d numbers of %d have a winner who was told; 4 processes were killed", told, goal)
	}
}

func TestOpenClearsWhatTheDeadLeft(t *testing.T) {
	dir := t.TempDir()
	var paths [2]string
	var cmds [2]*exec.Cmd
	for i := range cmds {
		cmds[i] = child(t, "hold", dir)
		paths[i] = filepath.Join(dir, startAndRead(t, cmds[i]), "unfinished")
	}
	cmds[0].Process.Kill()
	cmds[0].Wait()
	open(t, dir)
	if _, err := os.Stat(paths[0]); !os.IsNotExist(err) {
		t.Errorf("the dead process's file is still there (%v)", err)
	}
	if _, err := os.Stat(paths[1]); err != nil {
		t.Errorf("the living process's file was removed (%v)", err)
	}
	cmds[1].Process.Kill()
	cmds[1].Wait()
}

// TestStoppedHolder has a process stopped while it holds an object's lock: others time out, readers do not, and all go on once it is dead.
func TestStoppedHolder(t *testing.T) {
	dir := t.TempDir()
	d, err := OpenWith(dir, Options{Logger: quiet(), LockTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	v := wantStore(t, d, "HEAD", "x", "", protocol.OK)
	holder := child(t, "lock", dir)
	startAndRead(t, holder)
	if err := holder.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantStore(t, d, "HEAD", "y", v, protocol.Unknown)
	wantDelete(t, d, "HEAD", protocol.Unknown)
	wantLoad(t, d, "HEAD", protocol.OK, "x")
	holder.Process.Kill()
	holder.Wait()
	wantStore(t, d, "HEAD", "y", v, protocol.OK)
}

// startAndRead starts a process and reads the line by which it says that it is where the test wants it.
func startAndRead(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// TestDiskFull fills a file system of 256 KiB. It needs the right to mount one.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no right to mount a file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	log := &logBuffer{}
	d, err := OpenWith(dir, Options{Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	v := wantStore(t, d, "HEAD", "old", "", protocol.OK)
	big := strings.Repeat("x", 400<<10)
	wantStore(t, d, "data/big", big, "", protocol.Unknown)
	wantStore(t, d, "HEAD", big, v, protocol.Unknown)
	log.want(t, "no space left", "HEAD", "free space")
	wantLoad(t, d, "data/big", protocol.NotFound, "")
	wantLoad(t, d, "HEAD", protocol.OK, "old")
	wantStore(t, d, "HEAD", "new", v, protocol.OK)
	if left, _ := os.ReadDir(filepath.Join(dir, d.temp.path)); len(left) != 0 {
		t.Errorf("unfinished files are left: %v", left)
	}
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}
