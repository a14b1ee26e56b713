package server

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.yaml.in/yaml/v3" //nolint:depguard // a manifest has several documents, and keys that are not ours
)

// The manifest's settings are ones that the server takes, and the platform waits
// longer than the server takes to stop.
func TestKubernetesManifest(t *testing.T) {
	b, err := os.ReadFile("../deploy/kubernetes/adjutant.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var grace time.Duration
	var config Config
	for documents := yaml.NewDecoder(bytes.NewReader(b)); ; {
		var object struct {
			Kind string
			Data map[string]string
			Spec struct {
				Template struct {
					Spec struct {
						Grace int `yaml:"terminationGracePeriodSeconds"`
					}
				}
			}
		}
		err := documents.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch object.Kind {
		case "ConfigMap":
			file := filepath.Join(t.TempDir(), "adjutant.yaml")
			write(t, file, []byte(object.Data["adjutant.yaml"]))
			if config, err = LoadConfig(file, environment(), nil); err != nil {
				t.Error(err)
			}
		case "Deployment":
			grace = time.Duration(object.Spec.Template.Spec.Grace) * time.Second
		}
	}
	if config.Listen != ":50051" || grace <= config.Drain+config.Shutdown {
		t.Errorf("listens on %q; the platform waits %s, the server takes %s", config.Listen, grace, config.Drain+config.Shutdown)
	}
}
