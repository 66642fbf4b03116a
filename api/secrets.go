package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// TokenPrefix tells what a token is for before it is looked up, and lets
// scanners find one that leaked.
type TokenPrefix string

// The prefixes of tokens.
const (
	UserToken         TokenPrefix = "slt_"
	InstanceToken     TokenPrefix = "sli_"
	RegistrationToken TokenPrefix = "slr_"
)

const maxToken = 256

// NewToken makes a token of 256 random bits.
func NewToken(prefix TokenPrefix) string {
	random := make([]byte, 32)
	rand.Read(random)
	return string(prefix) + base64.RawURLEncoding.EncodeToString(random)
}

// HashToken is what is kept of a token. Tokens are random enough for a plain hash.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// The cost of a password hash: about 50 ms and 19 MiB, as OWASP recommends.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonKey     = 32
	maxPassword  = 1024
)

// ErrPassword is returned for a password that cannot be one.
var ErrPassword = errors.New("a password has 8 to 1,024 bytes")

// HashPassword makes an argon2id hash that carries its parameters.
func HashPassword(password string) (string, error) {
	if len(password) < 8 || len(password) > maxPassword {
		return "", ErrPassword
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// VerifyPassword says whether password made the hash, in constant time. A hash
// that is not understood verifies nothing.
func VerifyPassword(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || len(password) > maxPassword {
		return false
	}
	var version, memory, passes, threads int
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil ||
		memory <= 0 || memory > 1<<20 || passes <= 0 || passes > 100 || threads <= 0 || threads > 64 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) == 0 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, uint32(passes), uint32(memory), uint8(threads), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}
