package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/sluicehq/sluice/client"
)

// hintFor says what to do about an error, "" when its text says enough.
func hintFor(err error) string {
	if e, ok := errors.AsType[*client.APIError](err); ok {
		return hintForAPI(e)
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return "Is the daemon running? --server or SLUICE_SERVER says where it is; sluice serve starts one."
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		return "sluice --help lists the commands."
	}
	return ""
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
