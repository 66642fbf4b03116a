package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/labstack/echo/v4"
)

// encode writes a value as one line of JSON without changing a byte of the raw
// JSON within: a version's data must arrive as it was hashed. The standard
// encoding would write < as \u003c there too.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("encode %T: %w", value, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// exactJSON makes every answer by encode.
type exactJSON struct{ echo.DefaultJSONSerializer }

// Serialize writes value into the answer; it never indents.
func (exactJSON) Serialize(c echo.Context, value any, _ string) error {
	text, err := encode(value)
	if err != nil {
		return err
	}
	_, err = c.Response().Write(append(text, '\n'))
	return err
}
