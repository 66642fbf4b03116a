package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Control is something to use on a page, as it is told to people who hear it
// instead of seeing it.
type Control struct {
	Role, Name string
	node       cdp.BackendNodeID
}

// fields are the roles of what takes text.
var fields = []string{"textbox", "searchbox", "combobox", "spinbutton"}

// Controls are those of a role: "button", "link", "textbox", "checkbox", "heading".
func (tab *Tab) Controls(role string) []Control {
	tab.t.Helper()
	found, err := tab.controls(role)
	if err != nil {
		tab.fail("find every %s: %v", role, err)
	}
	return found
}

// Has says whether the page has a control of this name, or with it in its name.
func (tab *Tab) Has(role, name string) bool {
	tab.t.Helper()
	return len(named(tab.Controls(role), name)) > 0
}

// Click waits for the control and clicks on its middle.
func (tab *Tab) Click(role, name string) {
	tab.t.Helper()
	var x, y float64
	tab.use(name, "click on", func(c Control) (err error) {
		x, y, err = tab.middle(c)
		return err
	}, role)
	tab.do(fmt.Sprintf("click on the %s %q", role, name), chromedp.MouseClickXY(x, y))
}

// Fill replaces what a field with this label holds.
func (tab *Tab) Fill(label, text string) {
	tab.t.Helper()
	tab.use(label, "fill", func(c Control) error {
		return tab.try(call(dom.Focus, dom.FocusParams{BackendNodeID: c.node}))
	}, fields...)
	tab.do("fill "+label,
		chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)),
		call(input.InsertText, input.InsertTextParams{Text: text}))
}

// Press presses keys one after the other: "Tab", "Shift+Tab", "Enter", "Escape",
// "Space", an arrow such as "ArrowDown", or a character.
func (tab *Tab) Press(keys ...string) {
	tab.t.Helper()
	for _, key := range keys {
		tab.do("press "+key, pressed(key))
	}
}

func pressed(key string) chromedp.Action[chromedp.Void] {
	var with []chromedp.KeyOption
	if rest, ok := strings.CutPrefix(key, "Shift+"); ok {
		key, with = rest, append(with, chromedp.KeyModifiers(kb.ModifierShift))
	}
	codes := map[string]string{
		"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Space": " ", "Home": kb.Home, "End": kb.End,
		"ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown, "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight,
	}
	if code, ok := codes[key]; ok {
		key = code
	}
	return chromedp.KeyEvent(key, with...)
}

// TabTo presses the tabulator until the focus is on the control, as somebody
// without a mouse goes there.
func (tab *Tab) TabTo(role, name string) {
	tab.t.Helper()
	const most = 200 // more than anybody would press
	var passed []string
	for range most {
		tab.Press("Tab")
		at := tab.Focused()
		if at.Role == role && len(named([]Control{at}, name)) > 0 {
			return
		}
		passed = append(passed, at.Role+" "+at.Name)
	}
	tab.fail("the tabulator does not come to a %s %q, but to: %s", role, name, strings.Join(passed, "; "))
}

// Focused is the control that has the focus; its role is "" when none has.
func (tab *Tab) Focused() (at Control) {
	tab.t.Helper()
	err := tab.look(func(ctx context.Context, t *chromedp.Target) error {
		at = Control{}
		id, err := object(ctx, t, "document.activeElement")
		if err != nil || id == "" {
			return err
		}
		alone := false
		tree, err := cdp.Call(ctx, t, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: id, FetchRelatives: &alone})
		if err == nil && len(tree.Nodes) > 0 && !tree.Nodes[0].Ignored {
			at = told(tree.Nodes[0])
		}
		return err
	})
	if err != nil {
		tab.fail("find the focus: %v", err)
	}
	return at
}

// look is ask with what the browser tells of the page.
func (tab *Tab) look(at func(ctx context.Context, t *chromedp.Target) error) error {
	return tab.ask(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.Func(at)) })
}

// use finds a control and begins with it: as long as nothing was done to the page, one that
// went with its page is found again on the next.
func (tab *Tab) use(name, what string, begin func(c Control) error, roles ...string) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf("a %s %q that stays, to %s", strings.Join(roles, " or "), name, what), tabTimeout, func() bool {
		c := tab.control(name, roles...)
		err := begin(c)
		if err != nil && !isGone(err) {
			tab.fail("%s the %s %q: %v", what, c.Role, c.Name, err)
		}
		return err == nil
	})
}

// control waits for the only control of this name and one of the roles.
func (tab *Tab) control(name string, roles ...string) Control {
	tab.t.Helper()
	var found, all []Control
	tab.Wait(fmt.Sprintf("a %s %q", strings.Join(roles, " or "), name), tabTimeout, func() bool {
		all = nil
		for _, role := range roles {
			some, err := tab.controls(role)
			if err != nil {
				return false // between two pages
			}
			all = append(all, some...)
		}
		found = named(all, name)
		return len(found) > 0
	})
	if len(found) > 1 {
		tab.fail("there are %d of %s %q", len(found), strings.Join(roles, " or "), name)
	}
	return found[0]
}

// named are the controls of exactly this name, or else those with it in their name.
func named(all []Control, name string) []Control {
	found := slices.DeleteFunc(slices.Clone(all), func(c Control) bool { return c.Name != name })
	if len(found) > 0 {
		return found
	}
	return slices.DeleteFunc(slices.Clone(all), func(c Control) bool {
		return !strings.Contains(strings.ToLower(c.Name), strings.ToLower(name))
	})
}

func (tab *Tab) controls(role string) (found []Control, err error) {
	err = tab.look(func(ctx context.Context, t *chromedp.Target) error {
		found = nil
		id, err := object(ctx, t, "document")
		if err != nil {
			return err
		}
		tree, err := cdp.Call(ctx, t, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: id, Role: role})
		if err != nil {
			return err
		}
		for _, node := range tree.Nodes {
			if !node.Ignored {
				found = append(found, told(node))
			}
		}
		return nil
	})
	return found, err
}

func told(node *accessibility.Node) Control {
	return Control{Role: said(node.Role), Name: said(node.Name), node: node.BackendDOMNodeID}
}

// said is the text of a value; "" for one that is no text.
func said(v *accessibility.Value) string {
	text := ""
	if v == nil || json.Unmarshal(v.Value, &text) != nil {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}

// object is a handle of what an expression gives in the page.
func object(ctx context.Context, t *chromedp.Target, expression string) (runtime.RemoteObjectID, error) {
	r, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: expression})
	if err != nil {
		return "", err
	}
	return r.Result.ObjectID, nil
}

// middle is where to click on it, once it is on the screen.
func (tab *Tab) middle(c Control) (x, y float64, err error) {
	err = tab.try(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: c.node}); err != nil {
			return err
		}
		at, err := cdp.Call(ctx, t, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: c.node})
		if err != nil {
			return err
		}
		if len(at.Quads) == 0 {
			return errors.New("it takes no room")
		}
		q := at.Quads[0]
		x, y = (q[0]+q[4])/2, (q[1]+q[5])/2
		return nil
	}))
	return x, y, err
}
