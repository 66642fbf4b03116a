package fakeforge

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// Request is one call of the API, as it was answered.
type Request struct {
	Method, Path, Query string
	Body                string
	Credentials         string // token that was sent
	Status              int
	Charged             bool // to the quota
}

// Requests are all calls of the API so far.
func (f *Forge) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Request(nil), f.requests...)
}

// quota is what a forge lets one token do in an hour.
type quota struct {
	limit, remaining int
	reset            time.Time
	secondary        time.Time // until when requests are refused whatever is left
}

// SpendQuota leaves so many requests until the quota is given again at reset.
func (f *Forge) SpendQuota(left int, reset time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quota.remaining, f.quota.reset = left, reset
}

// SlowDown refuses requests for as long as a forge does that was asked too much at once.
func (f *Forge) SlowDown(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quota.secondary = f.now().Add(d)
}

// Fault is how the forge answers the next requests that it fits.
type Fault struct {
	Method string // "" is any
	Path   string // that the path below the API's prefix begins with; "" is any
	Times  int    // 1 when 0; below 0 for ever

	Status int         // answers this without doing anything
	Header http.Header // with these
	Body   string      // in which Credentials stands for what the request bore
	Hang   bool        // does not answer before the client gives up
	Cut    bool        // does what was asked for and closes the connection without an answer
	Skip   int         // lets so many pass first
}

// Inject makes the forge misbehave.
func (f *Forge) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.faults = append(f.faults, &fault)
}

// Heal ends all misbehaviour.
func (f *Forge) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// fault takes the first one that fits a request.
func (f *Forge) fault(method, path string) Fault {
	for _, fault := range f.faults {
		if fault.Times == 0 || fault.Method != "" && fault.Method != method ||
			!bytes.HasPrefix([]byte(path), []byte(fault.Path)) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		fault.Times--
		return *fault
	}
	return Fault{}
}

// Credentials stands, in what a Fault answers, for what the request bore.
const Credentials = "{credentials}"

// credentials are the token of a request, whatever the forge calls it.
func credentials(r *http.Request) string {
	if token := r.Header.Get("Private-Token"); token != "" {
		return token
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token
}

// maxBody is more than any forge takes.
const maxBody = 16 << 20

// door is what every request of the API passes: faults, credentials, limits and
// conditions, in the order of a real forge.
func (f *Forge) door(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		path := r.URL.Path[len(f.speak.prefix()):]

		f.mu.Lock()
		fault := f.fault(r.Method, path)
		f.mu.Unlock()
		noted := Request{Method: r.Method, Path: path, Query: r.URL.RawQuery, Body: string(body), Credentials: credentials(r)}
		if fault.Hang {
			f.note(noted)
			select {
			case <-r.Context().Done():
			case <-f.done:
			}
			return
		}
		answer := f.answer(api, r, fault)
		noted.Status, noted.Charged = answer.Code, answer.Header().Get(charged) != ""
		f.note(noted)
		answer.Header().Del(charged)
		if fault.Cut {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the client may be gone
	})
}

// charged marks an answer that cost quota, on its way to the record.
const charged = "Fakeforge-Charged"

func (f *Forge) note(r Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
}

// answer runs one request with the state locked.
func (f *Forge) answer(api http.Handler, r *http.Request, fault Fault) *httptest.ResponseRecorder {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := httptest.NewRecorder()
	now := f.now()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if fault.Status != 0 {
		for k := range fault.Header {
			w.Header().Set(k, strings.ReplaceAll(fault.Header.Get(k), Credentials, credentials(r)))
		}
		w.WriteHeader(fault.Status)
		w.WriteString(strings.ReplaceAll(fault.Body, Credentials, credentials(r))) //nolint:errcheck // a recorder takes everything
		return w
	}
	if !f.admit(w, now) {
		return w
	}
	login, ok := f.speak.who(f, r)
	if !ok {
		f.speak.refuse(w, http.StatusUnauthorized, "Bad credentials")
		return w
	}
	f.refresh()
	inner := httptest.NewRecorder()
	api.ServeHTTP(inner, r.WithContext(withLogin(r.Context(), login)))
	maps.Copy(w.Header(), inner.Header())
	tag := ""
	if r.Method == http.MethodGet && inner.Code == http.StatusOK {
		sum := sha256.Sum256(append(inner.Body.Bytes(), login...))
		tag = `W/"` + hex.EncodeToString(sum[:16]) + `"`
		w.Header().Set("ETag", tag)
	}
	if tag != "" && r.Header.Get("If-None-Match") == tag {
		// The tag is the body's alone, and GitHub need not say anew where the next page is.
		if _, ok := f.speak.(github); ok {
			w.Header().Del("Link")
		}
		f.speak.showQuota(w.Header(), f.quota)
		w.WriteHeader(http.StatusNotModified)
		return w
	}
	f.quota.remaining--
	w.Header().Set(charged, "1")
	f.speak.showQuota(w.Header(), f.quota)
	w.WriteHeader(inner.Code)
	w.Write(inner.Body.Bytes()) //nolint:errcheck // a recorder takes everything
	return w
}

// admit refuses what is over a limit, as all forges that have limits do.
func (f *Forge) admit(w *httptest.ResponseRecorder, now time.Time) bool {
	if !now.Before(f.quota.reset) {
		f.quota.remaining, f.quota.reset = f.quota.limit, now.Add(time.Hour)
	}
	if wait := f.quota.secondary.Sub(now); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		f.speak.showQuota(w.Header(), f.quota)
		f.speak.refuse(w, http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		return false
	}
	if f.quota.remaining <= 0 {
		f.speak.showQuota(w.Header(), f.quota)
		f.speak.refuse(w, http.StatusForbidden, fmt.Sprintf("API rate limit exceeded for user ID %d.", 1))
		return false
	}
	return true
}
