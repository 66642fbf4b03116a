package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// credential is what login keeps for one server.
type credential struct {
	Token     string    `json:"token"`
	Username  string    `json:"username"`
	Role      string    `json:"role"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (sh *shell) credentialsFile() (string, error) {
	dir, err := sh.configDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for credentials: %w", err)
	}
	return filepath.Join(dir, "sluice", "credentials.json"), nil
}

// loadCredentials reads what login stored, by account: a server, or a context's server and name; nothing when it never ran.
func (sh *shell) loadCredentials() (map[string]credential, error) {
	name, err := sh.credentialsFile()
	if err != nil {
		// No home folder, as in many containers: nothing can be stored there.
		return nil, nil //nolint:nilerr // the same as never having signed in
	}
	content, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	var stored map[string]credential
	if err := json.Unmarshal(content, &stored); err != nil {
		return nil, fmt.Errorf("read credentials: %s is damaged, sign in again with sluice login", name)
	}
	return stored, nil
}

// storeCredential keeps c for an account, readable by its owner alone. The file is
// replaced in one step, so that a crash leaves the old or the new one.
func (sh *shell) storeCredential(account string, c credential) (string, error) {
	name, err := sh.credentialsFile()
	if err != nil {
		return "", err
	}
	stored, err := sh.loadCredentials()
	if err != nil || stored == nil {
		stored = map[string]credential{} // a damaged file is what signing in again mends
	}
	stored[account] = c
	return name, writeCredentials(name, stored)
}

func writeCredentials(name string, stored map[string]credential) error {
	content, err := json.MarshalIndent(stored, "", "  ")
	if err != nil {
		return fmt.Errorf("store credentials: %w", err)
	}
	if err := writePrivate(name, append(content, '\n')); err != nil {
		return fmt.Errorf("store credentials: %w", err)
	}
	return nil
}

// forgetCredential drops what is kept for an account, if anything is.
func (sh *shell) forgetCredential(account string) error {
	stored, err := sh.loadCredentials()
	if err != nil {
		return err
	}
	if _, kept := stored[account]; !kept {
		return nil
	}
	name, err := sh.credentialsFile()
	if err != nil {
		return err
	}
	delete(stored, account)
	return writeCredentials(name, stored)
}

func writePrivate(name string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".credentials-*") // 0600 from birth
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
