package compat

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/compat/flags"
)

// OpenFeature's remote evaluation protocol (https://github.com/open-feature/protocol): the flags of a
// profile, evaluated here for the context that a client sends. A client takes a base address, so the
// profile is a part of that: https://sluice.example.com/flags/PROFILE.
const (
	ofrepBulk   = flagsPath + "/ofrep/v1/evaluate/flags"
	ofrepSingle = ofrepBulk + "/:key"
	ofrepBody   = 64 << 10
)

func ofrep() *Protocol {
	return &Protocol{
		Name: "ofrep", Clients: "OFREP: OpenFeature's providers of that name",
		Routes: []Route{
			{Method: http.MethodPost, Path: ofrepSingle, Body: ofrepBody, Handle: ofrepEvaluate(time.Now)},
			{Method: http.MethodPost, Path: ofrepBulk, Body: ofrepBody, Handle: ofrepEvaluateAll(time.Now)},
		},
		TokenAt: "`Authorization: Bearer`, or `X-Api-Key`",
		Token: func(r *http.Request) string {
			return cmp.Or(bearer(r), r.Header.Get("X-Api-Key"))
		},
		Refuse: ofrepRefuse,
		Coordinates: []Coordinate{
			{"base address `/flags/PROFILE`, flag `KEY`", "what `flags.KEY` of the profile's data is in the context"},
			{"base address `/flags/PROFILE`, all flags", "each of `flags` that is not disabled"},
		},
	}
}

// ofrepFailure is why a flag could not be told.
type ofrepFailure struct {
	Key          string `json:"key,omitempty"`
	ErrorCode    string `json:"errorCode"`
	ErrorDetails string `json:"errorDetails,omitempty"`
}

// ofrepRefuse says what is wrong. What concerns no flag has no code of a flag.
func ofrepRefuse(c echo.Context, r Refusal) error {
	switch {
	case r.Status == http.StatusNotFound && param(c, "key") != "":
		return c.JSON(r.Status, ofrepFailure{param(c, "key"), flags.NotFound, r.Message})
	case r.Status == http.StatusBadRequest:
		return c.JSON(r.Status, ofrepFailure{param(c, "key"), "INVALID_CONTEXT", r.Message})
	}
	return c.JSON(r.Status, ofrepFailure{param(c, "key"), "GENERAL", r.Message})
}

// ofrepSuccess is what a flag is. Without a value the program's own default holds.
type ofrepSuccess struct {
	Key      string         `json:"key"`
	Reason   string         `json:"reason"`
	Variant  string         `json:"variant,omitempty"`
	Value    any            `json:"value"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

type ofrepDefault struct {
	Key      string         `json:"key"`
	Reason   string         `json:"reason"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// ofrepAnswer is the evaluation as the protocol writes it, and its status.
func ofrepAnswer(e flags.Evaluation) (status int, answer any) {
	switch {
	case e.ErrorCode == flags.NotFound:
		return http.StatusNotFound, ofrepFailure{e.Key, e.ErrorCode, e.Details}
	case e.ErrorCode != "":
		return http.StatusBadRequest, ofrepFailure{e.Key, e.ErrorCode, e.Details}
	case e.Variant == "":
		return http.StatusOK, ofrepDefault{e.Key, e.Reason, e.Metadata}
	}
	return http.StatusOK, ofrepSuccess{e.Key, e.Reason, e.Variant, e.Value, e.Metadata}
}

// ofrepContext reads the context of a request. None is an empty one.
func ofrepContext(r *http.Request) (map[string]any, error) {
	var body struct {
		Context map[string]any `json:"context"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, large
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, invalid("the body is a JSON object with an object `context`")
	}
	if target, ok := body.Context["targetingKey"]; ok {
		if _, isText := target.(string); !isText {
			return nil, invalid("targetingKey in the context is a text")
		}
	}
	return body.Context, nil
}

// ofrepFlags reads the flags of the profile in the address.
func ofrepFlags(c echo.Context, from Configs) (flags.Set, error) {
	config, err := from.Config(c.Request().Context(), param(c, "profile"))
	if err != nil {
		return flags.Set{}, err
	}
	set, err := flags.Parse(config.Data)
	if errors.Is(err, flags.ErrNone) {
		return flags.Set{}, noFlags()
	}
	return set, err
}

func ofrepEvaluate(now func() time.Time) func(echo.Context, Configs) error {
	return func(c echo.Context, from Configs) error {
		seen, err := ofrepContext(c.Request())
		if err != nil {
			return err
		}
		set, err := ofrepFlags(c, from)
		if err != nil {
			return err
		}
		status, answer := ofrepAnswer(set.Evaluate(param(c, "key"), seen, now()))
		return c.JSON(status, answer)
	}
}

// ofrepEvaluateAll evaluates every flag. Its ETag is of the answer itself: what a flag is depends on the
// context and may depend on the time.
func ofrepEvaluateAll(now func() time.Time) func(echo.Context, Configs) error {
	return func(c echo.Context, from Configs) error {
		seen, err := ofrepContext(c.Request())
		if err != nil {
			return err
		}
		set, err := ofrepFlags(c, from)
		if err != nil {
			return err
		}
		answers, at := []any{}, now()
		for _, key := range set.Keys() {
			_, answer := ofrepAnswer(set.Evaluate(key, seen, at))
			answers = append(answers, answer)
		}
		body, err := json.Marshal(map[string]any{"flags": answers})
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		if unchanged(c, hex.EncodeToString(sum[:])) {
			return c.NoContent(http.StatusNotModified)
		}
		return c.JSONBlob(http.StatusOK, body)
	}
}
