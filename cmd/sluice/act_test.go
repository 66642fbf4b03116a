package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/api/wire"
)

// rolling is a daemon with one canary under way, of which it accepts orders.
func rolling(t *testing.T) *fakeDaemon {
	t.Helper()
	d := newDaemon(t)
	under, back := canary(), canary()
	back.Status, back.Explanation = "RollingBack", "going back to 1.3.0"
	d.answers("GET /deployments", page(under))
	d.answers("GET /deployments/"+deploymentID, under)
	by := back
	by.Kind, by.ConfigVersion, by.PreviousVersion = "Rollback", "1.2.0", "1.4.0"
	d.rollsBack("/deployments/"+deploymentID+"/rollback", preview(), back)
	d.rollsBack("/configs/payment/rollback", preview(), by)
	d.answers("POST /configs/payment/release", struct{}{})
	for verb, status := range map[string]string{"pause": "Paused", "resume": "InProgress", "promote": "InProgress", "cancel": "Cancelled"} {
		now := under
		now.Status, now.Explanation = status, verb+" by admin"
		d.answers("POST /deployments/"+deploymentID+"/"+verb, now)
	}
	return d
}

func last(t *testing.T, d *fakeDaemon) string {
	t.Helper()
	asked := d.asked()
	if len(asked) == 0 {
		t.Fatal("the daemon was asked nothing")
	}
	return asked[len(asked)-1]
}

func TestOrders(t *testing.T) {
	t.Parallel()
	for verb, status := range map[string]string{"pause": "Paused", "resume": "InProgress", "promote": "InProgress", "cancel": "Cancelled"} {
		for _, target := range []string{"payment", deploymentID} {
			d := rolling(t)
			c := newConsole(t, d)
			c.wants(t, 0, verb, target, "--reason", "because")
			if got, want := last(t, d), "POST /deployments/"+deploymentID+"/"+verb+` {"reason":"because"}`; got != want {
				t.Errorf("asked %q, want %q", got, want)
			}
			if want := "payment-service.production 1.4.0: " + status + "  " + verb + " by admin\n"; c.out.String() != want {
				t.Errorf("printed %q, want %q", c.out.String(), want)
			}
		}
	}
}

func TestPromoteAll(t *testing.T) {
	t.Parallel()
	d := rolling(t)
	c := newConsole(t, d)
	c.wants(t, 0, "promote", "payment", "--all", "--reason", "urgent")
	if got, want := last(t, d), "POST /deployments/"+deploymentID+`/promote {"reason":"urgent","all":true}`; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	again := canary()
	again.ID, again.Status = strings.Replace(deploymentID, "019a", "019f", 1), "Pending"
	d.answers("POST /deployments/"+deploymentID+"/retry", again)
	c := newConsole(t, d)
	c.wants(t, 0, "retry", deploymentID, "--reason", "the database is back", "--force")
	if got, want := last(t, d), "POST /deployments/"+deploymentID+`/retry {"reason":"the database is back","force":true}`; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	if want := "payment-service.production 1.4.0 is tried again: Pending\nfollow it: sluice watch " + again.ID + "\n"; c.out.String() != want {
		t.Errorf("printed %q, want %q", c.out.String(), want)
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	begun, ends := noon.Add(-time.Hour), noon.Add(time.Hour)
	frozen := wire.Freeze{Frozen: true, Reason: "incident 4711", Actor: "ada", BegunAt: &begun, ExpiresAt: &ends}
	d.answers("PUT /freeze", frozen)
	d.answers("GET /freeze", frozen)
	d.answers("DELETE /freeze", wire.Freeze{})
	d.answers("GET /statuses/9f1c2ab", page(commitStatus("success")))
	c := newConsole(t, d)
	for _, tt := range []struct{ line, request, out, err string }{
		{"freeze --reason incident --for 2h", `PUT /freeze {"reason":"incident","expiresIn":"2h"}`, "until " + ends.Format(time.RFC3339) + " by ada: incident 4711", ""},
		{"unfreeze --reason over", `DELETE /freeze {"reason":"over"}`, "nothing is frozen any more", ""},
		{"status", "GET /freeze", "yes     ada  1h ago  " + ends.Format(time.RFC3339) + "  incident 4711", ""},
		{"status -o json", "GET /freeze", `"frozen": true`, ""},
		{"status 9f1c2ab", "GET /statuses/9f1c2ab", "success", "by ada: incident 4711"},
	} {
		c.wants(t, 0, strings.Fields(tt.line)...)
		if got := last(t, d); got != tt.request {
			t.Errorf("%s asked %q, want %q", tt.line, got, tt.request)
		}
		if !strings.Contains(c.out.String(), tt.out) || !strings.Contains(c.err.String(), tt.err) {
			t.Errorf("%s printed %q and %q", tt.line, c.out.String(), c.err.String())
		}
	}
}

func TestLogging(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	begun, ends := noon, noon.Add(15*time.Minute)
	plain := wire.Logging{Configured: "info", Level: "info", KnownComponents: []string{"api", "engine"}}
	set := plain
	set.Components, set.Actor, set.BegunAt, set.ExpiresAt = map[string]string{"engine": "debug"}, "ada", &begun, &ends
	d.answers("GET /logging", set)
	d.answers("PUT /logging", set)
	d.answers("DELETE /logging", plain)
	c := newConsole(t, d)
	until := ends.Format(time.RFC3339)
	for _, tt := range []struct{ line, request, out string }{
		{"logging", "GET /logging", "engine        debug  " + until + "  ada"},
		{"logging -o json", "GET /logging", `"configured": "info"`},
		{"logging set debug --component engine --component api", `PUT /logging {"components":{"api":"debug","engine":"debug"},"expiresIn":"15m"}`,
			"logged from info, engine from debug until " + until + ", then from info\n"},
		{"logging set warn --for 2h", `PUT /logging {"level":"warn","expiresIn":"2h"}`, "until " + until},
		{"logging reset", "DELETE /logging", "logged from info, as configured\n"},
	} {
		c.wants(t, 0, strings.Fields(tt.line)...)
		if got := last(t, d); got != tt.request {
			t.Errorf("%s asked %q, want %q", tt.line, got, tt.request)
		}
		if !strings.Contains(c.out.String(), tt.out) {
			t.Errorf("%s printed %q, want %q", tt.line, c.out.String(), tt.out)
		}
	}
}

func TestOrderWithNothingUnderWay(t *testing.T) {
	t.Parallel()
	done := canary()
	done.Status = "Completed"
	d := newDaemon(t)
	d.answers("GET /deployments", page(done))
	c := newConsole(t, d)
	c.wants(t, exitRefused, "pause", "payment")
	if want := "sluice: nothing of payment is under way: its last deployment, of 1.4.0, ended as Completed\n"; c.err.String() != want {
		t.Errorf("stderr is %q", c.err.String())
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	d := rolling(t)
	c := newConsole(t, d)
	c.wants(t, 0, "release", "payment", "--reason", "fixed elsewhere")
	if got := last(t, d); got != `POST /configs/payment/release {"reason":"fixed elsewhere"}` {
		t.Errorf("asked %q", got)
	}
	if c.out.String() != "payment is released\n" {
		t.Errorf("printed %q", c.out.String())
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"rollback payment":                                      "needs --yes and --reason: there is no terminal to ask on",
		"rollback payment --yes":                                "needs --reason: it is kept in the audit log",
		"rollback payment --reason x":                           "needs --yes: there is no terminal to ask on",
		"rollback --reason x":                                   "needs a profile or a deployment",
		"rollback " + deploymentID + " --reason x --to 1 --yes": "--to goes with a profile",
		"release payment":                                       "needs --reason",
		"release":                                               "needs a profile",
		"pause":                                                 "needs a deployment or a profile",
		"watch a b":                                             "needs a deployment or a profile",
		"status a b":                                            "accepts at most 1 arg",
		"retry x":                                               "needs --reason",
		"retry":                                                 "needs a deployment",
		"freeze":                                                "needs --reason",
		"freeze x":                                              `sluice freeze takes no arguments, and was given "x"`,
		"serve sluice.yaml":                                     `sluice serve takes no arguments, and was given "sluice.yaml"`,
		"serve --allow-file-urls false":                         "the value of --allow-file-urls follows =, as in --allow-file-urls=false",
		"logging debug":                                         "unknown command \"debug\" for \"sluice logging\"\n  sluice logging --help lists the commands.",
		"get prfiles":                                           "did you mean profiles?\n  sluice get --help lists the commands.",
		"describe payment":                                      "sluice describe --help lists the commands",
		"status payment.production":                             "sluice describe profile tells of a profile",
		"unfreeze":                                              "needs --reason",
		"history":                                               "needs a profile",
		"get versions":                                          "needs a profile",
		"get nonsense":                                          `unknown command "nonsense" for "sluice get"`,
		"get profiles -o xml":                                   `unknown output format "xml"`,
		"status 1234567 -o xml":                                 `unknown output format "xml"`,
		"get profiles --token a --token-file b":                 "--token and --token-file are both given",
		"get profiles --token-file /does/not/exist": "read the token: open /does/not/exist",
		"get profiles --server ftp://x":             "not an http or https URL",
		"nonsense":                                  "sluice --help lists the commands",
		"token create x":                            "needs --role",
		"token create --role Viewer":                "needs a name",
		"token revoke":                              "needs a token's id",
		"login --password-stdin":                    "--password-stdin needs --username",
		"watch --nope x":                            "unknown flag: --nope\n  sluice watch --help lists the flags.",
		"rollback --reasn y x":                      "unknown flag: --reasn, did you mean --reason?",
		"release x -o json":                         "unknown shorthand flag: 'o' in -o\n  sluice release --help lists the flags.",
	} {
		c := newConsole(t, nil)
		c.wants(t, 2, strings.Fields(line)...)
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("sluice %s says %q, want %q", line, c.err.String(), want)
		}
		if c.out.Len() > 0 || strings.Contains(c.err.String(), "Usage:") {
			t.Errorf("sluice %s prints a page of usage: %q", line, c.out.String())
		}
	}
}
