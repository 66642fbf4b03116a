// Package web has the pages that people see in a browser: the dashboard, made on
// the server of the API's own values, and the pages to sign in on. It reads
// nothing: whoever serves a page gives it what it shows.
package web

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"sync"
	"time"
)

//go:embed pages/*.html
var pages embed.FS

// templates are parsed for the first page: most processes show none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(funcs).ParseFS(pages, "pages/*.html"))
})

// Page is one page of the dashboard.
type Page struct {
	Title string
	// Section is the entry of the navigation that leads here, "" for none.
	Section Section
	// Body names the template that shows View.
	Body string
	View any
	// Live says that what it shows changes while somebody looks: an open page is
	// told of it. A page with a text to be filled in is not live.
	Live bool
}

// Section is an entry of the navigation.
type Section string

// The sections.
const (
	Overview    Section = "Overview"
	Profiles    Section = "Profiles"
	Deployments Section = "Deployments"
	Instances   Section = "Instances"
	Sources     Section = "Sources"
	Schemas     Section = "Schemas"
	Audit       Section = "Audit"
	Tokens      Section = "Tokens"
)

// Viewer is who looks at a page: what their role does not allow is not offered.
// The doors refuse it all the same.
type Viewer struct {
	Name, Role   string
	SignedIn     bool // by a session, which can be ended; false for a token
	Operates     bool // may run deployments
	Administers  bool
	Narrowed     bool // sees some profiles only
	Environments []string
	Profiles     []string
}

// Freeze is one in force.
type Freeze struct {
	Reason, Actor string
	Until         *time.Time // nil: until somebody ends it
}

// Notice is what is said above a page: that something was not done, and why.
type Notice struct {
	Text    string
	Details []string // field by field
	Now     string   // path of the page as it is now, "" where the page asks for something itself
}

// Frame is a page in its surroundings.
type Frame struct {
	Page
	Viewer Viewer
	Freeze *Freeze
	Notice *Notice
	At     time.Time // of what is shown
	Path   string    // of the page with its query: where to be after signing in again
	Mark   string    // of what is shown: an open page with another mark is told the new one
}

// entry is one link of the navigation.
type entry struct {
	Section Section
	Path    string
	Current bool
}

// Navigation lists the sections for whoever looks.
func (f Frame) Navigation() []entry {
	all := []entry{
		{Section: Overview, Path: "/"}, {Section: Profiles, Path: "/profiles"}, {Section: Deployments, Path: "/deployments"},
		{Section: Instances, Path: "/instances"}, {Section: Sources, Path: "/sources"}, {Section: Schemas, Path: "/schemas"},
		{Section: Audit, Path: "/audit"},
	}
	if f.Viewer.Administers && !f.Viewer.Narrowed {
		all = append(all, entry{Section: Tokens, Path: "/tokens"})
	}
	for i := range all {
		all[i].Current = all[i].Section == f.Section
	}
	return all
}

// Build names the assets that the page needs: an open page of an older server
// loads itself anew.
func (f Frame) Build() string { return build }

// Render writes the whole document.
func (f Frame) Render(w io.Writer) error { return execute(w, "frame", f) }

// RenderMain writes what is inside the element main: all that changes while a page
// is open.
func (f Frame) RenderMain(w io.Writer) error { return execute(w, "main", f) }

// Main is it as a template shows it.
func (f Frame) Main() (template.HTML, error) { return block(f.Body, shown{Frame: f, View: f.View}) }

// shown is what the template of a page gets: its own values, and who looks.
type shown struct {
	Frame
	View any
}

func execute(w io.Writer, name string, value any) error {
	if err := templates().ExecuteTemplate(w, name, value); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	return nil
}
