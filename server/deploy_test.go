package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3" //nolint:depguard // a manifest has several documents, and keys that are not ours
)

// The manifest's settings are ones that the server takes, its ports those on which the
// image listens, and the platform waits longer than the server takes to stop.
func TestKubernetesManifest(t *testing.T) {
	b, err := os.ReadFile("../deploy/kubernetes/adjutant.yaml")
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "adjutant.yaml")
	ports := map[string]int{}
	var grace time.Duration
	for documents := yaml.NewDecoder(bytes.NewReader(b)); ; {
		var object struct {
			Kind string
			Data map[string]string
			Spec struct {
				Template struct {
					Spec struct {
						Grace      int `yaml:"terminationGracePeriodSeconds"`
						Containers []struct {
							Env   []struct{ Name, Value string }
							Ports []struct {
								Name          string
								ContainerPort int `yaml:"containerPort"`
							}
						}
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
			write(t, file, []byte(object.Data["adjutant.yaml"]))
		case "Deployment":
			spec := object.Spec.Template.Spec
			grace = time.Duration(spec.Grace) * time.Second
			for _, port := range spec.Containers[0].Ports {
				ports[port.Name] = port.ContainerPort
			}
			if env := spec.Containers[0].Env; len(env) != 1 || env[0].Name != EnvConfig {
				t.Errorf("the container's variables are %v, not the file's name", env)
			}
		}
	}
	// The image's variables go over the file, as in the container.
	var variables []string
	for _, set := range regexp.MustCompile(`ADJUTANT_[A-Z_]+=\S+`).FindAllString(string(image), -1) {
		name, value, _ := strings.Cut(set, "=")
		variables = append(variables, name, value)
	}
	config, err := LoadConfig(file, environment(variables...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if config.Listen != fmt.Sprintf(":%d", ports["grpc"]) || config.AdminListen != fmt.Sprintf(":%d", ports["admin"]) {
		t.Errorf("the server listens on %q and %q, the ports are %v", config.Listen, config.AdminListen, ports)
	}
	if grace <= config.Drain+config.Shutdown {
		t.Errorf("the platform waits %s, the server takes %s", grace, config.Drain+config.Shutdown)
	}
}
