package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/sluicehq/sluice/fleet"
)

// keptData is how long the cache keeps data that nobody asks for.
const keptData = time.Hour

// dataOf reads the data of an assigned version. Which version that is comes from
// the store each time; its data, which its hash names and which never changes,
// comes from the cache where that has it: a change that goes to thousands of
// instances is read once.
func (a *API) dataOf(ctx context.Context, of fleet.Assignment) ([]byte, error) {
	if data, ok := a.cachedData(ctx, of.Hash); ok {
		return data, nil
	}
	data, err := a.opts.Store.VersionData(ctx, of.Profile, of.Version, of.Hash)
	if err == nil {
		a.keepData(ctx, of.Hash, data)
	}
	return data, err
}

// keepData puts data that is what its hash says into the cache.
func (a *API) keepData(ctx context.Context, hash string, data []byte) {
	if hashOf(data) == hash {
		a.opts.Cache.Put(ctx, dataKey(hash), data, keptData)
	}
}

// cachedData gives data that is what its hash says. Whatever else is in the
// cache, somebody put there who should not have.
func (a *API) cachedData(ctx context.Context, hash string) ([]byte, bool) {
	data, ok := a.opts.Cache.Get(ctx, dataKey(hash))
	return data, ok && hashOf(data) == hash
}

func dataKey(hash string) string { return "data/" + hash }

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
