package store

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// stamp is a time as the engine keeps it, NULL for the zero time.
type stamp time.Time

func (t stamp) time() time.Time { return time.Time(t).UTC() }

func (t stamp) zero() bool { return time.Time(t).IsZero() }

// Scan takes the time from the engine.
func (t *stamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = stamp{}
	case int64:
		*t = stamp(time.UnixMicro(v).UTC())
	case time.Time:
		*t = stamp(v.UTC())
	default:
		return fmt.Errorf("a time cannot be read from %T", src)
	}
	return nil
}

// ScanTimestamptz takes it from PostgreSQL past database/sql.
func (t *stamp) ScanTimestamptz(v pgtype.Timestamptz) error {
	*t = stamp{}
	if v.Valid {
		*t = stamp(v.Time.UTC())
	}
	return nil
}

// at scans into a time.
func at(t *time.Time) *stamp { return (*stamp)(t) }

// object is a value that is kept as JSON text.
type object struct{ v any }

// asJSON keeps v as JSON text; v is a pointer where it is scanned into.
func asJSON(v any) object { return object{v} }

// Value gives the text to the engine.
func (o object) Value() (driver.Value, error) {
	text, err := jsonText(o.v)
	return text, err
}

// jsonText is v as JSON, which is not copied as the bytes of json.Marshal would be.
func jsonText(v any) (string, error) {
	var text strings.Builder
	if err := json.NewEncoder(&text).Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// Scan takes the text from the engine.
func (o object) Scan(src any) error {
	var text sql.NullString
	if err := text.Scan(src); err != nil {
		return err
	}
	if !text.Valid || text.String == "" {
		return nil
	}
	return json.Unmarshal([]byte(text.String), o.v)
}

// page bounds a list: at most 1,000 rows, 50 when nothing is said.
func page(limit, offset int) (int, int) {
	if limit <= 0 {
		limit = 50
	}
	return min(limit, 1000), max(offset, 0)
}
