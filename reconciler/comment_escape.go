package reconciler

import (
	"html"
	"strings"
)

// Everything that a repository brings stands in code in a comment: there a forge
// reads no Markdown, links nothing and calls nobody.

// maxCode bounds one piece of code inside a sentence, in runes.
const maxCode = 300

// code is inline code around somebody else's text.
func code(text string) string {
	text = clip(printable(text), maxCode)
	if strings.TrimSpace(text) == "" {
		return "(empty)"
	}
	fence := strings.Repeat("`", 1+longestRun(text))
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") || strings.HasPrefix(text, " ") && strings.HasSuffix(text, " ") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// cell is code inside a table, where a bar would end it whatever it stands in.
func cell(text string) string {
	return code(strings.NewReplacer("|", "¦", `\`, "∖").Replace(text))
}

// htmlCode is code inside of HTML, where Markdown is not read.
func htmlCode(text string) string {
	return "<code>" + html.EscapeString(clip(printable(text), maxCode)) + "</code>"
}

// block is a block of code of a language, whose fence no line of it can close.
func block(language string, lines []string) string {
	longest := 0
	for _, line := range lines {
		longest = max(longest, longestRun(line))
	}
	fence := strings.Repeat("`", max(3, 1+longest))
	return fence + language + "\n" + strings.Join(lines, "\n") + "\n" + fence + "\n"
}

// longestRun counts the backticks of the longest run of them.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
