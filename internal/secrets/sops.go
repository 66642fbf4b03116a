package secrets

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/sluicehq/sluice/profile"
)

// Ages are age identities, which open the keys of files that sops encrypted.
// Printing them shows none.
type Ages struct{ list []age.Identity }

// ParseAges reads identities as age-keygen writes them, one a line. No text is
// no identity. Its errors never repeat the text.
func ParseAges(text string) (Ages, error) {
	if strings.TrimSpace(text) == "" {
		return Ages{}, nil
	}
	list, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil {
		return Ages{}, errors.New("it is not a list of age identities, AGE-SECRET-KEY-1... one a line; age-keygen makes one")
	}
	return Ages{list: list}, nil
}

// Any says that there is an identity.
func (a Ages) Any() bool { return len(a.list) > 0 }

// String says how many there are.
func (a Ages) String() string { return fmt.Sprintf("%d age identities", len(a.list)) }

// GoString is String, so that %#v shows none either.
func (a Ages) GoString() string { return a.String() }

// LogValue is String, for slog.
func (a Ages) LogValue() slog.Value { return slog.StringValue(a.String()) }

// maxFileKey bounds a file's key as it is encrypted for one recipient, and how
// many of those are tried.
const (
	maxFileKey    = 8 << 10
	maxRecipients = 32
)

// fileKey opens the key of a file: it is encrypted once for each recipient.
func (a Ages) fileKey(keys []string) ([]byte, error) {
	if !a.Any() {
		return nil, errors.New("there is no age identity here: see sops_age_keys")
	}
	if len(keys) > maxRecipients {
		return nil, fmt.Errorf("the file has more than %d recipients", maxRecipients)
	}
	for _, encoded := range keys {
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) > maxFileKey {
			continue
		}
		opened, err := age.Decrypt(bytes.NewReader(raw), a.list...)
		if err != nil {
			continue
		}
		key, err := io.ReadAll(io.LimitReader(opened, keySize+1))
		if err == nil && len(key) == keySize {
			return key, nil
		}
	}
	return nil, errors.New("the file is encrypted for none of the identities in sops_age_keys: add theirs to its recipients with sops updatekeys")
}

// openValue decrypts one value.
func (a Ages) openValue(s profile.Sops) (any, error) {
	key, err := a.fileKey(s.Keys)
	if err != nil {
		return nil, err
	}
	plain, kind, err := decryptSops(key, s.Cipher, s.At+":")
	if err != nil {
		return nil, err
	}
	return typed(plain, kind)
}

var sopsCipher = regexp.MustCompile(`^ENC\[AES256_GCM,data:([A-Za-z0-9+/=]*),iv:([A-Za-z0-9+/=]+),tag:([A-Za-z0-9+/=]+),type:([a-z]+)\]$`)

// errSops is of a value that does not open, whatever is wrong with it.
var errSops = errors.New("the value does not open: it was changed, moved to another place, or is of another file")

// decryptSops opens ENC[...]; bound is what it is bound to: its path in the file.
func decryptSops(key []byte, text, bound string) (plain, kind string, err error) {
	m := sopsCipher.FindStringSubmatch(text)
	if m == nil {
		return "", "", errors.New("the value is not ENC[AES256_GCM,data:...,iv:...,tag:...,type:...]")
	}
	parts := make([][]byte, 3)
	for i := range parts {
		if parts[i], err = base64.StdEncoding.DecodeString(m[i+1]); err != nil {
			return "", "", errSops
		}
	}
	data, iv, tag := parts[0], parts[1], parts[2]
	if len(iv) < 12 || len(iv) > 64 || len(tag) != 16 {
		return "", "", errSops
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", "", errSops
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		return "", "", errSops
	}
	opened, err := aead.Open(nil, iv, append(data, tag...), []byte(bound))
	if err != nil {
		return "", "", errSops
	}
	return string(opened), m[4], nil
}

// typed is the value that an encrypted text stands for.
func typed(plain, kind string) (any, error) {
	if !utf8.ValidString(plain) || len(plain) > maxValue {
		return nil, errors.New("the value is no text, or too long")
	}
	switch kind {
	case "str", "comment", "bytes":
		return plain, nil
	case "int":
		n, err := strconv.ParseInt(plain, 10, 64)
		if err != nil {
			return nil, errors.New("the value is no whole number")
		}
		return json.Number(strconv.FormatInt(n, 10)), nil
	case "float":
		f, err := strconv.ParseFloat(plain, 64)
		if err != nil || f-f != 0 {
			return nil, errors.New("the value is no number")
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
	case "bool":
		switch strings.ToLower(plain) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, errors.New("the value is neither true nor false")
	}
	return nil, errors.New("the value has a type that is not known")
}

// macOnlyEncrypted begins the hash of a MAC that covers encrypted values alone,
// so that it is never that of the other kind. The bytes are sops's own.
var macOnlyEncrypted = []byte{
	0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
	0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
}

// verify opens every encrypted value of a file and compares the file with its MAC.
func (a Ages) verify(f profile.SopsFile) error {
	key, err := a.fileKey(f.Keys)
	if err != nil {
		return err
	}
	hash := sha512.New()
	if f.MACOnlyEncrypted {
		hash.Write(macOnlyEncrypted)
	}
	for _, v := range f.Values {
		if v.Cipher == "" {
			if !f.MACOnlyEncrypted {
				hash.Write([]byte(v.Plain))
			}
			continue
		}
		plain, kind, err := decryptSops(key, v.Cipher, v.At+":")
		if err != nil {
			return fmt.Errorf("%s: %w", v.At, err)
		}
		if kind != "comment" {
			hash.Write([]byte(plain))
		}
	}
	said, _, err := decryptSops(key, f.MAC, f.LastModified)
	if err != nil {
		return errors.New("the file's mac does not open: it was changed, or is of another file")
	}
	if want := fmt.Sprintf("%X", hash.Sum(nil)); subtle.ConstantTimeCompare([]byte(said), []byte(want)) != 1 {
		return errors.New("the file is not what its mac says: somebody changed it without sops; change it with sops edit")
	}
	return nil
}

// SopsProblem says why a file that sops encrypted is not to be taken; "" when
// it opens and is what sops wrote.
func (k *Keeper) SopsProblem(f profile.SopsFile) string {
	if err := k.opts.Ages.verify(f); err != nil {
		return err.Error()
	}
	return ""
}

// RefProblem says why a profile's reference will not open, as far as can be seen
// without asking anybody; "" when nothing speaks against it.
func (k *Keeper) RefProblem(name, ref string) string {
	if refused, ok := errors.AsType[*Error](k.CheckReference(name, "", ref)); ok {
		return refused.Reason
	}
	return ""
}

var _ profile.Keeper = (*Keeper)(nil)
