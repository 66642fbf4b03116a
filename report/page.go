package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"

	"github.com/sluicehq/sluice/api/wire"
)

//go:embed page.html page.css
var files embed.FS

// Style is the page's style sheet: the page refers to it as report.css.
func Style() ([]byte, error) { return files.ReadFile("page.css") }

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"metric": Metric, "number": maybeNumber, "clock": maybeClock, "moment": clock, "spoken": spoken, "health": health,
	"commit": commitOf, "exposed": exposedText, "changes": changed,
	"chart": func(s wire.Series, r wire.Report) template.HTML {
		return template.HTML(Chart(s, r.Deployment)) //nolint:gosec // made here; every text in it is escaped
	},
	"p": chance,
}).ParseFS(files, "page.html"))

// Page writes a report as a page for a browser. It needs no script and nothing
// from another host.
func Page(r wire.Report) ([]byte, error) {
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		return nil, fmt.Errorf("page of deployment %s: %w", r.Deployment.ID, err)
	}
	return b.Bytes(), nil
}
