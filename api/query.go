package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/fleet"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/rollout"
)

// filtered refuses a list whose query names something that the list does not
// know: a filter with a typing mistake would be a list of everything.
func filtered(c echo.Context, known ...string) error {
	known = append(known, "limit", "offset")
	var wrong []wire.FieldError
	for name, values := range c.QueryParams() {
		switch {
		case !slices.Contains(known, name):
			wrong = append(wrong, wire.FieldError{Field: name, Message: "is no parameter of this list: known are " + strings.Join(known, ", ")})
		case len(values) > 1:
			wrong = append(wrong, wire.FieldError{Field: name, Message: "is given more than once"})
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b wire.FieldError) int { return strings.Compare(a.Field, b.Field) })
		return invalid("the list cannot be filtered so", wrong...)
	}
	return nil
}

// among reads a filter that is one of a few words.
func among[T ~string](c echo.Context, name string, words []T) (string, error) {
	value := c.QueryParam(name)
	if value == "" || slices.Contains(words, T(value)) {
		return value, nil
	}
	return "", invalidField(name, "is one of "+strings.Join(texts(words...), ", "))
}

// yesOrNo reads a filter that is true or false; nil when it is not there.
func yesOrNo(c echo.Context, name string) (*bool, error) {
	text := c.QueryParam(name)
	if text == "" {
		return nil, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return nil, invalidField(name, "is true or false")
	}
	return &value, nil
}

// The words of the filters.
var (
	environments = profile.Environments()
	serviceTypes = profile.ServiceTypes()
	healths      = []fleet.Status{fleet.StatusHealthy, fleet.StatusDegraded, fleet.StatusUnhealthy, fleet.StatusUnknown}
	states       = []rollout.State{
		rollout.Pending, rollout.InProgress, rollout.Paused, rollout.Completed, rollout.Failed, rollout.RollingBack,
		rollout.RolledBack, rollout.Superseded, rollout.Cancelled,
	}
)
