package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/sluicehq/sluice/webhook"
)

// route is one door: its method and path, who may use it, how often in a
// minute, how large a body may be, and how it uses time.
type route struct {
	method, path string
	who          access
	perMinute    int
	body         int64
	pace         pace
	handle       echo.HandlerFunc
}

// Sizes of bodies.
const (
	smallBody = 64 << 10
	dataBody  = 2 << 20 // 1 MiB of data, escaped
	itsOwn    = -1      // the handler bounds it
)

// list is every door there is.
func (a *API) list() []route {
	const v1 = "/api/v1"
	return append(slices.Concat(a.dashboard(), a.clientDoors()), []route{
		{"GET", "/healthz", open, 0, 0, prompt, a.healthz},
		{"GET", "/readyz", open, 0, 0, prompt, a.readyz},
		{"GET", "/health", open, 0, 0, prompt, a.readyz},
		{"GET", "/metrics", open, 0, 0, prompt, a.metrics.handler},

		{"GET", "/openapi.json", open, 60, 0, prompt, a.openAPI},
		{"GET", "/docs", open, 60, 0, prompt, a.docsPage},
		{"GET", "/assets/docs.css", open, 0, 0, prompt, a.docsStyle},

		{"GET", "/login", open, 60, 0, prompt, a.loginPage},
		{"POST", "/login", open, 10, smallBody, prompt, a.enter},
		{"GET", ssoPath, open, 60, 0, prompt, a.startSSO},
		{"GET", ssoCallback, open, 60, 0, prompt, a.finishSSO},
		{"GET", "/logout", open, 60, 0, prompt, a.logoutPage},
		{"POST", "/logout", open, 30, smallBody, prompt, a.leave},
		{"GET", "/assets/:file", open, 0, 0, prompt, a.asset},
		{"GET", "/live", everybody, 60, 0, waiting, a.live},

		{"POST", v1 + "/authentication/login", open, 10, smallBody, prompt, a.login},
		{"POST", v1 + "/authentication/sso", open, 10, smallBody, prompt, a.exchangeCode},
		{"POST", v1 + "/authentication/logout", everybody, 30, smallBody, prompt, a.logout},
		{"GET", v1 + "/authentication/identity", everybody, 60, 0, prompt, a.identity},
		{"PUT", v1 + "/authentication/password", everybody, 10, smallBody, prompt, a.changePassword},
		{"GET", v1 + "/users", admin, 60, 0, prompt, a.listUsers},
		{"POST", v1 + "/users", admin, 10, smallBody, prompt, a.createUser},
		{"GET", v1 + "/users/:username", admin, 60, 0, prompt, a.getUser},
		{"PUT", v1 + "/users/:username", admin, 10, smallBody, prompt, a.changeUser},
		{"DELETE", v1 + "/users/:username", admin, 10, 0, prompt, a.removeUser},
		{"POST", v1 + "/tokens", admin, 10, smallBody, prompt, a.createToken},
		{"GET", v1 + "/tokens", admin, 10, 0, prompt, a.listTokens},
		{"DELETE", v1 + "/tokens/:id", admin, 10, 0, prompt, a.revokeToken},

		{"GET", v1 + "/configs", everybody, 60, 0, prompt, a.listConfigs},
		{"GET", v1 + "/configs/:name", everybody, 60, 0, prompt, a.getConfig},
		{"POST", v1 + "/configs", developer, 10, smallBody, prompt, spanned("config.create", a.createConfig)},
		{"PUT", v1 + "/configs/:name", developer, 10, smallBody, prompt, a.putConfig},
		{"DELETE", v1 + "/configs/:name", admin, 10, 0, prompt, a.deleteConfig},
		{"GET", v1 + "/configs/:name/versions", everybody, 60, 0, prompt, a.listVersions},
		{"POST", v1 + "/configs/:name/versions", developer, 20, dataBody, prompt, spanned("config.version.upload", a.uploadVersion)},
		{"GET", v1 + "/configs/:name/versions/:version", everybody, 60, 0, prompt, a.getVersion},
		{"PATCH", v1 + "/configs/:name/versions/:version", developer, 20, smallBody, prompt, a.patchVersion},
		{"DELETE", v1 + "/configs/:name/versions/:version", admin, 10, 0, prompt, a.deleteVersion},
		{"GET", v1 + "/configs/:name/versions/:version/diff/:other", everybody, 30, 0, prompt, a.diffVersions},
		{"GET", v1 + "/configs/:name/rollback", everybody, 60, 0, urgent, a.previewConfigRollback},
		{"POST", v1 + "/configs/:name/rollback", operator, 30, smallBody, urgent, a.rollbackConfig},
		{"POST", v1 + "/configs/:name/release", operator, 30, smallBody, prompt, a.releaseConfig},

		{"POST", v1 + "/deployments", operator, 20, smallBody, prompt, a.createDeployment},
		{"GET", v1 + "/deployments", everybody, 60, 0, prompt, a.listDeployments},
		{"GET", v1 + "/deployments/:id", everybody, 60, 0, prompt, a.getDeployment},
		{"GET", v1 + "/deployments/:id/health", everybody, 60, 0, prompt, a.deploymentHealth},
		{"GET", v1 + "/deployments/:id/report", everybody, 60, 0, prompt, a.deploymentReport},
		{"GET", v1 + "/deployments/:id/events", everybody, 60, 0, waiting, a.deploymentEvents},
		{"POST", v1 + "/deployments/:id/pause", operator, 30, smallBody, urgent, a.order(orderPause)},
		{"POST", v1 + "/deployments/:id/resume", operator, 30, smallBody, prompt, a.order(orderResume)},
		{"POST", v1 + "/deployments/:id/promote", operator, 30, smallBody, prompt, a.promote},
		{"POST", v1 + "/deployments/:id/cancel", operator, 30, smallBody, urgent, a.order(orderCancel)},
		{"GET", v1 + "/deployments/:id/rollback", everybody, 60, 0, urgent, a.previewDeploymentRollback},
		{"POST", v1 + "/deployments/:id/rollback", operator, 30, smallBody, urgent, a.rollbackDeployment},
		{"POST", v1 + "/deployments/:id/retry", operator, 30, smallBody, prompt, a.retryDeployment},

		{"GET", v1 + "/freeze", everybody, 60, 0, prompt, a.getFreeze},
		{"PUT", v1 + "/freeze", operator, 30, smallBody, urgent, a.putFreeze},
		{"DELETE", v1 + "/freeze", operator, 30, smallBody, prompt, a.deleteFreeze},

		{"POST", v1 + "/instances", registrar, 30, smallBody, prompt, a.registerInstance},
		{"GET", v1 + "/instances", everybody, 60, 0, prompt, a.listInstances},
		{"GET", v1 + "/instances/:id", everybody, 60, 0, prompt, a.getInstance},
		{"DELETE", v1 + "/instances/:id", instanceOrDeveloper, 30, 0, prompt, a.deregisterInstance},
		{"POST", v1 + "/instances/:id/heartbeat", theInstance, 120, smallBody, prompt, a.heartbeat},
		{"POST", v1 + "/instances/:id/applied", theInstance, 120, smallBody, prompt, a.applied},
		{"GET", v1 + "/instances/:id/watch", theInstance, 0, 0, waiting, a.watch},
		{"GET", v1 + "/instances/:id/configs", theInstance, 0, 0, waiting, a.poll},
		{"GET", v1 + "/instances/:id/configs/:name/:hash/data", theInstance, 0, 0, prompt, a.assignedData},

		{"POST", v1 + "/validate", developer, 100, treeBody, waiting, spanned("config.validate", a.validateFiles)},
		{"POST", v1 + "/schemas", developer, 10, dataBody, prompt, a.registerSchema},
		{"GET", v1 + "/schemas", everybody, 10, 0, prompt, a.listSchemas},
		{"GET", v1 + "/schemas/:id", everybody, 10, 0, prompt, a.getSchema},
		{"POST", v1 + "/schemas/:id/validate", developer, 100, dataBody, prompt, spanned("config.validate", a.validateData)},
		{"POST", v1 + "/schemas/:id/approve", admin, 10, smallBody, prompt, a.approveSchema},
		{"POST", v1 + "/schemas/:id/deprecate", admin, 10, smallBody, prompt, a.deprecateSchema},

		// It has limits of its own: by address, by source, and by time.
		{"POST", webhook.Path + ":forge", open, 0, itsOwn, waiting, a.webhook},

		{"GET", v1 + "/audit", everybody, 60, 0, waiting, a.listAudit},
		{"GET", v1 + "/audit/verify", operator, 2, 0, waiting, a.verifyAudit},
		{"GET", v1 + "/statuses/:commit", everybody, 60, 0, prompt, a.listStatuses},
		{"GET", v1 + "/sources", everybody, 30, 0, prompt, a.listSources},
		{"POST", v1 + "/sources/:id/sync", operator, 30, 0, prompt, a.syncSource},
		{"POST", v1 + "/notifications/:target/test", admin, 10, 0, prompt, a.testNotification},
		{"GET", v1 + "/logging", admin, 60, 0, prompt, a.getLogging},
		{"PUT", v1 + "/logging", admin, 30, smallBody, prompt, a.putLogging},
		{"DELETE", v1 + "/logging", admin, 30, 0, prompt, a.deleteLogging},
	}...)
}

// routes puts the doors into the router, each behind its guards.
func (a *API) routes() error {
	errs := []error{a.checkLimits()}
	for _, r := range a.doors() {
		if r.who == nil {
			errs = append(errs, fmt.Errorf("api: %s %s says not who may use it", r.method, r.path))
			continue
		}
		if !a.has(r) {
			a.echo.Add(r.method, r.path, a.misdirected)
			continue
		}
		door := behind(r.handle, a.paced(r.pace), a.aheadAtOnce(r), a.allowed(r), a.limited(r), bounded(r.body), a.ahead(r), a.inTurn(r), a.idempotent(r))
		a.echo.Add(r.method, r.path, door)
		if r.method == http.MethodGet && r.pace != waiting {
			a.echo.Add(http.MethodHead, r.path, door) // the same without its body, which the server leaves out: checks of health ask so
		}
	}
	a.echo.RouteNotFound("/*", func(c echo.Context) error {
		if forPeople(c) {
			if found, err := a.identify(c); err == nil { // for the frame of the page that says so
				c.Set(callerKey, found)
			}
		}
		return &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "there is nothing at this path"}
	})
	return errors.Join(errs...)
}

// behind is a door behind its guards, of which the first stands outermost. Echo would put them up anew
// for each request.
func behind(handle echo.HandlerFunc, guards ...echo.MiddlewareFunc) echo.HandlerFunc {
	for _, guard := range slices.Backward(guards) {
		handle = guard(handle)
	}
	return handle
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	address := prefix.Masked().Addr()
	return &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(prefix.Bits(), address.BitLen())}
}
