package pricing

import (
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"sync"
)

// Catalogue is a set of models with their prices. It is immutable and safe for
// concurrent use.
type Catalogue struct {
	files  []File
	models []*Model
	digest string
	names
}

//go:embed catalogue/*.yaml
var embedded embed.FS

// Default gives the embedded catalogue, parsed once. docs/prices.md says where its
// figures come from.
func Default() *Catalogue { return defaultCatalogue() }

var defaultCatalogue = sync.OnceValue(func() *Catalogue {
	entries, err := embedded.ReadDir("catalogue")
	if err != nil {
		panic(err) // the binary is broken
	}
	var files []File
	for _, entry := range entries {
		data, err := embedded.ReadFile(path.Join("catalogue", entry.Name()))
		if err != nil {
			panic(err)
		}
		files = append(files, File{Name: entry.Name(), Data: data})
	}
	c, err := load(files)
	if err != nil {
		panic(fmt.Sprintf("embedded catalogue: %v", err)) // a test loads it, so no release does this
	}
	return c
})

// Load builds a catalogue from base with overlays on top, in order; a nil base is
// an empty one. It is whole or it fails: every mistake in every file is reported,
// each as a [*strictyaml.Error] with file and line.
func Load(base *Catalogue, overlays ...File) (*Catalogue, error) {
	var files []File
	if base != nil {
		files = base.files
	}
	return load(append(slices.Clip(files), overlays...))
}

// LoadFiles is [Load] over the embedded catalogue, with overlays read from disk.
func LoadFiles(paths ...string) (*Catalogue, error) {
	overlays, err := readFiles(paths)
	if err != nil {
		return nil, err
	}
	return Load(Default(), overlays...)
}

// Check reports every mistake in the files at paths, read as overlays over the
// embedded catalogue.
func Check(paths ...string) error {
	_, err := LoadFiles(paths...)
	return err
}

// maxFile bounds a catalogue file. The embedded ones hold 100 models in less than a
// tenth of it.
const maxFile = 4 << 20

func readFiles(paths []string) ([]File, error) {
	files := make([]File, 0, len(paths))
	var errs []error
	for _, p := range paths {
		data, err := readFile(p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, File{Name: p, Data: data})
	}
	return files, errors.Join(errs...)
}

func readFile(p string) ([]byte, error) {
	f, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: a catalogue file has at most %d bytes", p, maxFile)
	}
	return data, err
}

func load(files []File) (*Catalogue, error) {
	l := &loader{models: map[string]*loadedModel{}, prefixes: map[string]string{}, resellers: map[string]bool{}, undecoded: map[string]bool{}}
	hash := sha256.New()
	for _, f := range files {
		l.read(f)
		// The length keeps two files from hashing as one.
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(f.Data))))
		hash.Write(f.Data)
	}
	c := &Catalogue{files: files, models: l.build(), digest: hex.EncodeToString(hash.Sum(nil))[:12]}
	c.names = l.names(c.models)
	if err := l.all(); err != nil {
		return nil, err
	}
	return c, nil
}

// Digest names the contents: the first twelve hex digits of a SHA-256 over every
// file that was loaded, in order. Equal digests give equal prices.
func (c *Catalogue) Digest() string { return c.digest }

// Models gives all models, sorted by provider and id. The slice and what it points
// to are read-only.
func (c *Catalogue) Models() []*Model { return c.models }

// Model gives the model with a provider's own id, nil if there is none.
func (c *Catalogue) Model(provider, id string) *Model {
	for _, m := range c.models {
		if m.Provider == provider && m.ID == id {
			return m
		}
	}
	return nil
}

// Providers gives the names of all providers, sorted.
func (c *Catalogue) Providers() []string {
	set := map[string]bool{}
	for _, m := range c.models {
		set[m.Provider] = true
	}
	return slices.Sorted(maps.Keys(set))
}
