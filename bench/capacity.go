package bench

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Slope is one quantity that capacity is computed from: what one more of
// something costs, or what a fleet is taken to be like.
type Slope struct {
	Key   string // its name in formulas
	What  string
	Unit  string
	Value float64
	From  string // Measured or Assumed
}

// Where a slope comes from.
const (
	Measured = "measured"
	Assumed  = "assumed"
)

// Keys of the slopes that are measured.
const (
	StreamMemory    = "stream_memory"
	BeatProcessor   = "beat_processor"
	BeatPostgres    = "beat_postgres"
	BeatWAL         = "beat_wal"
	BeatNetwork     = "beat_network"
	InstanceRow     = "instance_row"
	AssignmentRow   = "assignment_row"
	AssignmentWAL   = "assignment_wal"
	SampleRow       = "sample_row"
	VersionRow      = "version_row"
	VersionByte     = "version_byte"
	DeploymentRow   = "deployment_row"
	DeploymentAudit = "deployment_audit"
	AuditRow        = "audit_row"
	ProcessMemory   = "process_memory"
)

// keepAlive is how often a quiet stream says something, in seconds.
const keepAlive = 15

// Assumptions are what a fleet is taken to be like. Whoever knows his own better
// puts other numbers into the same formulas.
func Assumptions() []Slope {
	return []Slope{
		{"instances_a_profile", "instances that share a profile", "", 10, Assumed},
		{"profiles_an_instance", "profiles that one instance is a target of", "", 1, Assumed},
		{"busy", "share of the instances that a rollout involves at once", "", 0.1, Assumed},
		{"resting_beat", "seconds between heartbeats at rest", "s", 30, Assumed},
		{"busy_beat", "seconds between heartbeats in a rollout", "s", 5, Assumed},
		{"sample_age", "how long samples are kept", "s", 900, Assumed},
		{"versions", "versions and deployments of a profile that are kept (retention_versions)", "", 100, Assumed},
		{"version_size", "size of a version's data", "KB", 4, Assumed},
		{"deployments_a_day", "deployments of a profile in a day", "", 0.5, Assumed},
		{"audit_age", "days that the audit log is kept (audit_retention)", "d", 400, Assumed},
		{"room", "room of tables and indexes for rows that vacuum has not given back, as a factor", "", 2, Assumed},
		{"utilisation", "how much of a processor or of memory is used before there is another: the rest is for bursts and for garbage", "", 0.5, Assumed},
		{"replica_cores", "processors of a replica", "", 2, Assumed},
		{"watch_memory", "memory of a watch replica", "MB", 1024, Assumed},
		{"connections", "connections of a replica (database_connections, and 8 that are reserved)", "", 24, Assumed},
		{"packet", "what the network adds to each small message, both ways", "B", 132, Assumed},
	}
}

// Need is one line of the capacity page: what fleets of each size need.
type Need struct {
	What, Unit string
	Of         []float64 // by Fleets
	Formula    string
}

// Fleets are the sizes that are computed, in instances.
var Fleets = []float64{1_000, 10_000, 100_000}

// Needs computes what each fleet needs. It fails for a slope that is missing or
// no positive number.
func Needs(slopes []Slope) ([]Need, error) {
	of := map[string]float64{}
	for _, s := range slopes {
		if !(s.Value > 0) || math.IsInf(s.Value, 0) {
			return nil, fmt.Errorf("capacity: %s is %v", s.Key, s.Value)
		}
		of[s.Key] = s.Value
	}
	var errs []error
	get := func(key string) float64 {
		v, ok := of[key]
		if !ok {
			errs = append(errs, fmt.Errorf("capacity: nobody says what %s is", key))
		}
		return v
	}
	var needs []Need
	add := func(what, unit, formula string, compute func(n float64) float64) {
		need := Need{What: what, Unit: unit, Formula: formula}
		for _, n := range Fleets {
			need.Of = append(need.Of, compute(n))
		}
		needs = append(needs, need)
	}
	profiles := func(n float64) float64 { return n / get("instances_a_profile") }
	beats := func(n float64) float64 {
		busy := get("busy")
		return n * ((1-busy)/get("resting_beat") + busy/get("busy_beat"))
	}
	streams := func(n float64) float64 { return n * get(StreamMemory) / 1024 }
	cores := func(n float64) float64 { return beats(n) * get(BeatProcessor) / 1000 }
	watching := func(n float64) float64 {
		free := (get("watch_memory") - get(ProcessMemory)) * get("utilisation")
		needed := math.Max(math.Ceil(streams(n)/free), math.Ceil(cores(n)/(get("replica_cores")*get("utilisation"))))
		return needed + 1 // one may be away
	}
	const deciding = 3
	connections := func(n float64) float64 { return (deciding + watching(n)) * get("connections") }
	gigabytes := func(bytes float64) float64 { return bytes / 1e9 }
	samples := func(n float64) float64 { return beats(n) * get("sample_age") * get(SampleRow) * get("room") }
	fleet := func(n float64) float64 {
		return n * (get(InstanceRow) + get("profiles_an_instance")*get(AssignmentRow)) * get("room")
	}
	versions := func(n float64) float64 {
		return profiles(n) * get("versions") * (get(VersionRow) + 1000*get("version_size")*get(VersionByte))
	}
	deployments := func(n float64) float64 { return profiles(n) * get("versions") * get(DeploymentRow) }
	audit := func(n float64) float64 {
		return profiles(n) * get("deployments_a_day") * get("audit_age") * get(DeploymentAudit) * get(AuditRow)
	}
	wal := func(n float64) float64 { return beats(n) * get(BeatWAL) / 1e6 }

	add("profiles", "", "instances / instances_a_profile", profiles)
	add("heartbeats a second", "", "instances × ((1 - busy) / resting_beat + busy / busy_beat)", beats)
	add("memory of the streams", "MB", "instances × stream_memory", streams)
	add("processors for heartbeats, of the watch replicas", "", "heartbeats × beat_processor", cores)
	add("watch replicas", "", "what streams need of watch_memory, or heartbeats of replica_cores, at utilisation, and one that may be away", watching)
	add("replicas that decide", "", "two, and one for upgrades meanwhile", func(float64) float64 { return deciding })
	add("PostgreSQL: processors for heartbeats", "", "heartbeats × beat_postgres / utilisation", func(n float64) float64 {
		return beats(n) * get(BeatPostgres) / 1000 / get("utilisation")
	})
	add("PostgreSQL: connections", "", "(replicas that decide + watch replicas) × connections", connections)
	add("PostgreSQL: samples", "GB", "heartbeats × sample_age × sample_row × room", func(n float64) float64 { return gigabytes(samples(n)) })
	add("PostgreSQL: instances and assignments", "GB", "instances × (instance_row + profiles_an_instance × assignment_row) × room", func(n float64) float64 { return gigabytes(fleet(n)) })
	add("PostgreSQL: versions", "GB", "profiles × versions × (version_row + version_size × version_byte)", func(n float64) float64 { return gigabytes(versions(n)) })
	add("PostgreSQL: deployments with their checks", "GB", "profiles × versions × deployment_row", func(n float64) float64 { return gigabytes(deployments(n)) })
	add("PostgreSQL: audit log", "GB", "profiles × deployments_a_day × audit_age × deployment_audit × audit_row", func(n float64) float64 { return gigabytes(audit(n)) })
	add("PostgreSQL: disk, in all", "GB", "the sum of the five", func(n float64) float64 {
		return gigabytes(samples(n) + fleet(n) + versions(n) + deployments(n) + audit(n))
	})
	add("PostgreSQL: memory that holds what is used all the time", "GB", "samples, instances and assignments, and the last version of each profile", func(n float64) float64 {
		return gigabytes(samples(n) + fleet(n) + versions(n)/get("versions"))
	})
	add("PostgreSQL: write-ahead log by heartbeats", "MB/s", "heartbeats × beat_wal", wal)
	add("PostgreSQL: write-ahead log of a rollout to all at once", "MB", "instances × assignment_wal", func(n float64) float64 { return n * get(AssignmentWAL) / 1e6 })
	add("Redis: memory of cached versions", "MB", "profiles × 2 × version_size", func(n float64) float64 { return profiles(n) * 2 * get("version_size") / 1000 })
	add("network: heartbeats and quiet streams", "MB/s", "heartbeats × beat_network + instances × packet / 15 s", func(n float64) float64 {
		return (beats(n)*get(BeatNetwork) + n*get("packet")/keepAlive) / 1e6
	})
	add("network: a rollout to all at once", "MB", "instances × (version_size + packet)", func(n float64) float64 {
		return n * (1000*get("version_size") + get("packet")) / 1e6
	})
	return needs, errors.Join(errs...)
}

const (
	slopeHead = "| quantity | what it is | value | unit | |\n|---|---|---|---|---|\n"
	needHead  = "| | 1,000 instances | 10,000 | 100,000 | unit | | formula |\n|---|---|---|---|---|---|---|\n"
)

// Capacity writes the slopes and what follows from them. What is written of the
// slopes is what is computed with, so that the page can be checked by itself.
func Capacity(slopes []Slope) (string, error) {
	var b strings.Builder
	rounded := make([]Slope, len(slopes))
	b.WriteString(slopeHead)
	for i, s := range slopes {
		text := exact(s.Value)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return "", err
		}
		s.Value, rounded[i] = value, s
		rounded[i].Value = value
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Key, s.What, text, s.Unit, s.From)
	}
	needs, err := Needs(rounded)
	if err != nil {
		return "", err
	}
	b.WriteString("\n" + needHead)
	for _, n := range needs {
		fmt.Fprintf(&b, "| %s |", n.What)
		for _, x := range n.Of {
			fmt.Fprintf(&b, " %s |", number(x))
		}
		fmt.Fprintf(&b, " %s | computed | %s |\n", n.Unit, n.Formula)
	}
	return b.String(), nil
}

// exact is a slope with four significant digits, as it can be read again.
func exact(x float64) string {
	unit := math.Pow(10, math.Floor(math.Log10(x))-3)
	decimals := max(0, 3-int(math.Floor(math.Log10(x))))
	text := strconv.FormatFloat(math.Round(x/unit)*unit, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// Slopes reads the slopes of a page that Capacity wrote.
func Slopes(page string) ([]Slope, error) {
	_, rest, ok := strings.Cut(page, slopeHead)
	if !ok {
		return nil, errors.New("capacity: the page has no table of slopes")
	}
	var slopes []Slope
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 6 {
			break
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		value, err := strconv.ParseFloat(cells[3], 64)
		if err != nil {
			return nil, fmt.Errorf("capacity: %s: %w", cells[1], err)
		}
		slopes = append(slopes, Slope{Key: strings.Trim(cells[1], "`"), What: cells[2], Value: value, Unit: cells[4], From: cells[5]})
	}
	return slopes, nil
}
