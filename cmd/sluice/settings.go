package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/internal/settings"
)

const (
	settingsFile    = "sluice.yaml"
	settingsFileEnv = "SLUICE_CONFIG"
)

// flagText is a flag that is kept as it was written: the settings parse it
// themselves, the same way as a variable or a key of the file.
type flagText struct{ text, kind string }

// String is the text as it was given.
func (f *flagText) String() string { return f.text }

// Set keeps the text.
func (f *flagText) Set(text string) error { f.text = text; return nil }

// Type names the kind of value in the help.
func (f *flagText) Type() string { return f.kind }

// addSettings gives a command a flag for every setting, and --config.
func addSettings(flags *pflag.FlagSet) {
	flags.SortFlags = false // the table's order goes from what matters to what rarely does
	flags.String("config", "", "settings file ("+settingsFileEnv+"; "+settingsFile+" where it exists)")
	for _, f := range settings.Fields() {
		flag := &pflag.Flag{
			Name: f.Flag, Usage: f.Help + " (" + f.Env + ")", Value: &flagText{f.Default, f.Kind}, DefValue: f.Default,
		}
		if f.Kind == "bool" || f.Key == "migrate" {
			flag.NoOptDefVal = "true"
		}
		flags.AddFlag(flag)
	}
}

// loadSettings reads the settings file and puts the settings together.
func loadSettings(flags *pflag.FlagSet, getenv func(string) string) (settings.Settings, error) {
	in := settings.Input{Env: getenv, ReadFile: os.ReadFile, Flags: map[string]string{}}
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "config" {
			in.Flags[f.Name] = f.Value.String()
		}
	})
	name, err := flags.GetString("config")
	if err != nil {
		return settings.Settings{}, err
	}
	if name == "" {
		name = getenv(settingsFileEnv)
	}
	asked := name != ""
	if !asked {
		name = settingsFile
	}
	in.FileName = name
	switch in.File, err = os.ReadFile(name); {
	case err == nil, !asked && errors.Is(err, fs.ErrNotExist):
	default:
		return settings.Settings{}, fmt.Errorf("read settings: %w", err)
	}
	return settings.Load(in)
}
