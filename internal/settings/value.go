package settings

import (
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/redact"
	"github.com/sluicehq/sluice/profile"
)

// setText sets a scalar setting from its text form, the same for the file,
// the environment and the command line.
func setText(v reflect.Value, kind, text string) error {
	switch kind {
	case "string":
		v.SetString(text)
	case "bool":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		v.SetBool(b)
	case "integer":
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(int64(n))
	case "number":
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(n)
	case "duration":
		d, err := profile.ParseDuration(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(d.Std()))
	case "age":
		a, err := parseAge(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(a))
	case "size":
		n, err := parseSize(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(n))
	case "list":
		v.Set(reflect.ValueOf(splitList(text)))
	default:
		return fmt.Errorf("a %s has no text form", kind)
	}
	return nil
}

// splitList reads "a, b,c".
func splitList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseSize(text string) (Size, error) {
	number, unit := text, int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<40)/unit {
		return 0, fmt.Errorf("%q is not a size, write 512KiB or 1MiB", text)
	}
	return Size(n * unit), nil
}

func formatSize(s Size) string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

const day = Age(24 * time.Hour)

// parseAge reads 90d and 36h, up to a hundred years.
func parseAge(text string) (Age, error) {
	number, days := strings.CutSuffix(text, "d")
	if n, err := strconv.ParseUint(number, 10, 16); days && err == nil && n <= 36500 {
		return Age(n) * day, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || Age(d) > 36500*day {
		return 0, fmt.Errorf("%q is not an age, write 90d or 36h", text)
	}
	return Age(d), nil
}

func formatAge(a Age) string {
	if a%day == 0 {
		return strconv.FormatInt(int64(a/day), 10) + "d"
	}
	return time.Duration(a).String()
}

// logValue shows a struct by its keys; secrets hide themselves, and no URL
// shows who signs in.
func logValue(s any) slog.Value {
	v := reflect.ValueOf(s)
	var attrs []slog.Attr
	for _, f := range fieldsOf(v.Type()) {
		field := v.FieldByIndex(f.index)
		if field.IsZero() {
			continue
		}
		attrs = append(attrs, slog.Attr{Key: f.Key, Value: logField(f, field)})
	}
	return slog.GroupValue(attrs...)
}

func logField(f Field, v reflect.Value) slog.Value {
	switch x := v.Interface().(type) {
	case Secret:
		return x.LogValue()
	case Size:
		return slog.StringValue(x.String())
	case Age:
		return slog.StringValue(x.String())
	case time.Duration:
		return slog.DurationValue(x)
	case bool:
		return slog.BoolValue(x)
	case int:
		return slog.IntValue(x)
	case float64:
		return slog.Float64Value(x)
	case []string:
		return slog.StringValue(strings.Join(x, ","))
	case string:
		if strings.HasSuffix(f.Key, "url") {
			return slog.StringValue(redact.URL(x))
		}
		return slog.StringValue(x)
	default:
		if v.Kind() == reflect.Slice {
			return logEntries(v)
		}
		return logValue(x)
	}
}

// logEntries shows a list of structs by their ids or names, or else by number.
func logEntries(v reflect.Value) slog.Value {
	attrs := make([]slog.Attr, v.Len())
	for i := range attrs {
		name := strconv.Itoa(i)
		for _, f := range fieldsOf(v.Type().Elem()) {
			if f.Key == "id" || f.Key == "name" {
				name = v.Index(i).FieldByIndex(f.index).String()
			}
		}
		attrs[i] = slog.Attr{Key: name, Value: logValue(v.Index(i).Interface())}
	}
	return slog.GroupValue(attrs...)
}
