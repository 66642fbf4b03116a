package store_test

import (
	"reflect"
	"testing"
	"time"
)

// same compares values as a caller sees them.
func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// fill gives every field that can be reached a value that is not zero.
func fill(v any) { fillValue(reflect.ValueOf(v).Elem(), 3) }

func fillValue(v reflect.Value, depth int) {
	if !v.CanSet() {
		return
	}
	if _, ok := reflect.TypeAssert[time.Time](v); ok {
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(time.Second))
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fillValue(field, depth)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem(), depth)
	case reflect.Slice:
		if depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fillValue(v.Index(0), depth-1)
		}
	case reflect.Map:
		key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fillValue(key, depth)
		fillValue(item, depth)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, item)
	}
}
