package gitsource

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// addressPolicy says which addresses a source may connect to. It judges the address that is really dialled, after
// name resolution, so that neither a rebinding name nor an odd spelling gets round it.
type addressPolicy struct {
	allowLoopback bool
	denyPrivate   bool
}

// never lists what no source may reach: cloud metadata and platform services outside the link-local range.
var never = []netip.Prefix{
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS over IPv6
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud over IPv6
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("240.0.0.0/4"),
}

var (
	carrierGrade = netip.MustParsePrefix("100.64.0.0/10")
	nat64        = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour    = netip.MustParsePrefix("2002::/16")
)

// check returns an error that wraps ErrBlockedAddress when the address is not allowed.
func (p addressPolicy) check(addr netip.Addr) error {
	addr = embedded(addr.WithZone("").Unmap())
	blocked := addr.IsUnspecified() || addr.IsMulticast() || addr.IsLinkLocalUnicast() ||
		addr.IsInterfaceLocalMulticast() || !addr.IsValid()
	for _, prefix := range never {
		blocked = blocked || prefix.Contains(addr)
	}
	switch {
	case blocked:
		return fmt.Errorf("%w: %s is a link-local, metadata or reserved address", ErrBlockedAddress, addr)
	case addr.IsLoopback() && !p.allowLoopback:
		return fmt.Errorf("%w: %s is a loopback address", ErrBlockedAddress, addr)
	case p.denyPrivate && (addr.IsPrivate() || carrierGrade.Contains(addr)):
		return fmt.Errorf("%w: %s is a private address", ErrBlockedAddress, addr)
	}
	return nil
}

// embedded returns the IPv4 address inside a NAT64 or 6to4 address: a gateway would forward to it.
func embedded(addr netip.Addr) netip.Addr {
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return addr
}

func (p addressPolicy) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: not an IP address", ErrBlockedAddress)
	}
	return p.check(ap.Addr())
}

func (p addressPolicy) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: p.control}
}
