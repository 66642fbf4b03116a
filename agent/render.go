package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/client"
)

// Format is how the file is written.
type Format string

// The formats of the file.
const (
	FormatJSON     Format = "json"
	FormatYAML     Format = "yaml"
	FormatTOML     Format = "toml" // null values are left out, as TOML has none
	FormatEnv      Format = "env"  // NAME=value lines, see renderEnv
	FormatTemplate Format = "template"
)

func (f Format) valid() bool {
	return slices.Contains([]Format{FormatJSON, FormatYAML, FormatTOML, FormatEnv, FormatTemplate}, f)
}

// formatOf guesses the format by the file's extension.
func formatOf(file, template string) Format {
	if template != "" {
		return FormatTemplate
	}
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case ".yaml", ".yml":
		return FormatYAML
	case ".toml":
		return FormatTOML
	case ".env":
		return FormatEnv
	default:
		return FormatJSON
	}
}

// render writes a configuration in a format: the same configuration, the same bytes. template is the
// text of FormatTemplate.
func render(cfg client.Config, f Format, template string) ([]byte, error) {
	data, err := decodeData(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", f, err)
	}
	var out []byte
	switch f {
	case FormatJSON:
		var b bytes.Buffer
		err = json.Indent(&b, cfg.Data, "", "  ")
		b.WriteByte('\n')
		out = b.Bytes()
	case FormatYAML:
		out, err = renderYAML(data)
	case FormatTOML:
		if err = dropNulls(data, "$"); err == nil {
			out, err = toml.Marshal(data)
		}
	case FormatEnv:
		out, err = renderEnv(data)
	case FormatTemplate:
		out, err = renderTemplate(template, cfg, data)
	default:
		err = errors.New("unknown format")
	}
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", f, err)
	}
	return out, nil
}

func renderYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decodeData reads the data with whole numbers as int64 or uint64 and others as float64, because
// YAML and TOML tell them apart.
func decodeData(raw json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("decode data: %w", err)
	}
	if err := setNumbers(m, "$"); err != nil {
		return nil, err
	}
	return m, nil
}

func setNumbers(v any, path string) error {
	return walk(v, path, func(v any, path string) (any, error) {
		n, ok := v.(json.Number)
		if !ok {
			return v, nil
		}
		return number(n, path)
	})
}

func number(n json.Number, path string) (any, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return u, nil
	}
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%s: number %s is out of range", path, n)
	}
	return f, nil
}

// walk replaces each scalar below v by what change makes of it.
func walk(v any, path string, change func(any, string) (any, error)) error {
	each := func(path string, item any, set func(any)) error {
		switch item.(type) {
		case map[string]any, []any:
			return walk(item, path, change)
		}
		changed, err := change(item, path)
		if err != nil {
			return err
		}
		set(changed)
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if err := each(path+"."+k, item, func(n any) { v[k] = n }); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if err := each(fmt.Sprintf("%s[%d]", path, i), item, func(n any) { v[i] = n }); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropNulls removes keys whose value is null; a null in an array has no place in TOML at all.
func dropNulls(v any, path string) error {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if item == nil {
				delete(v, k)
				continue
			}
			if err := dropNulls(item, path+"."+k); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			at := fmt.Sprintf("%s[%d]", path, i)
			if item == nil {
				return fmt.Errorf("%s: null in an array cannot be written", at)
			}
			if err := dropNulls(item, at); err != nil {
				return err
			}
		}
	case uint64:
		return fmt.Errorf("%s: number %d is out of range", path, v)
	}
	return nil
}
