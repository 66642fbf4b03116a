//go:build !linux

package testenv

import "syscall"

// dieWithUs is for systems that can end a child with its parent.
func dieWithUs(*syscall.SysProcAttr) {}
