//go:build !linux

package testenv

import (
	"errors"
	"syscall"
)

const errNoSpace = syscall.ENOSPC

func mountSmall(string, int) error { return errors.New("only Linux has small disks in memory") }

func unmount(string) error { return nil }
