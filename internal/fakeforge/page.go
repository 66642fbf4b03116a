package fakeforge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type loginKey struct{}

func withLogin(ctx context.Context, login string) context.Context {
	return context.WithValue(ctx, loginKey{}, login)
}

// login is the user who sent a request.
func login(r *http.Request) string {
	s, _ := r.Context().Value(loginKey{}).(string)
	return s
}

// reply writes an answer as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// number reads a whole number of the path; 0 for anything else.
func number(r *http.Request, name string) int {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil {
		return 0
	}
	return n
}

// page cuts the page that was asked for out of a list and says in the Link
// header where the others are. sizes are the names of the page size's parameter
// and its default.
func page[T any](f *Forge, w http.ResponseWriter, r *http.Request, all []T, sizeName string, size int) []T {
	q := r.URL.Query()
	if n, err := strconv.Atoi(q.Get(sizeName)); err == nil && n > 0 {
		size = n
	}
	size = min(size, f.options.PageSize)
	at := 1
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		at = n
	}
	last := max((len(all)+size-1)/size, 1)
	var links []string
	link := func(rel string, n int) {
		q := url.Values{}
		maps.Copy(q, r.URL.Query())
		q.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf("<%s%s%s?%s>; rel=%q", f.URL, f.speak.prefix(), r.URL.Path, q.Encode(), rel))
	}
	h := w.Header()
	if at < last {
		link("next", at+1)
		link("last", last)
		h.Set("X-Next-Page", strconv.Itoa(at+1))
	}
	if at > 1 {
		link("first", 1)
		link("prev", at-1)
	}
	if len(links) > 0 {
		h.Set("Link", strings.Join(links, ", "))
	}
	h.Set("X-Page", strconv.Itoa(at))
	h.Set("X-Total-Count", strconv.Itoa(len(all)))
	h.Set("X-Total-Pages", strconv.Itoa(last))
	h.Set("X-Per-Page", strconv.Itoa(size))
	from := min((at-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}
