package agent

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"

	"github.com/sluicehq/sluice/client"
)

// maxRendered bounds what a template may write, in bytes.
const maxRendered = 16 << 20

// view is what a template sees.
type view struct {
	Data       map[string]any
	Profile    string
	Version    string
	Generation int64
	Hash       string
	// ActiveGroup is where the requests of a BlueGreen profile go: "blue" or "green", "" before the first switch.
	ActiveGroup string
}

var templateFuncs = template.FuncMap{
	"json":    compact,
	"yaml":    func(v any) (string, error) { b, err := renderYAML(v); return strings.TrimSuffix(string(b), "\n"), err },
	"quote":   func(v any) string { return strconv.Quote(scalar(v)) },
	"upper":   strings.ToUpper,
	"lower":   strings.ToLower,
	"join":    join,
	"replace": func(from, to, s string) string { return strings.ReplaceAll(s, from, to) },
	"indent":  indent,
	"default": func(otherwise, v any) any {
		if v == nil || v == "" {
			return otherwise
		}
		return v
	},
	"required": func(what string, v any) (any, error) {
		if v == nil || v == "" {
			return nil, fmt.Errorf("%s is required", what)
		}
		return v, nil
	},
}

func join(sep string, items []any) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = scalar(item)
	}
	return strings.Join(parts, sep)
}

func indent(spaces int, s string) string {
	return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", min(max(spaces, 0), 100)))
}

// renderTemplate executes a text/template. A key that the data lacks is an error, unless the
// template asks by index.
func renderTemplate(text string, cfg client.Config, data map[string]any) ([]byte, error) {
	t, err := template.New("template").Option("missingkey=error").Funcs(templateFuncs).Parse(text)
	if err != nil {
		return nil, err
	}
	v := view{Data: data, Profile: cfg.Profile, Version: cfg.Version, Generation: cfg.Generation, Hash: cfg.Hash, ActiveGroup: cfg.ActiveGroup}
	var b bounded
	if err := t.Execute(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRendered {
		return 0, errors.New("output is larger than 16 MiB")
	}
	return b.Buffer.Write(p)
}
