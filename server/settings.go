package server

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adjutant-dev/adjutant/internal/strictyaml"
)

// Setting is one value of [Config] and the names that it has.
type Setting struct {
	// Key is its place in the file, such as "limits.calls".
	Key string
	// Flag is its flag without dashes, such as "limits-calls".
	Flag string
	// Env is its environment variable, such as "ADJUTANT_LIMITS_CALLS".
	Env string
	// Bool says that the flag may stand without a value.
	Bool bool

	index []int // of the field
}

// EnvConfig is the environment variable that names the configuration file.
const EnvConfig = "ADJUTANT_CONFIG"

// Settings lists all settings in the order of [Config].
func Settings() []Setting { return settingsOf(reflect.TypeFor[Config](), "", nil) }

func settingsOf(t reflect.Type, prefix string, index []int) []Setting {
	var all []Setting
	for i := range t.NumField() {
		field := t.Field(i)
		key, at := field.Tag.Get("yaml"), append(slices.Clone(index), i)
		switch {
		case key == "-":
		case field.Type.Kind() == reflect.Struct:
			all = append(all, settingsOf(field.Type, prefix+key+".", at)...)
		default:
			key = prefix + key
			dashed := strings.NewReplacer(".", "-", "_", "-").Replace(key)
			all = append(all, Setting{
				Key: key, Flag: dashed, Env: "ADJUTANT_" + strings.ToUpper(strings.ReplaceAll(dashed, "-", "_")),
				Bool: field.Type.Kind() == reflect.Bool, index: at,
			})
		}
	}
	return all
}

// LoadConfig reads the settings: the defaults, over them the file (if there is one),
// over it the environment, over it flags, which maps the keys of settings to values
// as they were written. An empty environment variable counts as not set. The error
// joins everything that is wrong anywhere.
func LoadConfig(file string, getenv func(string) string, flags map[string]string) (Config, error) {
	config := DefaultConfig()
	var errs []error
	if file == "" {
		file = getenv(EnvConfig)
	}
	var document *strictyaml.Document
	if file != "" {
		content, err := os.ReadFile(file)
		if err == nil {
			document, err = strictyaml.Decode(file, content, &config)
		}
		errs = append(errs, err)
	}
	// from says where a value that is not the file's came from.
	from := map[string]string{}
	for _, s := range Settings() {
		value := getenv(s.Env)
		set := value != ""
		if set {
			from[s.Key] = s.Env
		}
		if flag, ok := flags[s.Key]; ok {
			value, set = flag, true
			from[s.Key] = "--" + s.Flag
		}
		if !set {
			continue
		}
		if err := s.set(&config, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", from[s.Key], err))
		}
	}
	config.validate(func(key, format string, args ...any) {
		switch {
		case from[key] != "":
			errs = append(errs, fmt.Errorf("%s: %s", from[key], fmt.Sprintf(format, args...)))
		case document != nil:
			errs = append(errs, document.Errorf(key, format, args...))
		default:
			errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
		}
	})
	return config, errors.Join(errs...)
}

// set reads a value as flags and the environment write it.
func (s Setting) set(config *Config, value string) error {
	field := reflect.ValueOf(config).Elem().FieldByIndex(s.index)
	switch into := field.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		if err := into.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("%q is not one of debug, info, warn, error", value) // the only kind there is: a level
		}
	case *string:
		*into = value
	case *[]string:
		*into = strings.Split(value, ",")
	case *bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		*into = b
	case *int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
		*into = n
	case *time.Duration:
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 500ms, 10s or 5m", value)
		}
		*into = d
	}
	return nil
}
