package testenv

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"testing"
)

// ShiftClock returns a URL of a PostgreSQL database under which its clock is off
// by an interval such as "-1 hour". To whoever connects by it, their own clock
// is wrong by as much.
func ShiftClock(t testing.TB, databaseURL, interval string) string {
	t.Helper()
	db, err := sql.Open("pgx", databaseURL)
	must(t, err)
	for _, clock := range []string{"now", "clock_timestamp"} {
		if err == nil {
			_, err = db.ExecContext(t.Context(), fmt.Sprintf(`CREATE FUNCTION public.%s() RETURNS timestamptz LANGUAGE sql
				AS $$ SELECT pg_catalog.%s() + interval '%s' $$`, clock, clock, interval))
		}
	}
	must(t, errors.Join(err, db.Close()))
	u, err := url.Parse(databaseURL)
	must(t, err)
	query := u.Query()
	query.Set("search_path", "public,pg_catalog") // so that public hides what is built in
	u.RawQuery = query.Encode()
	return u.String()
}
