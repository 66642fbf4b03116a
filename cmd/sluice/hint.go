package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/store"
)

// hintFor says what to do about an error, "" when its text says enough.
func hintFor(err error) string {
	if e, ok := errors.AsType[*client.APIError](err); ok {
		return hintForAPI(e)
	}
	if errors.Is(err, store.ErrUnavailable) {
		return "Does the database answer? --database-url, SLUICE_DATABASE_URL or database_url says where it is."
	}
	if unreached(err) {
		return "Is the daemon running? --server or SLUICE_SERVER says where it is; sluice serve starts one."
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		return "sluice --help lists the commands."
	}
	return ""
}

// unreached says that a server did not answer. An address that is taken, or a
// terminal that is none, are errors of the system too, and say nothing of one.
func unreached(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op != "listen"
	}
	return errors.Is(err, context.DeadlineExceeded)
}

func hintForAPI(e *client.APIError) string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "Sign in with sluice login, or give a token with --token-file or SLUICE_TOKEN."
	case http.StatusForbidden:
		return "Your role does not allow it: reading takes Viewer, rollbacks and orders take Operator, tokens take Admin."
	case http.StatusNotFound:
		if e.Code == "" {
			return "Something else than Sluice answered there: --server or SLUICE_SERVER says where the daemon is."
		}
		return "sluice get profiles and sluice get deployments list what there is."
	case http.StatusTooManyRequests:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("Try again in %s.", span(e.RetryAfter))
		}
		return "Try again in a minute."
	}
	return ""
}
