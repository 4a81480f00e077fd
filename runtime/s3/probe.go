package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"weir/protocol"
)

const (
	probeWriters = 16
	probeRounds  = 20                      // at most
	probeLeast   = 4                       // rounds, however slow the bucket is
	probeLate    = 2 * time.Second         // for removing what was written, when the time is over
	probeRacing  = 1200 * time.Millisecond // after which no round begins
)

// ErrUnfit is in every error of Probe that says: this bucket breaks promises weir builds on. Other errors say that the
// bucket could not be asked.
var ErrUnfit = errors.New("the bucket cannot be used")

// probe is one run of Probe. Objects are called probe/<random>/<what>.
type probe struct {
	d     *Device
	ctx   context.Context
	name  string
	keys  []protocol.ObjectKey // written so far
	wrong []string             // what the bucket does not keep
}

// Probe asks the bucket, in under 3 s when it answers within 100 ms, for what weir builds on: a second create and a stale If-Match are
// refused, of 16 concurrent writers exactly one wins, a wrong checksum is refused, plain and ranged reads give back what
// was written. It removes what it wrote.
func (d *Device) Probe(ctx context.Context) error {
	p := &probe{d: d, ctx: ctx, name: "probe/" + rand.Text() + "/"}
	defer p.clean()
	for _, step := range []func() error{p.conditions, p.reads, p.checksum, p.race} {
		if err := step(); err != nil {
			return fmt.Errorf("s3: probe of bucket %q: %w%s", d.opt.Bucket, err, withHint(err))
		}
	}
	if len(p.wrong) > 0 {
		return fmt.Errorf("s3: probe of bucket %q: %w: %s; use a bucket on a server that keeps S3's promises, such as AWS S3 or MinIO",
			d.opt.Bucket, ErrUnfit, strings.Join(p.wrong, "; "))
	}
	return nil
}

func withHint(err error) string {
	if h := hint(err); h != "" {
		return "; " + h
	}
	return ""
}

func (p *probe) key(what string) protocol.ObjectKey {
	k := protocol.ObjectKey(p.name + what)
	p.keys = append(p.keys, k)
	return k
}

func (p *probe) put(key protocol.ObjectKey, match protocol.Version, body string) (protocol.Version, error) {
	return p.d.put(p.ctx, key, match, []byte(body), sha256.Sum256([]byte(body)))
}

// refused demands that a PUT was answered 412.
func (p *probe) refused(what string, err error) error {
	switch putOutcome(err) {
	case protocol.OK:
		p.wrong = append(p.wrong, what)
	case protocol.Conflict:
	default:
		return fmt.Errorf("it answered neither success nor 412 to a conditional PUT: %w", err)
	}
	return nil
}

func (p *probe) conditions() error {
	key := p.key("conditions")
	first, err := p.put(key, "", "one")
	if err != nil {
		if putOutcome(err) == protocol.Denied {
			p.keys = nil // nothing is there that could be left behind
		}
		return fmt.Errorf("create an object: %w", err)
	}
	_, err = p.put(key, "", "two")
	if err := p.refused("it ignores If-None-Match: an object was created twice", err); err != nil {
		return err
	}
	now, err := p.present(key, first)
	if err != nil {
		return err
	}
	if _, err := p.put(key, now, "three"); err != nil {
		return fmt.Errorf("replace an object by If-Match: %w", err)
	}
	_, err = p.put(key, first, "four")
	return p.refused("it ignores If-Match: a version that is no more was replaced", err)
}

// present is the version that is there: version, if the bucket has kept all its promises so far.
func (p *probe) present(key protocol.ObjectKey, version protocol.Version) (protocol.Version, error) {
	if len(p.wrong) == 0 {
		return version, nil
	}
	_, etag, err := p.d.get(p.ctx, key)
	return etag, err
}

func (p *probe) reads() error {
	key := p.key("reads")
	const body = "0123456789 read me back"
	if _, err := p.put(key, "", body); err != nil {
		return fmt.Errorf("create an object: %w", err)
	}
	got, _, err := p.d.get(p.ctx, key)
	if err != nil {
		return fmt.Errorf("read an object: %w", err)
	}
	if string(got) != body {
		p.wrong = append(p.wrong, "what is read is not what was written")
	}
	part, err := p.readRange(key, "bytes=3-6")
	if part != "3456" {
		p.wrong = append(p.wrong, fmt.Sprintf("bytes 3-6 of an object are read as %q (%v)", part, err))
	}
	return nil
}

func (p *probe) readRange(key protocol.ObjectKey, span string) (string, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.d.opt.RequestTimeout)
	defer cancel()
	full, err := p.d.key(key)
	if err != nil {
		return "", err
	}
	out, err := p.d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.d.opt.Bucket, Key: &full, Range: aws.String(span)})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		return "", err
	}
	return string(b), nil
}

// checksum sends a body under the CRC32C of another one. The object must not appear.
func (p *probe) checksum() error {
	key := p.key("checksum")
	body := []byte("these bytes have another checksum")
	_, err := p.d.putWith(p.ctx, key, "", body, sha256.Sum256(body), 0x01020304)
	if status, _ := answerOf(err); err != nil && (status < 400 || status >= 500) {
		return fmt.Errorf("write under a wrong checksum: %w", err)
	}
	_, _, readErr := p.d.get(p.ctx, key)
	switch {
	case err == nil:
		p.wrong = append(p.wrong, "it accepts a body whose CRC32C is wrong: half an object could pass for a whole one")
	case outcomeOf(readErr) != protocol.NotFound:
		p.wrong = append(p.wrong, "a body whose CRC32C is wrong was refused, and is there all the same")
	}
	return nil
}

// race lets 16 writers write at once: to a new key, and then some times to the version the round before has left.
func (p *probe) race() error {
	var key protocol.ObjectKey
	var version protocol.Version
	for i, begin := 0, time.Now(); i < probeRounds && (i < probeLeast || time.Since(begin) < probeRacing); i++ {
		if i%5 == 0 || version == "" {
			key, version = p.key(fmt.Sprintf("race-%d", i)), ""
		}
		var err error
		if version, err = p.round(i, key, version); err != nil || len(p.wrong) > 0 {
			return err
		}
	}
	return nil
}

// round is one race. It returns the winner's version; empty: none was told that it won, though one may have.
func (p *probe) round(n int, key protocol.ObjectKey, match protocol.Version) (protocol.Version, error) {
	var versions [probeWriters]protocol.Version
	var errs [probeWriters]error
	var group sync.WaitGroup
	body := func(i int) string { return fmt.Sprintf("round %d writer %d %s", n, i, strings.Repeat("x", 4000)) }
	for i := range versions {
		group.Go(func() { versions[i], errs[i] = p.put(key, match, body(i)) })
	}
	group.Wait()
	winner, told, silent := 0, 0, 0
	for i, err := range errs {
		switch putOutcome(err) {
		case protocol.OK:
			winner = i
			told++
		case protocol.Unknown:
			silent++
		case protocol.Conflict:
		default:
			return "", fmt.Errorf("write an object: %w", err)
		}
	}
	if silent == probeWriters {
		return "", fmt.Errorf("write an object, %d times at once: %w", probeWriters, errs[0])
	}
	if told == 1 {
		return versions[winner], p.checkWinner(key, body(winner))
	}
	if told > 1 {
		p.wrong = append(p.wrong, fmt.Sprintf("%d of %d writers were told that they had replaced the same version: several coordinators could win", told, probeWriters))
	} else if silent == 0 {
		p.wrong = append(p.wrong, fmt.Sprintf("of %d writers at once, all were refused", probeWriters))
	}
	return "", nil
}

func (p *probe) checkWinner(key protocol.ObjectKey, body string) error {
	got, _, err := p.d.get(p.ctx, key)
	if err != nil {
		return fmt.Errorf("read an object: %w", err)
	}
	if string(got) != body {
		p.wrong = append(p.wrong, "after a race, what is there is not what the winner wrote")
	}
	return nil
}

// clean removes what the probe wrote, also when its own time has run out.
func (p *probe) clean() {
	limit := p.d.opt.RequestTimeout
	if p.ctx.Err() != nil {
		limit = min(limit, probeLate)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), limit)
	defer cancel()
	var group sync.WaitGroup
	for _, key := range p.keys {
		group.Go(func() {
			if err := p.d.remove(ctx, key); err != nil {
				p.d.log.Warn("s3: an object of the probe is left behind", "key", string(key), "cause", err, "hint", hint(err))
			}
		})
	}
	group.Wait()
}
