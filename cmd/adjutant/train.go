package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/classifier/train"
	"github.com/adjutant-dev/adjutant/server"
)

// trainWeights makes weights from labelled tasks.
func trainWeights(f *flags) run {
	var o train.Options
	out := f.String("out", "", "")
	f.StringVar(&o.RealDir, "real", "", "")
	f.Func("data", "", appendTo(&o.ExtraFiles))
	corpus := f.String("corpus", "", "")
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) > 0 {
			return usagef("no argument %q: name labelled tasks with --data", positional[0])
		}
		if *out == "" {
			return usagef("say where to write the weights: --out my-weights.bin")
		}
		if err := checkWritable(*out); err != nil {
			return err
		}
		if *corpus != "" {
			o.Corpus = os.DirFS(*corpus)
		}
		if isTerminal(p.stderr) {
			o.Progress = p.stderr
		}
		result, err := train.Train(ctx, o)
		if err != nil {
			return err
		}
		provenance := *out + ".provenance.json"
		if err := writeFile(*out, result.Weights); err != nil {
			return err
		}
		if err := writeFile(provenance, result.Provenance); err != nil {
			return err
		}
		trained, err := classifier.Load(result.Weights)
		if err != nil {
			return err
		}
		facts := [][2]string{
			{"weights", fmt.Sprintf("%s (%s bytes)", *out, count(int64(len(result.Weights))))},
			{"provenance", provenance},
			{"version", trained.Version()},
		}
		for _, missing := range result.Missing {
			facts = append(facts, [2]string{"lacks", missing})
		}
		return writeFacts(p.stdout, facts)
	}
}

// checkWritable finds out whether path can be written before long work is done for it.
func checkWritable(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("no folder for %s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	file.Close()
	return os.Remove(file.Name())
}

// writeFile replaces path at once, so that nobody reads half a file.
func writeFile(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(file.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// evaluate scores the classifier on labelled tasks.
func evaluate(f *flags) run {
	var files []string
	f.Func("data", "", appendTo(&files))
	weights := f.String("weights", "", "")
	fast := f.Bool("fast", false, "")
	asJSON := f.Bool("json", false, "")
	return func(ctx context.Context, p *program, positional []string) error {
		files = append(files, positional...)
		if len(files) == 0 {
			return usagef("name labelled tasks: adjutant evaluate --data FILE.jsonl")
		}
		c, err := server.LoadClassifier(*weights, !*fast)
		if err != nil {
			return err
		}
		var rows []train.Row
		for _, path := range files {
			read, err := readFrom(path, p.stdin, train.ReadRows)
			if err != nil {
				return err
			}
			rows = append(rows, read...)
		}
		report, err := train.Evaluate(ctx, c, rows)
		if err != nil {
			return err
		}
		if !*asJSON {
			return report.WriteTable(p.stdout)
		}
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		return p.writeJSON(text)
	}
}

// readFrom reads rows from a file, or from in where path is "-". Read is told what to
// call it in its errors.
func readFrom[Row any](path string, in io.Reader, read func(name string, in io.Reader) ([]Row, error)) ([]Row, error) {
	if path == "-" {
		return read("standard input", in)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return read(path, file)
}
