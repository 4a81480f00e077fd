package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// facts asks a real server by the SDK alone what S3 promises and the language of devices has no word for.
type facts struct {
	t      *testing.T
	ctx    context.Context
	cl     *s3.Client
	prefix string
	minio  bool
}

func newFacts(t *testing.T) *facts {
	t.Helper()
	b := sharedS3(t)
	t.Parallel()
	o := options(b.Endpoint)
	cl := s3.New(s3.Options{
		BaseEndpoint: &o.Endpoint, Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""), DisableLogOutputChecksumValidationSkipped: true,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
	return &facts{t, soon(t), cl, o.Prefix + "/", os.Getenv("S3_SERVER") == "minio"}
}

func (f *facts) key(name string) *string { return aws.String(f.prefix + name) }

func (f *facts) put(name, body string) {
	f.t.Helper()
	if _, err := f.cl.PutObject(f.ctx, &s3.PutObjectInput{Bucket: aws.String(BucketName), Key: f.key(name), Body: bytes.NewReader([]byte(body))}); err != nil {
		f.t.Fatal(err)
	}
}

// get is an object, or a range of it, or the code of the refusal.
func (f *facts) get(name, span string) string {
	f.t.Helper()
	in := &s3.GetObjectInput{Bucket: aws.String(BucketName), Key: f.key(name)}
	if span != "" {
		in.Range = &span
	}
	out, err := f.cl.GetObject(f.ctx, in)
	if err != nil {
		return code(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		f.t.Errorf("%s %s: %v", name, span, err)
	}
	return string(body)
}

// code is the status of a refusal and its code.
func code(err error) string {
	var api smithy.APIError
	var resp *smithyhttp.ResponseError
	switch {
	case err == nil:
		return "OK"
	case errors.As(err, &resp) && errors.As(err, &api):
		return fmt.Sprint(resp.HTTPStatusCode(), " ", api.ErrorCode())
	}
	return err.Error()
}

func (f *facts) oneOf(what, got string, want ...string) {
	f.t.Helper()
	if !slices.Contains(want, got) {
		f.t.Errorf("%s: %s, want one of %q", what, got, want)
	}
}

// TestS3Lists: every key once, in order, a thousand at most to a page; a list goes on behind a key that was deleted.
func TestS3Lists(t *testing.T) {
	f := newFacts(t)
	const n = 1105
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				f.put(fmt.Sprintf("list/%05d", i), "x")
			}
		})
	}
	wg.Wait()
	var pages []int
	var keys []string
	in := &s3.ListObjectsV2Input{Bucket: aws.String(BucketName), Prefix: f.key("list/")}
	for {
		out, err := f.cl.ListObjectsV2(f.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			keys = append(keys, *o.Key)
		}
		if pages = append(pages, len(out.Contents)); !*out.IsTruncated {
			break
		}
		in.ContinuationToken = out.NextContinuationToken
		if _, err := f.cl.DeleteObject(f.ctx, &s3.DeleteObjectInput{Bucket: aws.String(BucketName), Key: &keys[len(keys)-1]}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(pages, []int{1000, n - 1000}) || len(keys) != n || !slices.IsSorted(keys) {
		t.Errorf("pages of %v, %d keys, sorted %t", pages, len(keys), slices.IsSorted(keys))
	}
}

// upload is a multipart upload of two parts under CRC32C.
type upload struct {
	f     *facts
	name  string
	id    *string
	parts []types.CompletedPart
}

func (f *facts) upload(name string, algorithm types.ChecksumAlgorithm, bodies ...[]byte) *upload {
	f.t.Helper()
	made, err := f.cl.CreateMultipartUpload(f.ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(BucketName), Key: f.key(name), ChecksumAlgorithm: algorithm})
	if err != nil {
		f.t.Fatal(err)
	}
	u := &upload{f: f, name: name, id: made.UploadId}
	for i, b := range bodies {
		if err := u.part(int32(i+1), algorithm, b); err != nil {
			f.t.Fatal(err)
		}
	}
	return u
}

func (u *upload) part(n int32, algorithm types.ChecksumAlgorithm, body []byte) error {
	out, err := u.f.cl.UploadPart(u.f.ctx, &s3.UploadPartInput{
		Bucket: aws.String(BucketName), Key: u.f.key(u.name), UploadId: u.id, PartNumber: &n, Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm,
	})
	if err == nil {
		u.parts = append(u.parts, types.CompletedPart{PartNumber: &n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C})
	}
	return err
}

func (u *upload) complete() string {
	_, err := u.f.cl.CompleteMultipartUpload(u.f.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(BucketName), Key: u.f.key(u.name), UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	return code(err)
}

// TestS3Multipart: nothing is there before Complete, all of it after; Complete again says that it is done, or that there
// is no such upload, and both mean: look at the object.
func TestS3Multipart(t *testing.T) {
	f := newFacts(t)
	first, second := bytes.Repeat([]byte("0123456789abcdef"), 5<<16), []byte("the end")
	u := f.upload("parts", types.ChecksumAlgorithmCrc32c, first, second)
	f.oneOf("get before Complete", f.get("parts", ""), "404 NoSuchKey")
	f.oneOf("Complete", u.complete(), "OK")
	if got := f.get("parts", ""); got != string(first)+string(second) {
		t.Errorf("%d bytes, want %d", len(got), len(first)+len(second))
	}
	f.oneOf("a range over the parts", f.get("parts", fmt.Sprintf("bytes=%d-%d", len(first)-3, len(first)+2)), "defthe")
	f.oneOf("Complete again", u.complete(), "OK", "404 NoSuchUpload")
	if got := f.get("parts", ""); len(got) != len(first)+len(second) {
		t.Errorf("after Complete again: %d bytes", len(got))
	}
}

func TestS3MultipartAborts(t *testing.T) {
	f := newFacts(t)
	u := f.upload("gone", types.ChecksumAlgorithmCrc32c, []byte("never seen"))
	if _, err := f.cl.AbortMultipartUpload(f.ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(BucketName), Key: f.key("gone"), UploadId: u.id}); err != nil {
		t.Fatal(err)
	}
	f.oneOf("a part after the abort", code(u.part(2, types.ChecksumAlgorithmCrc32c, []byte("late"))), "404 NoSuchUpload")
	f.oneOf("Complete after the abort", u.complete(), "404 NoSuchUpload")
	f.oneOf("get", f.get("gone", ""), "404 NoSuchKey")
}

// TestS3MultipartNeedsItsAlgorithm: an upload that was begun without one takes part sums of the SDK's default or refuses
// them, by server; so every one must name it.
func TestS3MultipartNeedsItsAlgorithm(t *testing.T) {
	f := newFacts(t)
	f.oneOf("Complete with sums nobody announced", f.upload("unnamed", "", []byte("x")).complete(), "OK", "400 InvalidPart")
	f.oneOf("Complete with sums that were", f.upload("named", types.ChecksumAlgorithmCrc32c, []byte("x")).complete(), "OK")
}

// TestS3Checksums: a body under a wrong sum is refused, and is not there.
func TestS3Checksums(t *testing.T) {
	f := newFacts(t)
	sum := func(b []byte) *string {
		n := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return aws.String(base64.StdEncoding.EncodeToString([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}))
	}
	body := []byte("these bytes")
	put := func(sum *string) string {
		_, err := f.cl.PutObject(f.ctx, &s3.PutObjectInput{Bucket: aws.String(BucketName), Key: f.key("sum"), Body: bytes.NewReader(body), ChecksumCRC32C: sum})
		return code(err)
	}
	f.oneOf("a wrong CRC32C", put(sum([]byte("others"))), "400 BadDigest", "400 XAmzContentChecksumMismatch", "400 InvalidRequest")
	f.oneOf("get", f.get("sum", ""), "404 NoSuchKey")
	f.oneOf("the right CRC32C", put(sum(body)), "OK")
	f.oneOf("get", f.get("sum", ""), string(body))
}

// TestS3Ranges: a range of an object that was put whole comes back, though the sum is that of the whole.
func TestS3Ranges(t *testing.T) {
	f := newFacts(t)
	f.put("range", "0123456789")
	f.oneOf("the middle", f.get("range", "bytes=3-6"), "3456")
	f.oneOf("the end", f.get("range", "bytes=8-"), "89")
	f.oneOf("beyond", f.get("range", "bytes=20-30"), "416 InvalidRange")
}

// TestS3FolderKeys: a key below another one's is refused by servers that keep files, with the other one whole.
func TestS3FolderKeys(t *testing.T) {
	f := newFacts(t)
	f.put("a", "file")
	_, err := f.cl.PutObject(f.ctx, &s3.PutObjectInput{Bucket: aws.String(BucketName), Key: f.key("a/b"), Body: bytes.NewReader([]byte("below"))})
	want := "409 ObjectParentIsFile"
	if f.minio {
		want = "OK"
	}
	f.oneOf("put below a key", code(err), want)
	f.oneOf("get", f.get("a", ""), "file")
}

// TestS3DeleteConditions: what a DELETE under a stale condition does is the server's own affair. Nothing of ours sends one.
func TestS3DeleteConditions(t *testing.T) {
	f := newFacts(t)
	f.put("conditional", "x")
	_, err := f.cl.DeleteObject(f.ctx, &s3.DeleteObjectInput{Bucket: aws.String(BucketName), Key: f.key("conditional"), IfMatch: aws.String(`"stale"`)})
	wants := []string{"412 PreconditionFailed", "x"}
	if f.minio {
		wants = []string{"OK", "404 NoSuchKey"} // ignored
	}
	f.oneOf("DELETE under a stale condition", code(err), wants[0])
	f.oneOf("get", f.get("conditional", ""), wants[1])
}

// TestS3DeleteMarkers: in a bucket with versions a deleted name is free again. Only MinIO of the two has them as S3 does.
func TestS3DeleteMarkers(t *testing.T) {
	f := newFacts(t)
	bucket := aws.String("versions")
	_, err := f.cl.CreateBucket(f.ctx, &s3.CreateBucketInput{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.cl.PutBucketVersioning(f.ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if !f.minio {
		f.oneOf("versions without a folder for them", code(err), "501 VersioningNotConfigured", "501 NotImplemented")
		return
	}
	f.oneOf("versions", code(err), "OK")
	put := func(in *s3.PutObjectInput) string {
		in.Bucket, in.Key, in.Body = bucket, aws.String("k"), bytes.NewReader([]byte("x"))
		_, err := f.cl.PutObject(f.ctx, in)
		return code(err)
	}
	f.oneOf("create", put(&s3.PutObjectInput{IfNoneMatch: aws.String("*")}), "OK")
	f.oneOf("create again", put(&s3.PutObjectInput{IfNoneMatch: aws.String("*")}), "412 PreconditionFailed")
	if _, err := f.cl.DeleteObject(f.ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("k")}); err != nil {
		t.Fatal(err)
	}
	f.oneOf("replace what is gone", put(&s3.PutObjectInput{IfMatch: aws.String(`"9dd4e461268c8034f5c8564e155c67a6"`)}), "404 NoSuchKey")
	f.oneOf("create what is gone", put(&s3.PutObjectInput{IfNoneMatch: aws.String("*")}), "OK")
}
