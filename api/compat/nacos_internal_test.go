package compat

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/profile"
)

// counted is one profile, and how often its data was read.
type counted struct {
	Configs // the rest is not asked
	config  Config
	reads   int
}

func (c *counted) Config(context.Context, string) (Config, error) {
	c.reads++
	return c.config, nil
}

func (c *counted) Index(context.Context, string) (int64, error) { return c.config.Index, nil }

// Who waits looks at indexes, and reads data only where one has changed: reading opens secrets.
func TestNacosReadsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	from, seen := &counted{config: Config{Index: 7, Data: profile.Data{"size": "1"}}}, nacosSeen{}
	text := nacosText{dataID: "cart", md5: nacosMD5([]byte(`{"size":"1"}`))}
	for range 5 {
		if other, err := text.differs(t.Context(), from, seen); other || err != nil {
			t.Fatalf("the same is told to be other, or %v", err)
		}
	}
	if from.reads != 1 {
		t.Errorf("read %d times", from.reads)
	}
	from.config = Config{Index: 8, Data: profile.Data{"size": "2"}}
	if other, err := text.differs(t.Context(), from, seen); !other || err != nil {
		t.Errorf("other data is told to be the same, or %v", err)
	}
}

func TestNacosWait(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]time.Duration{"": 0, "x": 0, "100": 0, "30000": 29500 * time.Millisecond, "9999999": time.Minute} {
		h := http.Header{"Long-Pulling-Timeout": {said}}
		if got := nacosWait(h); got != want {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
		h.Set("Long-Pulling-Timeout-No-Hangup", "true")
		if got := nacosWait(h); got != 0 {
			t.Errorf("a client that is starting would wait %s", got)
		}
	}
}

// A client brings its token as a password once, and then as it was told to.
func TestNacosToken(t *testing.T) {
	t.Parallel()
	form := func(body string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	query := httptest.NewRequestWithContext(t.Context(), "GET", "/?accessToken=two", nil)
	if one, two, three := nacosToken(form("username=x&password=one")), nacosToken(query), nacosToken(form("accessToken=three&dataId=x")); one != "one" || two != "two" || three != "three" {
		t.Errorf("%q %q %q", one, two, three)
	}
	if got := nacosToken(form("x=" + strings.Repeat("x", nacosBody) + "&password=late")); got != "" {
		t.Errorf("a body beyond its bound gave %q", got)
	}
}
