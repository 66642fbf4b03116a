package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/client"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/store"
)

// hintFor says what to do about an error, "" when its text says enough. args
// are what the command was given: one of them may be a name that is not there.
func (sh *shell) hintFor(ctx context.Context, err error, args []string) string {
	if e, ok := errors.AsType[*client.APIError](err); ok {
		if e.Status == http.StatusNotFound && e.Code != "" {
			return cmp.Or(sh.instancesOn(ctx, err, args), sh.didYouMean(ctx, args), listHint(err))
		}
		return sh.hintForAPI(e)
	}
	if e, ok := errors.AsType[*usageError](err); ok {
		return e.hint
	}
	switch {
	case errors.Is(err, store.ErrFull):
		return "Is there room on the database's disk, and may this user write there?"
	case errors.Is(err, store.ErrUnavailable):
		return "Does the database answer? --database-url, SLUICE_DATABASE_URL or database_url says where it is."
	case unreached(err):
		return sh.hintUnreached(err)
	case strings.HasPrefix(err.Error(), "unknown command"):
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

// hintUnreached says which server did not answer, and what chose it: often it is
// the wrong one.
func (sh *shell) hintUnreached(err error) string {
	if sh.conn == nil || sh.conn.found == nil {
		return "Is the daemon running? --server or SLUICE_SERVER says where it is; sluice serve starts one."
	}
	d := *sh.conn.found
	text := fmt.Sprintf("Is the daemon running? %s comes from %s", oneLine(d.Server), oneLine(d.from))
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		text = fmt.Sprintf("There is no such host: %s comes from %s", oneLine(d.Server), oneLine(d.from))
	}
	if known, err := sh.loadContexts(); err == nil && len(known.Contexts) > 0 {
		return text + "; sluice context list shows the others."
	}
	return text + "; --server or SLUICE_SERVER names another, sluice serve starts one."
}

func (sh *shell) hintForAPI(e *client.APIError) string {
	switch e.Status {
	case http.StatusUnauthorized:
		return sh.hintUnauthorized()
	case http.StatusForbidden:
		return "Your role or your token's scope does not allow it: reading takes Viewer, writing configurations Developer, rollbacks and orders Operator, tokens and --force Admin. " +
			"sluice login signs in as somebody else."
	case http.StatusNotFound:
		return "Something else than Sluice answered there: --server or SLUICE_SERVER says where the daemon is."
	case http.StatusConflict:
		if e.Code == "MANAGED_BY_GIT" {
			return "Change it in its repository and merge; rollback, pause and deploy work on it all the same."
		}
	case http.StatusTooManyRequests:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("Try again in %s.", span(e.RetryAfter))
		}
		return "Try again in a minute."
	case http.StatusServiceUnavailable:
		if e.RetryAfter > 0 {
			return fmt.Sprintf("Try again in %s; SERVER/readyz says what it waits for.", span(e.RetryAfter))
		}
	}
	return ""
}

// lists are the commands that list what the paths of the API hold.
var lists = map[string]string{
	"configs": "sluice get profiles", "deployments": "sluice get deployments", "instances": "sluice get instances",
	"sources": "sluice get sources", "tokens": "sluice token list", "schemas": "sluice schema list",
}

// listHint says how to see what there is where nothing was found: the error
// names the path that was asked.
func listHint(err error) string {
	_, path, _ := strings.Cut(err.Error(), " /")
	what, _, _ := strings.Cut(path, "/")
	if what == "statuses" {
		return "It is not on a watched branch, or has not been read yet: sluice get sources says how far each source is read."
	}
	if list, ok := lists[what]; ok {
		return list + " lists what there is."
	}
	return ""
}

// hintUnauthorized says whose token was refused.
func (sh *shell) hintUnauthorized() string {
	const help = "Sign in with sluice login, or give a token with --token-file or SLUICE_TOKEN."
	if sh.conn == nil || sh.conn.found == nil {
		return help
	}
	login := "sluice login"
	if d := *sh.conn.found; sh.conn.context != "" {
		login += " --context " + d.Name
	} else if sh.conn.server != "" {
		login += " --server " + oneLine(d.Server)
	}
	switch from := sh.conn.found.tokenFrom; from {
	case "":
		return fmt.Sprintf("You are not signed in to %s: %s signs in, --token-file or SLUICE_TOKEN gives a token.", oneLine(sh.conn.found.Server), login)
	case "sluice login":
		return fmt.Sprintf("The token that sluice login stored has ended or was revoked: %s signs in again.", login)
	default:
		return fmt.Sprintf("The token comes from %s: it has ended, was revoked, or is of another server. Without it, %s signs in.", oneLine(from), login)
	}
}

// didYouMean looks for the name that an argument was probably meant to be. It
// takes no longer than a press of Tab.
func (sh *shell) didYouMean(ctx context.Context, args []string) string {
	if sh.conn == nil || len(args) == 0 {
		return ""
	}
	names := withoutDescriptions(sh.conn.live(ctx, profileNames, nil, ""))
	first := bare(args[0])
	if !slices.Contains(names, first) {
		if guess := closest(first, names); guess != "" {
			return fmt.Sprintf("Did you mean %s? sluice get profiles lists them all.", guess)
		}
		return ""
	}
	if len(args) < 2 {
		return ""
	}
	versions := withoutDescriptions(sh.conn.live(ctx, versionNames, args[:1], ""))
	for _, arg := range args[1:] {
		if slices.Contains(versions, arg) {
			continue
		}
		if guess := closest(arg, versions); guess != "" {
			return fmt.Sprintf("Did you mean %s? sluice get versions %s lists them all.", guess, first)
		}
	}
	return fmt.Sprintf("sluice get versions %s lists what there is.", first)
}

// instancesOn names the instances on a host that was given in place of an ID.
func (sh *shell) instancesOn(ctx context.Context, err error, args []string) string {
	if sh.conn == nil || len(args) == 0 || !strings.Contains(err.Error(), " /instances/") {
		return ""
	}
	var ids []string
	for _, c := range sh.conn.live(ctx, instanceNames, nil, "") {
		if id, on, _ := strings.Cut(c, "\t"); strings.Contains(on, " on "+args[0]+" ") {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "An instance is named by its ID: sluice get instances -o wide lists them."
	}
	return fmt.Sprintf("An instance is named by its ID; on %s it is %s.", oneLine(args[0]), strings.Join(ids, " or "))
}

func withoutDescriptions(completions []string) []string {
	names := make([]string, len(completions))
	for i, c := range completions {
		names[i], _, _ = strings.Cut(c, "\t")
	}
	return names
}

// closest is the name that was probably meant: one that is a slip of a finger
// away, or the only one that begins as what was typed does.
func closest(typed string, names []string) string {
	if guess := profile.Nearest(typed, names); guess != "" {
		return guess
	}
	begins := ""
	for _, name := range names {
		if !strings.HasPrefix(strings.ToLower(name), strings.ToLower(typed)) {
			continue
		}
		if begins != "" {
			return ""
		}
		begins = name
	}
	return begins
}
