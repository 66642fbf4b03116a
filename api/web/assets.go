package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"path"
)

// Every asset is served by the daemon itself: a page asks no other host for anything.
//
//go:embed assets
var assets embed.FS

// build changes when any asset does.
var build = func() string {
	sum := sha256.New()
	names, err := fs.Glob(assets, "assets/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		text, err := assets.ReadFile(name)
		if err != nil {
			panic(err) // it was listed a line before
		}
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}()

// Asset is a file that pages refer to, and its media type. ok is false for one
// that there is not.
func Asset(name string) (text []byte, mediaType string, ok bool) {
	text, err := assets.ReadFile("assets/" + path.Base(name))
	if err != nil {
		return nil, "", false
	}
	mediaType = mime.TypeByExtension(path.Ext(name))
	if mediaType == "" {
		mediaType = "text/plain; charset=utf-8"
	}
	return text, mediaType, true
}
