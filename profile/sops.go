package profile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// SopsFile is a file with values that sops encrypted: what it takes to see whether anybody changed it since.
type SopsFile struct {
	Keys             []string // the file's key, encrypted by age for one recipient each, base64
	LastModified     string   // as it is written: the MAC is bound to it
	MAC              string   // ENC[...]
	MACOnlyEncrypted bool     // the MAC covers the encrypted values alone
	Values           []SopsValue
}

// SopsValue is one value of a file, in the file's order.
type SopsValue struct {
	At     string // keys from the top of the file, joined by colons
	Cipher string // ENC[...]; "" for a value that is not encrypted
	Plain  string // of that, as sops writes it into the MAC
}

// Keeper knows which secrets will open. What it says holds nothing of a secret, and "" when nothing speaks against one.
type Keeper interface {
	// RefProblem says why a profile's reference will not open, as far as can be seen without asking anybody.
	RefProblem(profile, ref string) string
	// SopsProblem says why a file that sops encrypted is not to be taken: it does not open, or was changed.
	SopsProblem(f SopsFile) string
}

var (
	sopsCipher = regexp.MustCompile(`^ENC\[AES256_GCM,data:[A-Za-z0-9+/=]*,iv:[A-Za-z0-9+/=]+,tag:[A-Za-z0-9+/=]+,type:[a-z]+\]$`)
	ageArmor   = regexp.MustCompile(`^-----BEGIN AGE ENCRYPTED FILE-----\n([A-Za-z0-9+/=\n]+)\n-----END AGE ENCRYPTED FILE-----\n?$`)
)

const (
	maxSopsKeys  = 32
	sopsMetadata = "sops" // key of what sops says of a file
)

// sops takes what sops wrote out of a file's tree: its section at the top, and the encrypted values in data, which become
// secrets that carry all that opens them. It returns nil when something is wrong with them, which is then reported.
func (l *loader) sops(root *tree) *tree {
	section, ok := root.fields[sopsMetadata]
	if !ok {
		l.refuseStray(root)
		return root
	}
	f, ok := l.sopsSection(section.value)
	if !ok {
		return nil
	}
	out := &tree{at: root.at, kind: mapTree, fields: map[string]field{}, size: 1}
	for _, k := range root.keys {
		if k == sopsMetadata {
			continue
		}
		w := sopsWalk{l: l, f: &f, inData: k == "data"}
		out.put(k, field{at: root.fields[k].at, value: w.tree(root.fields[k].value, k)})
	}
	if len(l.out.errors) == 0 && l.keeper != nil {
		if problem := l.keeper.SopsProblem(f); problem != "" {
			l.out.add(section.at.problem("$.sops", problem))
		}
	}
	return out
}

// sopsSection reads the section that sops keeps at the end of a file.
func (l *loader) sopsSection(t *tree) (f SopsFile, ok bool) {
	fail := func(at place, path, message string) (SopsFile, bool) {
		l.out.add(at.problem("$.sops"+path, message))
		return SopsFile{}, false
	}
	if t.kind != mapTree {
		return fail(t.at, "", "sops must be the section that sops writes, got "+t.typeName())
	}
	if groups, ok := t.fields["key_groups"]; ok {
		return fail(groups.at, ".key_groups", "key groups are not supported: encrypt the file for age recipients alone")
	}
	text := func(key string) string {
		s, _ := t.fieldValue(key).(string)
		return s
	}
	f.LastModified, f.MAC = text("lastmodified"), text("mac")
	f.MACOnlyEncrypted, _ = t.fieldValue("mac_only_encrypted").(bool)
	if f.LastModified == "" || !sopsCipher.MatchString(f.MAC) {
		return fail(t.at, "", "the section has no lastmodified or no mac: it was not written by sops, or was cut")
	}
	recipients, ok := t.fields["age"]
	if !ok || recipients.value.kind != listTree || len(recipients.value.items) == 0 {
		return fail(t.at, ".age", "the file is encrypted for no age recipient: only those are read, add one with sops updatekeys")
	}
	for i, item := range recipients.value.items {
		armored, _ := item.fieldValue("enc").(string)
		m := ageArmor.FindStringSubmatch(armored)
		if m == nil || i >= maxSopsKeys {
			return fail(item.at, joinIndex(".age", i), fmt.Sprintf("is not the file's key as age encrypts it, or one of more than %d", maxSopsKeys))
		}
		key := strings.ReplaceAll(m[1], "\n", "")
		if _, err := base64.StdEncoding.DecodeString(key); err != nil {
			return fail(item.at, joinIndex(".age", i), "is not the file's key as age encrypts it")
		}
		f.Keys = append(f.Keys, key)
	}
	return f, true
}

// fieldValue is the scalar of a map's field, or nil.
func (t *tree) fieldValue(key string) any {
	if t.kind != mapTree {
		return nil
	}
	f, ok := t.fields[key]
	if !ok || f.value.kind != scalarTree {
		return nil
	}
	return f.value.scalar
}

// sopsWalk goes through one field of the file, in the file's order.
type sopsWalk struct {
	l      *loader
	f      *SopsFile
	inData bool
}

func (w sopsWalk) tree(t *tree, at string) *tree {
	switch t.kind {
	case mapTree:
		out := &tree{at: t.at, kind: mapTree, fields: map[string]field{}, size: 1}
		for _, k := range t.keys {
			out.put(k, field{at: t.fields[k].at, value: w.tree(t.fields[k].value, at+":"+k)})
		}
		return out
	case listTree:
		out := &tree{at: t.at, kind: listTree, items: make([]*tree, len(t.items)), size: 1}
		for i, item := range t.items {
			out.items[i] = w.tree(item, at) // sops counts no items
			out.size += out.items[i].size
		}
		return out
	}
	text, isText := t.scalar.(string)
	if !isText || !sopsCipher.MatchString(text) {
		if t.scalar != nil {
			w.f.Values = append(w.f.Values, SopsValue{At: at, Plain: sopsText(t.scalar)})
		}
		return t
	}
	w.f.Values = append(w.f.Values, SopsValue{At: at, Cipher: text})
	if !w.inData {
		w.l.out.add(t.at.problem("$."+strings.ReplaceAll(at, ":", "."), "only values below data may be encrypted: say which with sops --encrypted-regex"))
		return t
	}
	return secretTree(t.at, Sops{Cipher: text, At: at, Keys: w.f.Keys})
}

// sopsText is how sops writes a plain value into the MAC.
func sopsText(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "True"
		}
		return "False"
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
		n, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return strconv.FormatFloat(n, 'f', -1, 64)
	case string:
		return v
	}
	return ""
}

// secretTree is an encrypted value as it stands in data.
func secretTree(at place, s Sops) *tree {
	scalar := func(v any) *tree { return &tree{at: at, kind: scalarTree, scalar: v, size: 1} }
	keys := &tree{at: at, kind: listTree, size: 1}
	for _, k := range s.Keys {
		keys.items = append(keys.items, scalar(k))
		keys.size++
	}
	out := &tree{at: at, kind: mapTree, fields: map[string]field{}, size: 1, made: true}
	out.put(SopsKey, field{at: at, value: scalar(s.Cipher)})
	out.put("at", field{at: at, value: scalar(s.At)})
	out.put("keys", field{at: at, value: keys})
	return out
}

// refuseStray reports encrypted values in a file that has lost what opens them: a service would get them as they stand.
func (l *loader) refuseStray(t *tree) {
	switch t.kind {
	case mapTree:
		for _, k := range t.keys {
			l.refuseStray(t.fields[k].value)
		}
	case listTree:
		for _, item := range t.items {
			l.refuseStray(item)
		}
	default:
		if s, ok := t.scalar.(string); ok && sopsCipher.MatchString(s) {
			l.out.add(t.at.problem("", "the value is encrypted by sops, but the file has no section sops: it cannot be opened"))
		}
	}
}
