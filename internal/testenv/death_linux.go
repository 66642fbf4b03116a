package testenv

import "syscall"

// dieWithUs ends a server also when the tests are killed.
func dieWithUs(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
