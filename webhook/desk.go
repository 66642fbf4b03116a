package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/forge"
	"github.com/sluicehq/sluice/internal/signature"
)

// message is an event that was read: forges name a repository, the generic
// webhook names a source.
type message struct {
	forge.Event
	source string
}

// reader verifies and reads what comes to one desk.
type reader interface {
	verify(header http.Header, body []byte, secret []byte) bool
	read(header http.Header, body []byte) (message, error)
}

// forgeReader reads what a kind of forge sends.
type forgeReader struct{ forge.Hook }

func (r forgeReader) verify(header http.Header, body, secret []byte) bool {
	return r.Verify(header, body, [][]byte{secret}) == nil
}

func (r forgeReader) read(header http.Header, body []byte) (message, error) {
	e, err := r.Parse(header, body)
	return message{Event: e}, err
}

// desk takes what one kind of forge sends.
type desk struct {
	reader
	name     string
	secrets  [][]byte // each once
	watchers []watcher
}

// watcher is a source at a desk.
type watcher struct {
	Source
	secrets map[int]bool // those of the desk's that are its own
}

// Generic is the desk for scripts, and for forges that Sluice does not know.
const Generic = "generic"

// desks are all there are, by the last part of their path. A source is at its
// forge's desk, and at the generic one.
func desks(sources []Source, now func() time.Time) (map[string]*desk, error) {
	generic := &desk{name: Generic, reader: genericReader{now}}
	found := map[string]*desk{
		"github": {name: "github", reader: forgeReader{forge.GitHubHook{}}},
		"gitea":  {name: "gitea", reader: forgeReader{forge.GiteaHook{}}},
		"gitlab": {name: "gitlab", reader: forgeReader{forge.GitLabHook{}}},
		Generic:  generic,
	}
	found["forgejo"] = found["gitea"]
	for _, source := range sources {
		var keys, secrets [][]byte
		for i, secret := range source.Secrets {
			if secret == "" {
				return nil, fmt.Errorf("%w: secret %d of source %s is empty", ErrOptions, i+1, source.ID)
			}
			secrets = append(secrets, []byte(secret))
			if key, err := signature.Key(secret); err == nil { // a forge takes whsec_ for a part of the secret
				keys = append(keys, key)
			}
		}
		if own := found[source.Forge]; own != nil && own != generic {
			own.add(source, secrets)
		}
		generic.add(source, keys)
	}
	return found, nil
}

func (d *desk) add(source Source, secrets [][]byte) {
	w := watcher{Source: source, secrets: map[int]bool{}}
	for _, secret := range secrets {
		w.secrets[d.indexOf(secret)] = true
	}
	d.watchers = append(d.watchers, w)
}

// indexOf finds a secret, which several sources may have, or adds it.
func (d *desk) indexOf(secret []byte) int {
	for i, known := range d.secrets {
		if string(known) == string(secret) {
			return i
		}
	}
	d.secrets = append(d.secrets, secret)
	return len(d.secrets) - 1
}

// signers are the secrets that signed a body. All of them are tried, so that the
// time tells nothing of which it was; a desk without any takes as long as one
// with one.
func (d *desk) signers(header http.Header, body []byte) map[int]bool {
	fit := map[int]bool{}
	if len(d.secrets) == 0 {
		d.verify(header, body, []byte("nobody has this secret, and it opens nothing"))
		return fit
	}
	for i, secret := range d.secrets {
		if d.verify(header, body, secret) {
			fit[i] = true
		}
	}
	return fit
}

// concerned are the sources that a message is for: those at its repository that
// know one of the secrets it was signed with. Somebody who may send for one
// repository sends nothing for another.
func (d *desk) concerned(m message, signers map[int]bool) []Source {
	var found []Source
	for _, w := range d.watchers {
		trusted := false
		for i := range w.secrets {
			trusted = trusted || signers[i]
		}
		here := strings.EqualFold(w.Repository, m.Repository) && m.Repository != "" // forges ignore its case
		if m.source != "" {
			here = w.ID == m.source
		}
		if trusted && here {
			found = append(found, w.Source)
		}
	}
	return found
}

// act is what an event asks to be done for a source.
type act int

const (
	nothing act = iota
	look        // now, and not at the next poll
	obey        // an order in a comment
)

// decide says what an event means to a source that follows a branch.
func decide(e forge.Event, branch string) act {
	switch e.Kind {
	case forge.EventPush:
		if e.Branch == branch && !e.Deleted { // "" is a tag's
			return look
		}
	case forge.EventPullRequest, forge.EventReview:
		return look
	case forge.EventComment:
		return obey
	case forge.EventPing, forge.EventOther:
	}
	return nothing
}
