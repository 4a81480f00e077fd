package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/protocol"
)

// Device performs the log effects: Survey, Fetch, OpenSlot, Produce, Flush, EndTxn, ReadLedger, Fence, Erase
// and ListTxns. It is safe for concurrent use.
type Device struct {
	opts  Options
	log   *slog.Logger
	admin *kgo.Client // metadata, offsets, lists, tombstones: retried by the client
	adm   *kadm.Client

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup // effects under way and clients being closed

	versions versions

	mu        sync.Mutex
	closed    bool
	life      uint64 // counts CloseSlots; what was begun in an earlier life is dropped
	slots     map[protocol.TransactionalID]*slot
	cursors   map[place]*cursor
	ledgers   map[place]*cursor
	resolvers map[int16]*kgo.Client // by version of EndTxn; what they send is not repeated by the client
}

// New makes a device. It does not connect: see Probe.
func New(o Options) (*Device, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	// Tombstones need no idempotence: one too many changes nothing.
	admin, err := o.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite())
	if err != nil {
		return nil, err
	}
	d := &Device{
		opts: o, log: o.Logger, admin: admin, adm: kadm.NewClient(admin),
		slots: map[protocol.TransactionalID]*slot{}, cursors: map[place]*cursor{}, ledgers: map[place]*cursor{}, resolvers: map[int16]*kgo.Client{},
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d, nil
}

// Perform starts an effect and returns; done is called at most once, from any goroutine, not before the effect ended.
func (d *Device) Perform(_ protocol.Address, ef protocol.Effect, done func(protocol.Event)) {
	switch ef := ef.(type) {
	case protocol.Produce:
		d.produce(ef, done)
	case protocol.Flush:
		d.flush(ef, done)
	case protocol.OpenSlot:
		d.open(ef, done)
	case protocol.Survey:
		d.run(func(ctx context.Context) { done(d.survey(ctx, ef)) })
	case protocol.Fetch:
		d.run(func(ctx context.Context) { done(d.read(ctx, ef)) })
	case protocol.EndTxn:
		d.run(func(ctx context.Context) { done(d.end(ctx, ef)) })
	case protocol.ReadLedger:
		d.run(func(ctx context.Context) { done(d.readLedger(ctx, ef)) })
	case protocol.Fence:
		d.run(func(ctx context.Context) { done(d.takeOver(ctx, ef)) })
	case protocol.Erase:
		d.run(func(ctx context.Context) { done(d.erase(ctx, ef)) })
	case protocol.ListTxns:
		d.run(func(ctx context.Context) { done(d.list(ctx, ef)) })
	default:
		protocol.Assert(false, fmt.Sprintf("the log device was given a %T", ef))
	}
}

// CloseSlots drops every slot undrained and every reading position, as the effect Halt demands. Requests on the wire
// may still land. Effects under way on them are answered, if at all, with Unknown.
func (d *Device) CloseSlots() {
	d.mu.Lock()
	d.life++
	slots, cursors := d.slots, d.cursors
	d.slots, d.cursors = map[protocol.TransactionalID]*slot{}, map[place]*cursor{}
	d.mu.Unlock()
	for _, s := range slots {
		s.kill()
	}
	for _, c := range cursors {
		d.closeLater(c.rd.cl)
	}
}

// Close ends everything: effects under way end as Unknown, clients are closed. It returns when no goroutine is left.
func (d *Device) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.stop()
	d.CloseSlots()
	d.wg.Wait()
	d.CloseSlots() // what effects under way have still made
	d.wg.Wait()
	for _, l := range d.ledgers {
		l.rd.cl.Close()
	}
	for _, cl := range d.resolvers {
		cl.Close()
	}
	d.admin.Close()
}

// run does work on a goroutine under the device's deadline. After Close nothing is begun and nothing is answered.
func (d *Device) run(work func(context.Context)) {
	if !d.begin() {
		return
	}
	go func() {
		defer d.wg.Done()
		ctx, cancel := context.WithTimeout(d.ctx, d.opts.IOTimeout)
		defer cancel()
		work(ctx)
	}()
}

// begin counts a goroutine in, unless the device is closed.
func (d *Device) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.wg.Add(1)
	return true
}

// closeLater closes a client without waiting for its connections; Close of the device does wait.
func (d *Device) closeLater(cl *kgo.Client) {
	d.wg.Add(1)
	go func() {
		defer d.wg.Done()
		cl.Close()
	}()
}

// report logs what an outcome cannot carry, and returns the outcome.
func (d *Device) report(op, object string, out protocol.Outcome, cause error) protocol.Outcome {
	level := slog.LevelWarn
	switch out {
	case protocol.OK:
		return out
	case protocol.Retry:
		level = slog.LevelDebug
	case protocol.Unknown:
		if oneOf(cause, errNotOpen, errHalted) {
			level = slog.LevelDebug // why the slot is dead was said when it died; a halt is no news either
		}
	case protocol.Denied, protocol.Corrupt, protocol.NotFound, protocol.OutOfRange:
		level = slog.LevelError
	}
	if d.ctx.Err() != nil {
		level = slog.LevelDebug // closing: what was under way is cut off, as asked
	}
	d.log.Log(context.Background(), level, "kafka: "+op, "object", object, "outcome", out.String(), "cause", cause)
	return out
}
