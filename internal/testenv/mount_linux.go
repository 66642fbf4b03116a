package testenv

import (
	"fmt"
	"syscall"
)

const errNoSpace = syscall.ENOSPC

func mountSmall(dir string, megabytes int) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0755", megabytes))
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
