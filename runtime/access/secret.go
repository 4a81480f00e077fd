package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"weir/runtime/kafka"
	"weir/runtime/s3"
)

// secret reads a secret from the environment or from a file, of which the last line's end is no part. Empty: there is none.
func secret(env, name, file string) (s3.Secret, error) {
	said := os.Getenv(env)
	if file == "" {
		return s3.Secret(said), nil
	}
	if said != "" {
		return "", fmt.Errorf("%s %s: %s is set too; give one of them", name, file, env)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s %s: the file is empty", name, file)
	}
	return s3.Secret(text), nil
}

// mechanism is what SASL is spoken by, or nil.
func (f *Flags) mechanism() (sasl.Mechanism, error) {
	password, err := secret("WEIR_KAFKA_PASSWORD", "-kafka-password-file", f.passwordFile)
	switch {
	case err != nil:
		return nil, err
	case f.sasl == "" && f.user != "":
		return nil, errors.New("-kafka-user is given and -kafka-sasl is not: name plain, scram-sha-256 or scram-sha-512")
	case f.sasl == "":
		return nil, nil
	case f.user == "" || password == "":
		return nil, fmt.Errorf("-kafka-sasl %s needs -kafka-user, and a password in WEIR_KAFKA_PASSWORD or -kafka-password-file", f.sasl)
	}
	switch auth := (scram.Auth{User: f.user, Pass: string(password)}); strings.ToLower(f.sasl) {
	case "plain":
		return plain.Auth{User: f.user, Pass: string(password)}.AsMechanism(), nil
	case "scram-sha-256":
		return auth.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return auth.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("-kafka-sasl %q: it must be plain, scram-sha-256 or scram-sha-512", f.sasl)
}

// Exposed reports whether the password for the brokers travels in clear.
func (o Options) Exposed() bool { return o.SASL != nil && o.SASL.Name() == "PLAIN" && o.TLS == nil }

// Kafka is what a client of the brokers begins with.
func (o Options) Kafka() kafka.Options {
	return kafka.Options{Brokers: o.Brokers, TLS: o.TLS, SASL: o.SASL}
}

// kafkaTLS is how the brokers are spoken to, or nil.
func (f *Flags) kafkaTLS() (*tls.Config, error) {
	if !f.tls && f.ca == "" && f.cert == "" {
		if f.key != "" {
			return nil, errors.New("-kafka-key is given and -kafka-cert is not: a key goes with its certificate")
		}
		return nil, nil
	}
	c, err := clientTLS("-kafka-ca", f.ca)
	if err != nil || f.cert == "" && f.key == "" {
		return c, err
	}
	if f.cert == "" || f.key == "" {
		return nil, errors.New("-kafka-cert and -kafka-key go together: give both, or neither")
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("-kafka-cert %s, -kafka-key %s: %w", f.cert, f.key, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// clientTLS trusts the CAs in a file, or the system's for no file.
func clientTLS(name, file string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return c, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s %s: there is no PEM certificate in it; give the CA's, which begins with -----BEGIN CERTIFICATE-----", name, file)
	}
	return c, nil
}
