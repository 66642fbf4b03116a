package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// AuditFilter narrows Audit; empty fields do not.
type AuditFilter struct {
	List
	EntityType, EntityID, User, EventType string
	Since, Until                          time.Time
}

// Audit lists audit events.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (wire.Page[wire.AuditEvent], error) {
	return get[wire.Page[wire.AuditEvent]](ctx, c, pathf("audit"), f.values())
}

func (f AuditFilter) values() url.Values {
	return f.query("entityType", f.EntityType, "entityId", f.EntityID, "user", f.User, "eventType", f.EventType,
		"since", stamp(f.Since), "until", stamp(f.Until))
}

// VerifyAudit has the server follow the chain of its audit log. It is the server's own word on its
// database: who has both is not found out by it.
func (c *Client) VerifyAudit(ctx context.Context) (wire.AuditVerification, error) {
	var out wire.AuditVerification
	err := c.do(ctx, call{method: http.MethodGet, path: pathf("audit", "verify"), timeout: time.Minute}, &out)
	return out, err
}

// ExportAudit writes every event that the filter lets through to w, as mediaType says: text/csv or
// application/x-ndjson. It takes as long as there are events; an error says that what was written is
// not all of it.
func (c *Client) ExportAudit(ctx context.Context, f AuditFilter, mediaType string, w io.Writer) error {
	f.List = List{}
	k := call{method: http.MethodGet, path: pathf("audit"), query: f.values(), header: http.Header{"Accept": {mediaType}}}
	res, err := c.send(ctx, k)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("%s %s: the export broke off: %w", k.method, k.path, err)
	}
	return nil
}
