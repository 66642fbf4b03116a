package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/api/wire"
	"github.com/sluicehq/sluice/profile"
	"github.com/sluicehq/sluice/reconciler"
	"github.com/sluicehq/sluice/store"
)

// Bounds on what is looked at in one request.
const (
	treeBody      = 20 << 20 // maxTree, escaped
	maxTree       = 8 << 20  // bytes of all files
	maxTreeFiles  = 2000
	maxPathLength = 1024
	maxPreviews   = 2
	previewWithin = 20 * time.Second
)

// validateFiles answers what a pull request with the files would be told.
// Nothing is stored.
func (a *API) validateFiles(c echo.Context) error {
	var req wire.ValidateRequest
	if err := decode(c, &req); err != nil {
		return err
	}
	files, err := filesOf(&req)
	if err != nil {
		return err
	}
	select {
	case a.previews <- struct{}{}:
		defer func() { <-a.previews }()
	case <-c.Request().Context().Done():
		return c.Request().Context().Err()
	case <-time.After(answerWithin):
		return unavailable("many trees are being looked at; try again")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), previewWithin)
	defer cancel()
	p, err := a.opts.Preview(ctx, req.Source, files, req.Partial)
	switch {
	case errors.Is(err, reconciler.ErrUnknownSource):
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "there is no source " + req.Source}
	case errors.Is(err, reconciler.ErrWhichSource):
		return invalidField("source", "is required: there are several sources, and GET /api/v1/sources lists them")
	case ctx.Err() != nil:
		return unavailable(fmt.Sprintf("it took more than %s: send fewer files", previewWithin))
	case err != nil:
		return err
	}
	return c.JSON(http.StatusOK, wirePreview(p, who(c)))
}

// filesOf are the files of a request by path. One file alone is laid over what
// its source has.
func filesOf(req *wire.ValidateRequest) (map[string][]byte, error) {
	switch {
	case len(req.Files) > 0 && (req.Path != "" || req.Content != ""):
		return nil, invalid("files, and path with content, are both given; one of them is enough")
	case len(req.Files) == 0 && req.Path == "":
		return nil, invalidField("files", "are required, or one file as path and content")
	case len(req.Files) > maxTreeFiles:
		return nil, invalidField("files", fmt.Sprintf("are %d, at most %d are looked at at once", len(req.Files), maxTreeFiles))
	case len(req.Files) == 0:
		req.Partial = true
		req.Files = []wire.File{{Path: req.Path, Content: req.Content}}
	}
	out, total := make(map[string][]byte, len(req.Files)), 0
	for i, f := range req.Files {
		at := fmt.Sprintf("files[%d]", i)
		if _, twice := out[f.Path]; twice {
			return nil, invalidField(at+".path", "is given twice")
		}
		if !fs.ValidPath(f.Path) || f.Path == "." || len(f.Path) > maxPathLength {
			return nil, invalidField(at+".path", "is no path below the repository's root, with slashes")
		}
		if limit := profile.DefaultLimits().MaxBytes; len(f.Content) > limit {
			return nil, tooMuch(at, fmt.Sprintf("has %d bytes, at most %d are read of one file", len(f.Content), limit))
		}
		if total += len(f.Content); total > maxTree {
			return nil, tooMuch("files", fmt.Sprintf("have more than %d bytes together", maxTree))
		}
		out[f.Path] = []byte(f.Content)
	}
	return out, nil
}

func tooMuch(field, message string) *problem {
	return &problem{
		status: http.StatusRequestEntityTooLarge, code: "PAYLOAD_TOO_LARGE", message: field + " " + message,
		details: []wire.FieldError{{Field: field, Message: message}},
	}
}

// previewAlone looks at files by themselves.
func previewAlone(db *store.Store, log *slog.Logger) func(context.Context, string, map[string][]byte, bool) (reconciler.Preview, error) {
	return func(ctx context.Context, source string, files map[string][]byte, _ bool) (reconciler.Preview, error) {
		if source != "" {
			return reconciler.Preview{}, reconciler.ErrUnknownSource
		}
		return reconciler.PreviewFiles(ctx, reconciler.PreviewOptions{Store: db, Logger: log}, files)
	}
}

// wirePreview is a preview for a caller: of profiles outside its scope only what
// the files themselves say.
func wirePreview(p reconciler.Preview, by caller) wire.ValidateResponse {
	out := wire.ValidateResponse{
		IsValid: p.Passed, Problems: convert(p.Problems, wireProblem), Warnings: convert(p.Warnings, wireProblem), Profiles: []wire.ProfileForecast{},
	}
	for _, one := range p.Profiles {
		shown := wire.ProfileForecast{Name: one.Name, File: one.Path, IsValid: one.Valid, Bump: profile.BumpNone.String()}
		if by.sees(string(one.Environment), one.Name) {
			shown.CurrentVersion, shown.Version, shown.Bump = one.Was, one.Next, one.Bump.String()
			shown.Breaking, shown.Retires, shown.Guard = one.Breaking, one.Retires, one.Guard
		} else if one.Retires {
			continue
		}
		out.Profiles = append(out.Profiles, shown)
	}
	return out
}

func wireProblem(p profile.Problem) wire.FileProblem {
	return wire.FileProblem{File: p.Path, Line: p.Line, Column: p.Column, Field: p.Field, Message: p.Message}
}
