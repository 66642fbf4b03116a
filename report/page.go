package report

import "embed"

//go:embed page.css
var files embed.FS

// Style is the style sheet of the pages beside the dashboard, as report.css.
func Style() ([]byte, error) { return files.ReadFile("page.css") }
