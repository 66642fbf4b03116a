package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/store"
)

// auditFilter reads what the log is narrowed by; moment reads a time of it.
func auditFilter(c echo.Context, moment func(echo.Context, string) (time.Time, error), others ...string) (store.AuditFilter, error) {
	if err := filtered(c, append(others, "entityType", "entityId", "user", "eventType", "search", "since", "until")...); err != nil {
		return store.AuditFilter{}, err
	}
	limit, offset, err := paging(c)
	if err != nil {
		return store.AuditFilter{}, err
	}
	f := store.AuditFilter{
		EntityType: c.QueryParam("entityType"), EntityID: c.QueryParam("entityId"), User: c.QueryParam("user"),
		EventType: c.QueryParam("eventType"), Search: c.QueryParam("search"), Limit: limit, Offset: offset, Scope: who(c).scope,
	}
	if f.Since, err = moment(c, "since"); err != nil {
		return f, err
	}
	f.Until, err = moment(c, "until")
	return f, err
}

// The formats that the log is exported in.
const (
	formatCSV    = "csv"
	formatNDJSON = "ndjson"
)

// exportFormat is the one that is asked for by the query, as links do, or by the
// header; "" for a page of JSON.
func exportFormat(c echo.Context) (string, error) {
	format, accept := c.QueryParam("format"), c.Request().Header.Get(echo.HeaderAccept)
	switch {
	case format == formatCSV, format == formatNDJSON:
		return format, nil
	case format != "" && format != "json":
		return "", invalidField("format", "is one of json, csv, ndjson")
	case format == "" && strings.Contains(accept, "text/csv"):
		return formatCSV, nil
	case format == "" && strings.Contains(accept, "application/x-ndjson"):
		return formatNDJSON, nil
	}
	return "", nil
}

func (a *API) listAudit(c echo.Context) error {
	f, err := auditFilter(c, when, "format")
	if err != nil {
		return err
	}
	switch format, err := exportFormat(c); {
	case err != nil:
		return err
	case format == formatCSV:
		return a.exportAudit(c, f, "text/csv; charset=utf-8", csvWriter)
	case format == formatNDJSON:
		return a.exportAudit(c, f, "application/x-ndjson", jsonWriter)
	}
	events, total, err := a.auditPage(c, f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, pageOf(convert(events, wireAudit), total, f.Limit, f.Offset))
}

// auditPage reads one page; an export takes as long as there are pages.
func (a *API) auditPage(c echo.Context, f store.AuditFilter) (events []store.AuditEvent, total int, err error) {
	events, err = look(c.Request().Context(), a.opts.AnswerWithin, func(ctx context.Context) (page []store.AuditEvent, err error) {
		page, total, err = a.opts.Store.Audit(ctx, f)
		return page, err
	})
	return events, total, err
}

// exportAudit writes every event that the filter lets through, page by page.
// One that breaks off in the middle breaks the connection: it must not look
// like a whole one.
func (a *API) exportAudit(c echo.Context, f store.AuditFilter, kind string, writer func(*echo.Response) func([]store.AuditEvent) error) error {
	if f.Until.IsZero() {
		f.Until = a.opts.Store.Clock() // events that come meanwhile would move the pages
	}
	f.Limit, f.Offset = maxLimit, 0
	c.Response().Header().Set(echo.HeaderContentType, kind)
	if format := c.QueryParam("format"); format != "" { // by a link: a browser keeps it as a file
		c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="sluice-audit.`+format+`"`)
	}
	write := writer(c.Response())
	for {
		events, total, err := a.auditPage(c, f)
		if err != nil && c.Response().Committed {
			a.log.ErrorContext(c.Request().Context(), "an export of the audit log broke off", "trace_id", traceID(c), "error", err)
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			return err
		}
		if err := write(events); err != nil {
			return nil // the reader is gone
		}
		if f.Offset += len(events); len(events) == 0 || f.Offset >= total {
			return nil
		}
	}
}

func jsonWriter(w *echo.Response) func([]store.AuditEvent) error {
	encoder := json.NewEncoder(w)
	return func(events []store.AuditEvent) error {
		for _, e := range events {
			if err := encoder.Encode(wireAudit(e)); err != nil {
				return err
			}
		}
		return nil
	}
}

func csvWriter(w *echo.Response) func([]store.AuditEvent) error {
	out := csv.NewWriter(w)
	headed := false
	return func(events []store.AuditEvent) error {
		if !headed {
			headed = true
			if err := out.Write([]string{"id", "createdAt", "eventType", "entityType", "entityId", "user", "details", "traceId", "hash"}); err != nil {
				return err
			}
		}
		for _, e := range events {
			details, err := json.Marshal(e.Fact.Details)
			if err != nil {
				return err
			}
			row := []string{strconv.FormatInt(e.ID, 10), e.At.Format(time.RFC3339Nano), e.Fact.Type, e.Fact.EntityType, e.Fact.EntityID, e.Fact.Actor, string(details), e.Fact.TraceID, e.Hash}
			for i := range row {
				row[i] = inert(row[i])
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	}
}

// inert keeps a spreadsheet from taking a cell for a formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
