package compat

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/profile"
)

// springDocument is a file that Spring's server makes of an environment: payments-production.yml.
type springDocument struct{ application, profiles, format string }

// springFileNamed reads the name of such a file. The last dash is the one before the profiles.
func springFileNamed(name string) (d springDocument, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return d, false
	}
	d.format = name[dot+1:]
	if _, ok = springFormats[d.format]; !ok {
		return d, false
	}
	dash := strings.LastIndexByte(name[:dot], '-')
	if dash <= 0 {
		return d, false
	}
	d.application, d.profiles = name[:dash], name[dash+1:dot]
	return d, d.profiles != ""
}

// springFormats are those that a file can have, with what writes it.
var springFormats = map[string]struct {
	contentType string
	write       func(profile.Data) ([]byte, error)
}{
	"json":       {echo.MIMEApplicationJSON, func(d profile.Data) ([]byte, error) { return profile.Canonical(d), nil }},
	"yml":        {echo.MIMETextPlainCharsetUTF8, asYAML},
	"yaml":       {echo.MIMETextPlainCharsetUTF8, asYAML},
	"properties": {echo.MIMETextPlainCharsetUTF8, asProperties},
}

// springFile answers an application's environment as one document; what stands before it is a label.
func springFile(c echo.Context, from Configs) error {
	name := param(c, "second")
	if name == "" {
		name = param(c, "first")
	}
	d, ok := springFileNamed(name)
	if !ok {
		return ErrNotFound
	}
	configs, err := springConfigs(c.Request().Context(), from, d.application, strings.Split(d.profiles, ","))
	if err != nil {
		return err
	}
	if unchanged(c, springTag(configs)) {
		return c.NoContent(http.StatusNotModified)
	}
	merged := map[string]any{}
	for _, config := range configs {
		below(merged, map[string]any(config.Data.Clone()))
	}
	format := springFormats[d.format]
	body, err := format.write(merged)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return c.Blob(http.StatusOK, format.contentType, body)
}

// below adds to data what it does not have: a key that both have is the data's own, and objects are
// put together.
func below(data, more map[string]any) {
	for key, value := range more {
		mine, ok := data[key]
		if !ok {
			data[key] = value
			continue
		}
		mineMap, isMap := mine.(map[string]any)
		moreMap, both := value.(map[string]any)
		if isMap && both {
			below(mineMap, moreMap)
		}
	}
}

// asProperties writes the leaves in the format of Java's properties.
func asProperties(data profile.Data) ([]byte, error) {
	var b strings.Builder
	for _, l := range leaves(data) {
		fmt.Fprintf(&b, "%s: %s\n", propertyKey.Replace(l.dotted()), propertyValue(l.property()))
	}
	return []byte(b.String()), nil
}

var (
	propertyKey  = strings.NewReplacer(`\`, `\\`, " ", `\ `, ":", `\:`, "=", `\=`, "#", `\#`, "!", `\!`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	propertyText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
)

// propertyValue keeps the space that a value begins with, which a reader would skip.
func propertyValue(text string) string {
	text = propertyText.Replace(text)
	if strings.HasPrefix(text, " ") {
		return `\` + text
	}
	return text
}
