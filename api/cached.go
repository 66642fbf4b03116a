package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/sluicehq/sluice/store"
)

// keptData is how long the cache keeps data that nobody asks for.
const keptData = time.Hour

// assigned reads what an instance should run. Which version that is comes from
// the store each time; its data, which its hash names and which never changes,
// comes from the cache where that has it: a change that goes to thousands of
// instances is read once.
func (a *API) assigned(ctx context.Context, instanceID string) ([]store.AssignedVersion, error) {
	list, err := a.opts.Store.AssignmentsOf(ctx, instanceID)
	if err != nil {
		return nil, err
	}
	out := make([]store.AssignedVersion, len(list))
	for i, one := range list {
		data, ok := a.cachedData(ctx, one.Hash)
		if !ok {
			return a.assignedAnew(ctx, instanceID)
		}
		out[i] = store.AssignedVersion{Assignment: one, Data: data}
	}
	return out, nil
}

// assignedAnew reads the data from the store too, and keeps it.
func (a *API) assignedAnew(ctx context.Context, instanceID string) ([]store.AssignedVersion, error) {
	list, err := a.opts.Store.InstanceAssignments(ctx, instanceID)
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		if hashOf(one.Data) == one.Hash {
			a.opts.Cache.Put(ctx, dataKey(one.Hash), one.Data, keptData)
		}
	}
	return list, nil
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
