package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/routing"
)

// simulate says what a policy would have done with past tasks.
func simulate(f *flags) run {
	var s snapshot
	s.define(f)
	var files []string
	f.Func("outcomes", "", appendTo(&files))
	policy := f.String("policy", "", "")
	asOf := timestamppb.New(time.Now())
	f.Func("as-of", "", parseTime(&asOf))
	asJSON := f.Bool("json", false, "")
	return func(ctx context.Context, p *program, positional []string) error {
		files = append(files, positional...)
		if len(files) == 0 {
			return usagef("name past tasks: adjutant simulate --outcomes FILE.jsonl")
		}
		var rows []routing.OutcomeRow
		for _, path := range files {
			read, err := readFrom(path, p.stdin, routing.ReadOutcomes)
			if err != nil {
				return err
			}
			rows = append(rows, read...)
		}
		router, err := s.router()
		if err != nil {
			return err
		}
		simulation, err := router.Simulate(ctx, *policy, asOf.AsTime(), rows)
		if err != nil {
			return err
		}
		if !*asJSON {
			return writeSimulation(p.stdout, &simulation)
		}
		text, err := json.Marshal(simulation)
		if err != nil {
			return err
		}
		return p.writeJSON(text)
	}
}

// writeSimulation prints the ways side by side, then the policy under other
// penalties, then the failure table that fits.
func writeSimulation(w io.Writer, s *routing.Simulation) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s tasks by policy %s", count(int64(s.Rows)), s.Policy)
	if s.Modelled > 0 {
		fmt.Fprintf(&out, "; %s of them without outcomes, so quality is the policy's own failure table and cost an estimate", count(int64(s.Modelled)))
	}
	if s.Dropped > 0 {
		fmt.Fprintf(&out, "; %s left out for want of an outcome in every tier", count(int64(s.Dropped)))
	}
	out.WriteString(".\n\n")

	columns := []align{left, right, right, right, decimal, left, decimal, left, right, right}
	header := []string{"REPETITION", "MAKING", "JUDGMENT", "SCORE", "", "USD A TASK", "", "QUALITY KEPT", "COST LEFT"}
	way := func(name string, way routing.Way) []string {
		return []string{
			name, percent(way.Shares[0]), percent(way.Shares[1]), percent(way.Shares[2]),
			decimals(way.Score.Mean, 3), "±" + decimals(way.Score.Error, 3),
			decimals(way.Cost.Mean, 6), "±" + decimals(way.Cost.Error, 6),
			percent(way.Kept), percent(way.Left),
		}
	}
	rows := [][]string{append([]string{"WAY"}, header...)}
	for _, one := range s.Ways {
		rows = append(rows, way(one.Name, one))
	}
	writeTable(&out, columns, rows)

	out.WriteByte('\n')
	rows = [][]string{append([]string{"PENALTY"}, header...)}
	for _, point := range s.Curve {
		rows = append(rows, way("$"+point.Penalty.String(), point.Way))
	}
	writeTable(&out, columns, rows)

	if s.Failure != nil {
		out.WriteString("\nThe failure table that fits these outcomes, for a policy file:\n\nfailure:\n")
		for need, chances := range s.Failure {
			fmt.Fprintf(&out, "  %s: { ", classifier.Tier(need+1))
			for tier, chance := range chances {
				if tier > 0 {
					out.WriteString(", ")
				}
				fmt.Fprintf(&out, "%s: %s", classifier.Tier(tier+1), decimals(chance, 3))
			}
			out.WriteString(" }\n")
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

func decimals(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
