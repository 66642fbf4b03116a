package telemetry

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Levels say from which level on a log is written. They can be changed while it
// is: for everything, and for what is logged with a component of its own.
type Levels struct {
	configured slog.Level
	present    atomic.Pointer[present]

	mu         sync.Mutex
	components map[string]bool
}

// present is what is written now. It is replaced and never changed.
type present struct {
	level      slog.Level
	components map[string]slog.Level
}

// NewLevels has one level for everything, as configured.
func NewLevels(configured slog.Level) *Levels {
	l := &Levels{configured: configured, components: map[string]bool{}}
	l.Reset()
	return l
}

// Configured is the level that Reset goes back to.
func (l *Levels) Configured() slog.Level { return l.configured }

// Set changes the level of everything, and of components that have another one.
func (l *Levels) Set(level slog.Level, components map[string]slog.Level) {
	l.present.Store(&present{level: level, components: maps.Clone(components)})
}

// Reset goes back to what is configured.
func (l *Levels) Reset() { l.Set(l.configured, nil) }

// Components are the names that loggers have, sorted.
func (l *Levels) Components() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.components))
}

// know remembers that something is logged with a component.
func (l *Levels) know(component string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.components[component] = true
}

// enabled says whether a record of a component, "" for none, is written.
func (l *Levels) enabled(component string, level slog.Level) bool {
	now := l.present.Load()
	if own, ok := now.components[component]; ok {
		return level >= own
	}
	return level >= now.level
}
