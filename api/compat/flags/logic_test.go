package flags

import (
	"encoding/json"
	"testing"
)

// What jsonlogic.com says of its operators, and JavaScript of its values.
func TestLogic(t *testing.T) {
	t.Parallel()
	const seen = `{"a": 1, "s": "", "list": [1, 2, 3, 4, 5], "none": null, "pies": [{"p": "apple", "t": 350}, {"p": "plum", "t": 20}], "name": "Ann"}`
	for rule, want := range map[string]string{
		`{"!!": [[]]}`: `false`, `{"!!": ["0"]}`: `true`, `{"!!": {"var": "s"}}`: `false`, `{"!!": [0]}`: `false`, `{"!!": [{"a": 1, "b": 2}]}`: `true`,
		`{"and": [true, "a", 3]}`: `3`, `{"and": [true, "", 3]}`: `""`, `{"and": [null, true]}`: `null`, `{"or": [false, "a"]}`: `"a"`, `{"or": [0, ""]}`: `""`,
		`{"==": [1, "1"]}`: `true`, `{"==": [0, false]}`: `true`, `{"==": [null, 0]}`: `false`, `{"===": [1, "1"]}`: `false`, `{"!=": [1, "1"]}`: `false`, `{"!==": [1, "1"]}`: `true`,
		`{"==": [[1], "1"]}`: `true`, `{"===": [[1], [1]]}`: `false`, `{"==": [{"var": "pies.0"}, "x"]}`: `false`,
		`{"if": [false, "a", false, "b", "c"]}`: `"c"`, `{"if": [false, "a"]}`: `null`, `{"?:": [1, "a", "b"]}`: `"a"`,
		`{"<": [1, 2, 3]}`: `true`, `{"<": [1, 1, 3]}`: `false`, `{"<=": [1, 1, 3]}`: `true`, `{"<": ["a", 1]}`: `false`, `{">": ["b", "a"]}`: `true`, `{"<": [1]}`: `false`,
		`{"max": [1, 2, "3"]}`: `3`, `{"min": [1, 2, -3]}`: `-3`, `{"+": ["3.5"]}`: `3.5`, `{"+": [1, "2", 3]}`: `6`, `{"-": [2]}`: `-2`, `{"-": [4, 2]}`: `2`,
		`{"*": [2, 2, 2]}`: `8`, `{"/": [4, 2]}`: `2`, `{"/": [1, 0]}`: `null`, `{"%": [101, 2]}`: `1`, `{"+": ["x"]}`: `null`,
		`{"map": [{"var": "list"}, {"*": [{"var": ""}, 2]}]}`: `[2,4,6,8,10]`, `{"filter": [{"var": "list"}, {"%": [{"var": ""}, 2]}]}`: `[1,3,5]`,
		`{"reduce": [{"var": "list"}, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]}`: `15`, `{"map": [{"var": "a"}, 1]}`: `[]`,
		`{"all": [{"var": "list"}, {">": [{"var": ""}, 0]}]}`: `true`, `{"all": [[], true]}`: `false`, `{"none": [[], true]}`: `true`, `{"some": [[], true]}`: `false`,
		`{"some": [{"var": "pies"}, {"==": [{"var": "p"}, "plum"]}]}`: `true`,
		`{"merge": [[1, 2], 3, [4]]}`:                                 `[1,2,3,4]`, `{"in": ["Spring", "Springfield"]}`: `true`, `{"in": [1, "abc1"]}`: `true`, `{"in": ["1", [1]]}`: `false`, `{"in": ["a", 5]}`: `false`,
		`{"cat": ["I love", " ", 3.5, true, null]}`: `"I love 3.5true"`, `{"cat": [1e21]}`: `"1e+21"`, `{"cat": [[1, 2]]}`: `"1,2"`,
		`{"substr": ["jsonlogic", 4]}`: `"logic"`, `{"substr": ["jsonlogic", -5]}`: `"logic"`, `{"substr": ["jsonlogic", 1, 3]}`: `"son"`, `{"substr": ["jsonlogic", 4, -2]}`: `"log"`,
		`{"var": "pies.1.p"}`: `"plum"`, `{"var": ["nope", 26]}`: `26`, `{"var": "list.9"}`: `null`, `{"var": "name.x"}`: `null`, `{"var": ["none", "x"]}`: `"x"`,
		`{"missing": ["a", "b", "s"]}`: `["b","s"]`, `{"missing": [["b", "a"]]}`: `["b"]`, `{"missing_some": [1, ["a", "b"]]}`: `[]`, `{"missing_some": [2, ["a", "b", "c"]]}`: `["b","c"]`,
		`{"a": 1, "b": 2}`: `{"a":1,"b":2}`, `[1, {"+": [1, 1]}]`: `[1,2]`, `{"log": "x"}`: `"x"`, `{"!": true}`: `false`,
		`{"starts_with": ["abc", "ab"]}`: `true`, `{"ends_with": ["abc", 1]}`: `null`, `{"sem_ver": ["V1.2", "=", "1.2.0"]}`: `true`, `{"sem_ver": ["1.2.3.4", "=", "1.2.3"]}`: `null`,
		`{"fractional": []}`: `null`, `{"fractional": ["x"]}`: `null`, `{"fractional": ["x", ["a", 0]]}`: `null`, `{"fractional": ["x", ["a", -5], ["b", 1]]}`: `"b"`,
		`{"fractional": ["x", ["a", 2147483647], ["b", 1]]}`: `null`, `{"fractional": [null, ["a"]]}`: `null`,
	} {
		var parsed any
		var data map[string]any
		if err := json.Unmarshal([]byte(rule), &parsed); err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if err := json.Unmarshal([]byte(seen), &data); err != nil {
			t.Fatal(err)
		}
		result, err := evaluateRule(parsed, data)
		got, failed := json.Marshal(result)
		if err != nil || failed != nil || string(got) != want {
			t.Errorf("%s is %s (%v %v), want %s", rule, got, err, failed, want)
		}
	}
}
