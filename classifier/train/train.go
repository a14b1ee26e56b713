package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/adjutant-dev/adjutant/classifier"
	"github.com/adjutant-dev/adjutant/classifier/corpus"
)

// Options say what to train on.
type Options struct {
	// Corpus holds *.jsonl files of labelled rows; nil means the project's own,
	// which is embedded in the binary.
	Corpus fs.FS
	// RealDir is a folder with labelled real rows, train.jsonl and dev.jsonl,
	// which are not part of the repository. Empty means to do without.
	RealDir string
	// Blind is a file of the encoder's logits of the real rows, from training that
	// has seen none of them. FitMixture needs it; CrossValidate reports what both
	// models say together where it is given.
	Blind string
	// ExtraFiles are further files of labelled rows: a user's own.
	ExtraFiles []string
	// Progress gets a line for each step; nil means silence.
	Progress io.Writer
}

// Result is what training gives.
type Result struct {
	// Weights are read by [classifier.Load].
	Weights []byte
	// Provenance is a JSON document that names everything the weights were made
	// from: files and their digests, sources, licences and row ids.
	Provenance []byte
	// Missing says what this run lacked against the embedded weights: empty when
	// it had everything.
	Missing []string
}

// Train makes weights. Equal rows give equal bytes. The error names each bad line
// of each file.
func Train(ctx context.Context, o Options) (*Result, error) {
	d, err := read(o)
	if err != nil {
		return nil, err
	}
	d.say("scoring %d rows by models that have not seen their like", d.countScored())
	held, err := d.crossScore(ctx, calibrationFolds)
	if err != nil {
		return nil, err
	}
	var w classifier.Weights
	calibrate(held, &w)
	d.say("training on %d rows", len(d.trained(-1, nil)))
	if w.Matrix, err = fit(ctx, d.trained(-1, nil)); err != nil {
		return nil, err
	}
	p, err := json.MarshalIndent(d.provenance, "", "  ")
	if err != nil {
		return nil, err
	}
	return &Result{Weights: w.Encode(), Provenance: append(p, '\n'), Missing: d.missing}, nil
}

// calibrationFolds is how many models score the rows that calibration uses. Each
// has not seen the sources of the rows that it scores.
const calibrationFolds = 5

// CrossValidate scores the labelled real rows of dev.jsonl, each by a model that
// was trained without any row of its source and calibrated without it: what a
// stranger's traffic meets. The commit messages of all repositories are one source
// here. It takes about as many trainings as there are sources.
func CrossValidate(ctx context.Context, o Options) (*Report, error) {
	d, err := read(o)
	if err != nil {
		return nil, err
	}
	if !d.real {
		return nil, errors.New("cross-validation needs the labelled real rows: give the folder of train.jsonl and dev.jsonl")
	}
	held, err := d.crossScore(ctx, 0)
	if err != nil {
		return nil, err
	}
	var rows []Row
	var got []classifier.Classification
	type reader struct {
		*classifier.Classifier
		classifier.Mixture
	}
	readers := map[string]reader{} // by the form that they have not seen
	for _, h := range held {
		if h.row.part != partDev {
			continue
		}
		r, ok := readers[h.row.form()]
		if !ok {
			var others []scored
			for _, x := range held {
				if x.row.form() != h.row.form() {
					others = append(others, x)
				}
			}
			if r.Classifier, err = calibrated(others); err != nil {
				return nil, err
			}
			r.Mixture = fitMixture(r.Classifier, others, d.blind)
			readers[h.row.form()] = r
		}
		c := of(r.Classifier, h)
		if z, ok := d.blind[h.row.ID]; ok && c.InDoubt() {
			c.Take(r.Mix(c.Probabilities, z))
		}
		rows = append(rows, *h.row)
		got = append(got, c)
	}
	return report(rows, got), nil
}

// calibrated gives a classifier that has no weights, only the calibration that
// rows ask for.
func calibrated(rows []scored) (*classifier.Classifier, error) {
	w := classifier.Weights{Matrix: make([]float32, classifier.FeatureCount*columns)}
	calibrate(rows, &w)
	return classifier.Load(w.Encode())
}

// Parts of the data, by what may be done with them.
const (
	partCorpus = iota // trained on
	partReal          // trained on, and scored when left out
	partDev           // scored only
)

type data struct {
	rows       []Row
	examples   []example
	blind      logits
	own        bool // the corpus is the project's own
	real       bool
	missing    []string
	provenance provenance
	progress   io.Writer
}

// provenance says what weights were made from.
type provenance struct {
	Format string           `json:"format"`
	Files  []provenanceFile `json:"files"`
}

type provenanceFile struct {
	Name    string             `json:"name"`
	SHA256  string             `json:"sha256"`
	Rows    int                `json:"rows"`
	Use     string             `json:"use"`
	Sources []provenanceSource `json:"sources,omitempty"`
}

type provenanceSource struct {
	Source  string   `json:"source"`
	Licence string   `json:"licence"`
	Rows    []string `json:"row_ids"`
}

func (d *data) say(format string, args ...any) {
	if d.progress != nil {
		fmt.Fprintf(d.progress, format+"\n", args...)
	}
}

// read reads all rows, in the order of their files' names.
func read(o Options) (*data, error) {
	d := &data{progress: o.Progress, provenance: provenance{Format: "adjutant classifier weights"}}
	fsys := o.Corpus
	if fsys == nil {
		fsys, d.own = corpus.FS, true
	}
	names, err := fs.Glob(fsys, "*.jsonl")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("the corpus has no *.jsonl files")
	}
	var errs []error
	for _, n := range names {
		b, err := fs.ReadFile(fsys, n)
		if err == nil {
			err = d.add(n, b, partCorpus, "trained on; the project's own text")
		}
		errs = append(errs, err)
	}
	for _, n := range o.ExtraFiles {
		b, err := os.ReadFile(n)
		if err == nil {
			err = d.add(n, b, partReal, "trained on")
		}
		errs = append(errs, err)
	}
	if o.RealDir == "" {
		d.missing = append(d.missing, "the labelled real rows, which are not part of the repository: the weights will differ from the embedded ones and transfer less well")
	} else {
		d.real = true
		for _, f := range []struct {
			name string
			part int
			use  string
		}{{"train.jsonl", partReal, "trained on; not part of the repository"}, {"dev.jsonl", partDev, "calibration only; not part of the repository"}} {
			b, err := os.ReadFile(filepath.Join(o.RealDir, f.name))
			if err == nil {
				err = d.add(f.name, b, f.part, f.use)
			}
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if o.Blind != "" {
		if d.blind, err = readLogits(o.Blind); err != nil {
			return nil, err
		}
	}
	d.say("read %d rows", len(d.rows))
	d.extract()
	return d, nil
}

func (d *data) add(name string, b []byte, part int, use string) error {
	rows, err := ReadRows(name, strings.NewReader(string(b)))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	f := provenanceFile{Name: filepath.Base(name), SHA256: hex.EncodeToString(sum[:]), Rows: len(rows), Use: use}
	at := map[string]int{}
	for i := range rows {
		r := &rows[i]
		r.part = part
		if r.Source == "" {
			r.Source = strings.TrimSuffix(filepath.Base(name), ".jsonl")
		} else if r.ID != "" {
			k := r.Source + "\x00" + r.Licence
			if _, ok := at[k]; !ok {
				at[k] = len(f.Sources)
				f.Sources = append(f.Sources, provenanceSource{Source: r.Source, Licence: r.Licence})
			}
			f.Sources[at[k]].Rows = append(f.Sources[at[k]].Rows, r.ID)
		}
	}
	slices.SortFunc(f.Sources, func(a, b provenanceSource) int {
		return strings.Compare(a.Source+"\x00"+a.Licence, b.Source+"\x00"+b.Licence)
	})
	d.provenance.Files = append(d.provenance.Files, f)
	d.rows = append(d.rows, rows...)
	return nil
}

// The weight of a row in training, where it isn't 1. The deliberately hard prompts
// of a*.jsonl count less, since their surfaces mislead on purpose; those of p*.jsonl
// still less, since many are one material with asks of every tier, which words alone
// can't tell apart (the encoder learns more from them). Those of n* and o*.jsonl,
// written in the most various forms, count more.
const (
	hardWeight     = 0.5
	contrastWeight = 0.25
	wideWeight     = 2
)

func (d *data) extract() {
	d.derive()
	d.examples = make([]example, len(d.rows))
	var wg sync.WaitGroup
	const workers = 2
	for k := range workers {
		wg.Go(func() {
			for i := k; i < len(d.rows); i += workers {
				d.examples[i] = d.newExample(&d.rows[i])
			}
		})
	}
	wg.Wait()
}

// derive adds, for some rows of the corpus, conversations whose last turn leans on
// them, and the same ask with long material, with the same labels.
func (d *data) derive() {
	n := len(d.rows)
	for i := range n {
		d.rows[i].origin = i
	}
	for i := range n {
		r := d.rows[i]
		if r.part != partCorpus || len(r.Task.Messages) != 1 || i%10 != 0 {
			continue
		}
		f := approvals[i/10%len(approvals)]
		ask := r.Task.Messages[0].Content
		r.Task = classifier.Task{Messages: []classifier.Message{
			{Role: classifier.User, Content: ask}, {Role: classifier.Assistant, Content: f[0]}, {Role: classifier.User, Content: f[1]},
		}}
		d.rows = append(d.rows, r)
	}
	for i := range n {
		r := d.rows[i]
		if r.part != partCorpus || len(r.Task.Messages) != 1 || len(r.Task.Messages[0].Content) > 400 || !r.Split && i%25 != 3 {
			continue
		}
		ask := r.Task.Messages[0].Content
		r.Task = classifier.Task{Messages: r.Task.Messages, Material: classifier.Material{InputTokens: 4000 + int64(i%16)*1000}}
		d.rows = append(d.rows, r)
		long := strings.Repeat(records[i%len(records)], 30+i%50)
		for _, text := range []string{ask + "\n\n" + long, long + "\n" + ask} {
			r.Task = classifier.Prompt(text)
			d.rows = append(d.rows, r)
		}
	}
}

// records are repeated to make the long material that is pasted beside an ask. It
// must change neither the tier nor whether a split pays.
var records = []string{
	"Ines: so the tiles come on Monday, and Raul will be there to sign for them.\nRaul: fine. What about the tap?\nInes: the plumber has it, he wants an answer by Thursday.\nOle: I can call him after lunch.\n",
	"The association met in the small hall. The treasurer read out the figures of the year. It was agreed to repair the fence before winter. Ms Falk offered to ask three firms for a price. The question of the lamps was put off.\n\n",
	"4.2 The lessee keeps the premises clean and tells the lessor of any damage within three days. 4.3 Works that change the building need written consent. 4.4 Rent is due on the third working day of each month.\n\n",
	"2026-04-11 06:02:13 INFO  batch=77 rows=1204 took=3.1s\n2026-04-11 06:02:19 WARN  batch=78 rows=0 took=0.0s\n2026-04-11 06:02:24 INFO  batch=79 rows=998 took=2.7s\n",
	"id;name;town;since;amount\n1041;Berg;Lund;2014-05-02;310.50\n1042;Costa;Faro;2019-11-23;88.00\n1043;Duval;Metz;2021-02-14;129.90\n",
}

// approvals are an assistant's turn and what a user says to it.
var approvals = [][2]string{
	{"I can do that. Shall I go ahead?", "yes, do it"},
	{"Understood. Do you want me to start?", "ok go ahead"},
	{"That is clear. I would begin now, if you agree.", "sounds good, please proceed"},
	{"Here is the first one.", "same for the rest"},
	{"I have done the first part.", "now the others too"},
	{"Soll ich das so machen?", "ja, mach das"},
	{"Je peux commencer ?", "oui, vas-y"},
	{"¿Empiezo?", "sí, adelante"},
	{"需要我现在开始吗？", "好的，开始吧"},
}

func (d *data) newExample(r *Row) example {
	e := example{features: classifier.Features(r.Task), tier: int(r.Tier) - 1, stage: int(r.Stage) - 1, weight: 1, length: float32(math.NaN())}
	if r.part == partCorpus && d.own {
		switch r.Source[0] {
		case 'a':
			e.weight = hardWeight
		case 'n', 'o':
			e.weight = wideWeight
		case 'p', 'q':
			e.weight = contrastWeight
		}
	}
	if r.Split {
		e.split = 1
	}
	if r.OutputTokens > 0 {
		e.length = float32(math.Log(float64(r.OutputTokens)) - classifier.LengthCentre)
	}
	return e
}

// scored tells rows that calibration uses. Without real rows those are the ones
// of our own corpus that have the forms of real ones, and all of a user's.
func (d *data) scored(r *Row) bool {
	if d.real {
		return r.part != partCorpus
	}
	return r.part != partCorpus || !d.own || strings.HasPrefix(r.Source, "m")
}

func (d *data) countScored() (n int) {
	for i := range d.rows {
		if d.scored(&d.rows[i]) {
			n++
		}
	}
	return n
}

// trained gives the examples to train on, without those of a fold.
func (d *data) trained(fold int, folds []int) []example {
	var out []example
	for i := range d.rows {
		if d.rows[i].part != partDev && (fold < 0 || folds[i] != fold) {
			out = append(out, d.examples[i])
		}
	}
	return out
}

// crossScore scores rows by models that have not seen their form. The forms are
// dealt into n folds; 0 gives each form of dev.jsonl one of its own, and the
// others none. Without real rows it is the rows that are dealt, those derived from
// one together with it.
func (d *data) crossScore(ctx context.Context, n int) ([]scored, error) {
	folds := make([]int, len(d.rows))
	byForm := map[string]int{}
	if n == 0 {
		for i := range d.rows {
			if r := &d.rows[i]; r.part == partDev {
				if _, ok := byForm[r.form()]; !ok {
					byForm[r.form()] = n
					n++
				}
			}
		}
		for i := range d.rows {
			folds[i] = -1
			if f, ok := byForm[d.rows[i].form()]; ok && d.scored(&d.rows[i]) {
				folds[i] = f
			}
		}
	} else {
		for i := range d.rows {
			folds[i] = -1
			switch r := &d.rows[i]; {
			case !d.scored(r):
			case d.real:
				folds[i] = foldOf(r.form(), n)
			default:
				folds[i] = r.origin % n
			}
		}
	}
	results := make([][]scored, n)
	errs := make([]error, n)
	limit := make(chan struct{}, 2)
	var wg sync.WaitGroup
	for f := range n {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			w, err := fit(ctx, d.trained(f, folds))
			if err != nil {
				errs[f] = err
				return
			}
			for i := range d.rows {
				if folds[i] == f {
					results[f] = append(results[f], scored{&d.rows[i], score(w, d.examples[i].features)})
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(results...), errors.Join(errs...)
}

// foldOf deals forms into n folds.
func foldOf(form string, n int) int {
	h := fnv.New32a()
	io.WriteString(h, form)
	return int(h.Sum32()>>4) % n
}
