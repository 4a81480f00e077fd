package kafka

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// reachTimeout bounds what one address is given to answer by hand.
const reachTimeout = 4 * time.Second

var (
	errSilent   = errors.New("accepts connections and answers nothing: it is not a Kafka broker, or it hangs, or it waits for TLS (-kafka-tls)")
	errForeign  = errors.New("what answers is not a Kafka broker: name the host and port of a broker's listener for clients")
	errWantsTLS = errors.New("answers by TLS: speak TLS to it (-kafka-tls, or -kafka-ca with the CA that signed its certificate)")
)

// Reach asks the first question of Kafka's protocol at every address, by hand, so that what stands there in place of a
// broker is named. One that answers as a broker is enough.
func (o Options) Reach(ctx context.Context) error {
	o.defaults()
	var group sync.WaitGroup
	causes := make([]error, len(o.Brokers))
	for i, addr := range o.Brokers {
		group.Go(func() { causes[i] = o.reach(ctx, addr) })
	}
	group.Wait()
	var texts []string
	for i, err := range causes {
		if err == nil {
			return nil
		}
		texts = append(texts, fmt.Sprintf("%s: %v", o.Brokers[i], err))
	}
	return fmt.Errorf("kafka: no broker of %s answers: %s", strings.Join(o.Brokers, ", "), strings.Join(texts, "; "))
}

func (o *Options) reach(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	c, err := o.dial(ctx, "tcp", addr)
	if err != nil {
		return dialCause(err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := question(c, 18, 0, nil); err != nil { // ApiVersions, which needs no SASL
		return o.answerCause(err)
	}
	if o.SASL != nil {
		return nil
	}
	if err := question(c, 3, 1, make([]byte, 4)); err != nil { // Metadata of no topic
		return fmt.Errorf("closes the connection at the second request (%w): it wants SASL (-kafka-sasl, -kafka-user)", err)
	}
	return nil
}

// question sends one request with an old header, and reads the answer as far as its head.
func question(c net.Conn, key, version int16, body []byte) error {
	const correlation, client = 0x77656972, "weir"
	head := binary.BigEndian.AppendUint16(nil, uint16(key))
	head = binary.BigEndian.AppendUint16(head, uint16(version))
	head = binary.BigEndian.AppendUint32(head, correlation)
	head = append(binary.BigEndian.AppendUint16(head, uint16(len(client))), client...)
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(head)+len(body))), head...)
	if _, err := c.Write(append(frame, body...)); err != nil {
		return err
	}
	var answer [8]byte
	if n, err := io.ReadFull(c, answer[:]); err != nil {
		if n > 2 && answer[0] == 0x15 && answer[1] == 3 { // a TLS alert
			return errWantsTLS
		}
		return err
	}
	size, id := binary.BigEndian.Uint32(answer[:]), binary.BigEndian.Uint32(answer[4:])
	if id != correlation || size < 4 || size > 1<<24 {
		return fmt.Errorf("%w (it began with %q)", errForeign, answer[:])
	}
	_, err := io.CopyN(io.Discard, c, int64(size)-4)
	return err
}

// dialCause says what the operator can do about a connection that was not opened.
func dialCause(err error) error {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var timeout net.Error
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("%w; give the CA that signed the broker's certificate (-kafka-ca)", err)
	case errors.As(err, &host):
		return fmt.Errorf("%w; name the broker as its certificate does", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("%w; renew the broker's certificate, or set this machine's clock right", err)
	case errors.Is(err, errHandshake):
		return fmt.Errorf("%w; if this listener does not speak TLS, name another, or leave TLS out", err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w; check the address and the network", err)
	}
	return fmt.Errorf("%w; check that the address is right and the broker up", err)
}

// Advice says what there is to do when addresses answer, and the client gets no further.
func (o *Options) Advice(err error) string {
	switch {
	case oneOf(err, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState):
		return "the brokers do not take this mechanism at this listener: choose another (-kafka-sasl), or another port"
	case o.SASL != nil && (oneOf(err, kerr.SaslAuthenticationFailed) || errors.Is(err, io.EOF)):
		return "check the user, the password and the mechanism (-kafka-user, -kafka-sasl)"
	}
	return "check the addresses, the network and TLS or SASL settings"
}

// answerCause says what the operator can do about an answer that is none.
func (o *Options) answerCause(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, errForeign), errors.Is(err, errWantsTLS):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return errSilent
	case o.TLS != nil:
		return fmt.Errorf("%w; it may want a certificate of this client (-kafka-cert, -kafka-key)", err)
	}
	return fmt.Errorf("closes the connection at the first request (%w): it is not a Kafka broker, or it wants TLS (-kafka-tls)", err)
}
