package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/agent"
)

// simulationFlags make the agent many instances without a program.
type simulationFlags struct {
	instances int
	ramp      time.Duration
	behaviour string
	when      []string
}

func (s *simulationFlags) register(f *pflag.FlagSet) {
	f.IntVar(&s.instances, "simulate", 0, "be `N` instances without a program, in place of one with a file")
	f.DurationVar(&s.ramp, "simulate-ramp", 0, "`time` over which they start (default: 500 a second)")
	f.StringVar(&s.behaviour, "behaviour", "", "how they do: `requests=10,errors=0.1,latency=20ms,reload=10ms,health=Healthy,refuse=WHY`; requests a second, errors in percent")
	f.StringArrayVar(&s.when, "when", nil, "how they do while a field of what they applied has a value: `FIELD<100: errors=60`, or = or >; may be repeated, the first that holds counts")
}

func (s *simulationFlags) run(ctx context.Context, opts agent.Options, progress io.Writer) error {
	sim := agent.Simulation{
		Session: opts.Session, Profile: opts.Profile, Instances: s.instances, Ramp: s.ramp, Behaviour: agent.Usual(), Progress: progress,
	}
	if s.behaviour != "" {
		b, err := sim.Behaviour.Parse(s.behaviour)
		if err != nil {
			return err
		}
		sim.Behaviour = b
	}
	for _, text := range s.when {
		c, err := agent.ParseCondition(text, sim.Behaviour)
		if err != nil {
			return err
		}
		sim.When = append(sim.When, c)
	}
	return agent.Simulate(ctx, sim)
}
