package clients_test

import (
	"net"
	"path/filepath"
	"strconv"
	"sync"

	nacos "github.com/nacos-group/nacos-sdk-go/clients"
	"github.com/nacos-group/nacos-sdk-go/clients/config_client"
	"github.com/nacos-group/nacos-sdk-go/common/constant"
	"github.com/nacos-group/nacos-sdk-go/vo"
)

// nacosReaders are clients of nacos-sdk-go that listen, each with what it was told last.
type nacosReaders struct {
	mu   sync.Mutex
	said map[string]string // by token
}

// newNacosReaders starts one for each reader.
func newNacosReaders(s *stage) *nacosReaders {
	s.t.Helper()
	n := &nacosReaders{said: map[string]string{}}
	for _, r := range s.readers {
		c := newNacos(s, r)
		s.must(c.ListenConfig(vo.ConfigParam{DataId: shop + ".json", Group: "DEFAULT_GROUP", OnChange: func(_, _, _, content string) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.said[r.token] = content
		}}))
	}
	return n
}

func newNacos(s *stage, r reader) config_client.IConfigClient {
	s.t.Helper()
	host, text, err := net.SplitHostPort(s.address())
	s.must(err)
	port, err := strconv.ParseUint(text, 10, 64)
	s.must(err)
	dir := s.t.TempDir()
	c, err := nacos.NewConfigClient(vo.NacosClientParam{
		ClientConfig: &constant.ClientConfig{
			TimeoutMs: 5000, Username: "sluice", Password: r.token, NotLoadCacheAtStart: true,
			LogDir: filepath.Join(dir, "log"), CacheDir: filepath.Join(dir, "cache"), RotateTime: "24h", MaxAge: 3, LogLevel: "error",
		},
		ServerConfigs: []constant.ServerConfig{{IpAddr: host, Port: port, ContextPath: "/nacos", Scheme: "http"}},
	})
	s.must(err)
	return c
}

// show is what the listener was told last.
func (n *nacosReaders) show(_ *stage, r reader) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.said[r.token]
}
