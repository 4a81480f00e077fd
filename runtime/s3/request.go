package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"weir/protocol"
)

const (
	sumName = "weir-sha256" // user metadata of every object
	maxKey  = 1024          // bytes, S3's limit
)

var (
	errKey    = errors.New("bad key")
	errNoETag = errors.New("the answer has no ETag")
	errSum    = errors.New("what was read is not what was written")
	errCut    = errors.New("the body was cut off")
)

// key is the bucket's key of an object. Parts that a server or a proxy may take for a step in a path are refused.
func (d *Device) key(k protocol.ObjectKey) (string, error) {
	full := string(k)
	if d.opt.Prefix != "" {
		full = d.opt.Prefix + "/" + full
	}
	for _, part := range strings.Split(full, "/") {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("%w %q: it has the part %q", errKey, full, part)
		}
	}
	if len(full) > maxKey {
		return "", fmt.Errorf("%w: it is %d bytes long; at most %d", errKey, len(full), maxKey)
	}
	return full, nil
}

// put sends an object once: if there is none, or if the one that is there has the version match.
func (d *Device) put(ctx context.Context, key protocol.ObjectKey, match protocol.Version, body []byte, sum protocol.Sum) (protocol.Version, error) {
	return d.putWith(ctx, key, match, body, sum, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func (d *Device) putWith(ctx context.Context, key protocol.ObjectKey, match protocol.Version, body []byte, sum protocol.Sum, crc uint32) (protocol.Version, error) {
	full, err := d.key(key)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, d.opt.RequestTimeout+perMiB(len(body)))
	defer cancel()
	in := &s3.PutObjectInput{
		Bucket: &d.opt.Bucket, Key: &full, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))),
		Metadata:       map[string]string{sumName: hex.EncodeToString(sum[:])},
	}
	if match == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = aws.String(string(match))
	}
	out, err := d.client.PutObject(ctx, in, signedSum(sum))
	if err != nil {
		return "", err
	}
	if aws.ToString(out.ETag) == "" {
		return "", errNoETag
	}
	return protocol.Version(*out.ETag), nil
}

// perMiB is what a body adds to a request's time limit.
func perMiB(size int) time.Duration { return time.Duration(size>>20) * time.Second }

// signedSum signs the body by its SHA-256, on https too, and spares the SDK to compute it once more.
func signedSum(sum protocol.Sum) func(*s3.Options) {
	set := middleware.InitializeMiddlewareFunc("WeirPayloadSum",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum[:])), in)
		})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Initialize.Add(set, middleware.Before) })
}

// get reads a whole object, at once, and checks it.
func (d *Device) get(ctx context.Context, key protocol.ObjectKey) ([]byte, protocol.Version, error) {
	full, err := d.key(key)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(d.opt.RequestTimeout, func() { cancel(context.DeadlineExceeded) })
	defer limit.Stop()
	out, err := d.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.opt.Bucket, Key: &full})
	if err != nil {
		return nil, "", errors.Join(err, context.Cause(ctx))
	}
	defer out.Body.Close()
	limit.Reset(d.opt.RequestTimeout + perMiB(int(aws.ToInt64(out.ContentLength))))
	body, err := readAll(out)
	if err != nil {
		return nil, "", err
	}
	if err := checkSum(out, body); err != nil {
		return nil, "", err
	}
	return body, protocol.Version(*out.ETag), nil
}

// readAll reads the body. An error at its very end is the SDK's, about a checksum; an earlier one is the network's.
func readAll(out *s3.GetObjectOutput) ([]byte, error) {
	want := aws.ToInt64(out.ContentLength)
	var buf bytes.Buffer
	buf.Grow(int(min(max(want, 0), 16<<20)) + bytes.MinRead)
	n, err := io.Copy(&buf, out.Body)
	switch {
	case out.ContentLength != nil && n < want:
		return nil, fmt.Errorf("%w after %d of %d bytes (%v)", errCut, n, want, err)
	case err != nil && out.ContentLength != nil:
		return nil, fmt.Errorf("%w: %d bytes, %v", errSum, n, err)
	case err != nil:
		return nil, fmt.Errorf("%w after %d bytes: %v", errCut, n, err)
	}
	return buf.Bytes(), nil
}

// checkSum compares the body with the SHA-256 its writer sent along; objects of other writers have none.
func checkSum(out *s3.GetObjectOutput, body []byte) error {
	if aws.ToString(out.ETag) == "" {
		return errNoETag
	}
	sum := sha256.Sum256(body)
	if said, ok := out.Metadata[sumName]; ok && said != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("%w: %d bytes of SHA-256 %x, written as %s", errSum, len(body), sum, said)
	}
	return nil
}

func (d *Device) remove(ctx context.Context, key protocol.ObjectKey) error {
	full, err := d.key(key)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d.opt.RequestTimeout)
	defer cancel()
	_, err = d.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.opt.Bucket, Key: &full})
	return err
}
