package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"weir/protocol"
)

// answerOf takes the server's answer out of an error: its status (0: there was none) and its code.
func answerOf(err error) (status int, code string) {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) {
		status = re.HTTPStatusCode()
	}
	var ae smithy.APIError
	if errors.As(err, &ae) {
		code = ae.ErrorCode()
	}
	return status, code
}

// rule is what one answer means. An empty code fits every code, a zero status every status.
type rule struct {
	status  int
	code    string
	outcome protocol.Outcome
	hint    string
}

// rules are read from the top; what none of them fits is Unknown.
var rules = []rule{
	{0, "ExpiredToken", protocol.Unknown, "the credentials have expired: renew them"},
	{0, "RequestTimeTooSkewed", protocol.Unknown, "set this machine's clock right"},
	{0, "NoSuchBucket", protocol.Denied, "the bucket does not exist: make it, or correct its name, endpoint or region"},
	{0, "InvalidAccessKeyId", protocol.Denied, "the server does not know the access key"},
	{0, "XAdminUserNotFound", protocol.Denied, "the server does not know the access key"},
	{0, "SignatureDoesNotMatch", protocol.Denied, "the secret key is wrong, or a proxy changes the requests"},
	{0, "AuthorizationHeaderMalformed", protocol.Denied, "the region is probably wrong"},
	{0, "PermanentRedirect", protocol.Denied, "the bucket is in another region or at another endpoint"},
	{0, "InvalidBucketName", protocol.Denied, "correct the bucket's name"},
	{0, "KeyTooLongError", protocol.Denied, "shorten the prefix"},
	{0, "EntityTooLarge", protocol.Denied, "the object is larger than the server takes in one request"},
	{0, "ObjectParentIsFile", protocol.Denied, "a key must not be a folder of another"},
	{http.StatusUnauthorized, "", protocol.Denied, "check the access key and the secret key"},
	{http.StatusForbidden, "", protocol.Denied, "the access key needs s3:GetObject, s3:PutObject and s3:DeleteObject under the prefix, and s3:ListBucket, without which a missing object answers 403"},
	{http.StatusMovedPermanently, "", protocol.Denied, "the bucket is in another region or at another endpoint"},
	{http.StatusNotImplemented, "", protocol.Denied, "the server cannot do what weir needs, probably conditional writes"},
	{http.StatusPreconditionFailed, "", protocol.Conflict, ""},
	{0, "NoSuchKey", protocol.NotFound, ""},
}

func ruleOf(err error) rule {
	status, code := answerOf(err)
	for _, r := range rules {
		if (r.status == 0 || r.status == status) && (r.code == "" || r.code == code) {
			return r
		}
	}
	return rule{outcome: protocol.Unknown}
}

// outcomeOf is what an error means for a read or a delete; a PUT has no NotFound, see putOutcome.
func outcomeOf(err error) protocol.Outcome {
	switch {
	case err == nil:
		return protocol.OK
	case errors.Is(err, errKey):
		return protocol.Denied
	case errors.Is(err, errSum):
		return protocol.Corrupt
	}
	return ruleOf(err).outcome
}

// putOutcome is what an error means for a PUT: 404 for an object that is gone is one of the answers that settle nothing.
func putOutcome(err error) protocol.Outcome {
	if out := outcomeOf(err); out != protocol.NotFound {
		return out
	}
	return protocol.Unknown
}

// hint is what the operator can do about an error.
func hint(err error) string {
	status, _ := answerOf(err)
	var untrusted x509.UnknownAuthorityError
	switch {
	case errors.As(err, &untrusted):
		return "give the CA that signed the server's certificate (-s3-ca)"
	case errors.Is(err, errNoETag):
		return "a proxy seems to answer in place of the server"
	case errors.Is(err, errSum):
		return "the object was damaged or replaced outside of weir: check the server's disks, restore an older checkpoint"
	case errors.Is(err, context.DeadlineExceeded):
		return "the server was silent for the request timeout"
	case status == 0 && !errors.Is(err, errKey) && !errors.Is(err, errCut):
		return "check that the endpoint is right and reachable, and that there are credentials"
	}
	return ruleOf(err).hint
}
