package measure

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// never are addresses that no instance has and that open doors: link-local with
// the metadata services of clouds, those of Alibaba and Amazon, what stands for
// this machine itself, and groups.
var never = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("255.255.255.255/32"),
	netip.MustParsePrefix("ff00::/8"),
}

// refused is the error of an address that must not be probed.
type refused struct{ why string }

// Error says why, and what would allow it.
func (r *refused) Error() string { return r.why }

// networks are where instances may be probed.
type networks []netip.Prefix

// check refuses addresses outside. This machine must be named itself: a network
// that merely covers it does not.
func (n networks) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	inside := func(p netip.Prefix) bool { return p.Contains(addr) }
	if slices.ContainsFunc(never, inside) {
		return &refused{fmt.Sprintf("%s is never probed: it is an address of the network or of its metadata service", addr)}
	}
	named := slices.ContainsFunc(n, func(p netip.Prefix) bool {
		return p.Contains(addr) && (!addr.IsLoopback() || p.Addr().IsLoopback())
	})
	if !named {
		return &refused{fmt.Sprintf("%s is in none of the probe_networks: add its network to that setting of the server", addr)}
	}
	return nil
}

// control checks an address after its name was resolved, just before the
// connection is made: a name cannot change its mind in between.
func (n networks) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &refused{"the address is none that can be checked"}
	}
	return n.check(at.Addr())
}
