package profile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// Data is a profile's effective configuration. It holds JSON values only: map[string]any, []any, string, bool, nil and json.Number.
type Data map[string]any

// MarshalJSON writes the data as canonical JSON, so that what is stored and sent is what was hashed.
func (d Data) MarshalJSON() ([]byte, error) { return Canonical(d), nil }

// UnmarshalJSON reads the data as DecodeData does.
func (d *Data) UnmarshalJSON(src []byte) error {
	if bytes.Equal(src, []byte("null")) {
		*d = nil
		return nil
	}
	v, err := DecodeData(src)
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Clone returns a deep copy.
func (d Data) Clone() Data {
	if d == nil {
		return nil
	}
	return cloneMap(d)
}

func cloneMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = cloneValue(v)
	}
	return out
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneMap(v)
	case Data:
		return cloneMap(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cloneValue(v[i])
		}
		return out
	}
	return v
}

// Hash returns the SHA-256 of the canonical JSON of d in hex: equal data, equal hash, however it was written.
func Hash(d Data) string {
	return HashCanonical(Canonical(d))
}

// HashCanonical is the Hash of data that Canonical made text of.
func HashCanonical(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Canonical returns d as JSON with sorted keys, no white space and numbers normalised (1.0 is 1). Nil data is {}. It
// panics on a value that JSON does not have, which only a programmer can put there.
func Canonical(d Data) (text []byte) {
	written(d, func(b []byte) { text = bytes.Clone(b) })
	return text
}

// room is what canonical JSON is written in, so that what is kept of it is as large as it is.
var room = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxRoom bounds what is kept to write in.
const maxRoom = 64 << 10

// written shows canonical JSON, which is gone afterwards.
func written(d Data, show func(text []byte)) {
	b := room.Get().(*bytes.Buffer)
	b.Reset()
	writeMap(b, d)
	show(b.Bytes())
	if b.Cap() <= maxRoom {
		room.Put(b)
	}
}

func writeValue(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		writeString(b, v)
	case map[string]any:
		writeMap(b, v)
	case Data:
		writeMap(b, v)
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeValue(b, item)
		}
		b.WriteByte(']')
	default:
		n, ok := numberText(v)
		if ok && smallInteger(n) {
			b.WriteString(n)
			return
		}
		if !ok || checkNumber(n) != nil {
			panic(fmt.Sprintf("profile: %T %v is not a JSON value", v, v))
		}
		b.WriteString(canonicalNumber(n))
	}
}

func writeMap(b *bytes.Buffer, m map[string]any) {
	var few [16]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		writeString(b, k)
		b.WriteByte(':')
		writeValue(b, m[k])
	}
	b.WriteByte('}')
}

func writeString(b *bytes.Buffer, s string) {
	if plain(s) { // nearly every one, and an encoder for each would be most of the work
		b.WriteByte('"')
		b.WriteString(s)
		b.WriteByte('"')
		return
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes; a buffer always takes it
		panic("profile: encode string: " + err.Error())
	}
	b.Truncate(b.Len() - 1) // Encode ends with a newline
}

// plain says that a string is its own JSON between quotes.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// ErrData is wrapped by every error of DecodeData.
var ErrData = errors.New("not configuration data")

// DecodeData reads one JSON object strictly: valid UTF-8, no duplicate keys, nothing after it, numbers as written and
// in range, all within DefaultLimits. Errors wrap ErrData.
func DecodeData(src []byte) (Data, error) {
	lim := DefaultLimits()
	if len(src) > lim.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrData, len(src), lim.MaxBytes)
	}
	if !utf8.Valid(src) {
		return nil, fmt.Errorf("%w: invalid UTF-8", ErrData)
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	d := jsonDecoder{dec: dec, lim: lim}
	v, err := d.value(0, "$")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: got %s, want an object", ErrData, typeName(v))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more follows the first value", ErrData)
	}
	return m, nil
}

// jsonDecoder reads token by token, because encoding/json keeps the last of two equal keys without a word.
type jsonDecoder struct {
	dec   *json.Decoder
	lim   Limits
	nodes int
}

func (d *jsonDecoder) value(depth int, path string) (any, error) {
	if d.nodes++; d.nodes > d.lim.MaxNodes {
		return nil, fmt.Errorf("more than %d values", d.lim.MaxNodes)
	}
	tok, err := d.dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		if depth >= d.lim.MaxDepth {
			return nil, fmt.Errorf("%s: nested more than %d deep", path, d.lim.MaxDepth)
		}
		if tok == '{' {
			return d.object(depth+1, path)
		}
		return d.array(depth+1, path)
	case json.Number:
		if err := checkNumber(tok.String()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return tok, nil
	}
	return tok, nil
}

func (d *jsonDecoder) object(depth int, path string) (any, error) {
	m := map[string]any{}
	for d.dec.More() {
		tok, err := d.dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := tok.(string)
		if !ok {
			return nil, fmt.Errorf("%s: key is not a string", path)
		}
		at := joinKey(path, key)
		if _, dup := m[key]; dup {
			return nil, fmt.Errorf("%s: duplicate key", at)
		}
		if len(key) > d.lim.MaxKeyBytes {
			return nil, fmt.Errorf("%s: key of more than %d bytes", path, d.lim.MaxKeyBytes)
		}
		if len(m) >= d.lim.MaxKeys {
			return nil, fmt.Errorf("%s: more than %d keys", path, d.lim.MaxKeys)
		}
		if m[key], err = d.value(depth, at); err != nil {
			return nil, err
		}
	}
	_, err := d.dec.Token()
	return m, err
}

func (d *jsonDecoder) array(depth int, path string) (any, error) {
	list := []any{}
	for d.dec.More() {
		v, err := d.value(depth, joinIndex(path, len(list)))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.dec.Token()
	return list, err
}

func canonicalValue(v any) []byte {
	var b bytes.Buffer
	writeValue(&b, v)
	return b.Bytes()
}
